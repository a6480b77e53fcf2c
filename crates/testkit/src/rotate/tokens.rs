//! Tokens, and the keys that sign them.

use serde_json::{Value, json};

use super::Site;
use super::crowd::Shown;
use crate::callers;
use crate::issuer::{SigningKey, jwks};
use crate::key_server::{Behaviour, KeyServer};

/// Who issues the tokens of callers.
pub(super) struct Issuer {
    key: SigningKey,
    /// Hands out the keys that tokens are signed with.
    published: KeyServer,
    /// How often it has changed its key.
    changes: u64,
}

impl Issuer {
    /// An issuer with one key.
    pub(super) async fn open() -> Self {
        let key = SigningKey::generate("ES256", "k0");
        let published = KeyServer::with_keys(jwks(&[key.jwk()])).await;
        Self { key, published, changes: 0 }
    }

    /// Where a server finds its keys.
    pub(super) fn source(&self) -> (&'static str, Value) {
        ("remote", json!({"url": self.published.url(), "refreshInterval": "1s"}))
    }

    /// What the caller `number` shows.
    pub(super) fn shown(&self, number: usize) -> Shown {
        Shown::Token(callers::token(&self.key, &name(number)))
    }
}

impl Site {
    /// The issuer publishes a new key beside the old one and signs with it, and later takes the old one away.
    pub(super) async fn signing_key(&mut self) -> anyhow::Result<()> {
        self.issuer.changes += 1;
        let new = SigningKey::generate("ES256", &format!("k{}", self.issuer.changes));
        self.issuer.publish(&[&self.issuer.key, &new]);
        self.until_served(&Shown::Token(callers::token(&new, "probe")), true).await?;

        let is_token = |shown: &Shown| matches!(shown, Shown::Token(_));
        let signed = |number: usize| Shown::Token(callers::token(&new, &name(number)));
        let old = self.hand_out(|number, shown| is_token(shown).then(|| signed(number))).await?;
        self.issuer.publish(&[&new]);
        let last = Shown::Token(callers::token(&self.issuer.key, "probe"));
        self.until_served(&last, false).await?;
        self.issuer.key = new;
        self.are_refused(&old).await
    }
}

impl Issuer {
    fn publish(&self, keys: &[&SigningKey]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        self.published.set(Behaviour::Answer(200, jwks(&keys)));
    }
}

fn name(number: usize) -> String {
    format!("caller-{number}")
}
