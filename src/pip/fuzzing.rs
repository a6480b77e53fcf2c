//! The readers of tokens and keys, for fuzz targets.

use std::time::Duration;

use procura_core::model::Timestamp;
use procura_core::value::Map;

use super::keys::{KeyRules, Keys};
use super::proof::{Proofs, Use};
use super::token::Token;
use super::{Profile, TokenRules, claims};
use crate::ports::Proof;

/// Keys in text, however little they say about themselves; `None` if there are none to use.
pub struct KnownKeys(Keys);

impl KnownKeys {
    /// Reads a JSON Web Key Set, or PEM.
    #[must_use]
    pub fn read(text: &[u8], is_pem: bool) -> Option<Self> {
        let rules = KeyRules { optional_kid: true, optional_alg: true };
        Keys::read(text, is_pem, rules, &TokenRules::default()).ok().map(Self)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The claims of a token that one of the keys vouches for, and the bytes that it vouches for.
    #[must_use]
    pub fn claims(&self, token: &str, now: Timestamp) -> Option<(Map<'static>, Vec<u8>)> {
        let token = Token::parse(token).ok()?;
        let vouched = self.0.vouch(&token).is_ok();
        // Claims are read whether they are believed or not: the reader is to be met.
        let claims = claims::in_force(&token.payload, now, Duration::from_secs(60));
        let (claims, period) = claims.ok()?;
        assert!(period.covers(now), "claims are in force outside their period");
        for profile in [Profile::Jwt, Profile::AccessToken, Profile::JwtSvid, Profile::TxnToken] {
            let rules = TokenRules { profile, must_expire: true, ..TokenRules::default() };
            if rules.check(&token, &claims).is_ok() {
                assert!(claims.get("exp").is_some(), "a token that never expires is taken");
            }
        }
        vouched.then(|| (claims, token.signed.to_vec()))
    }
}

/// Whether `text`, as a DPoP proof or as a certificate, shows that the key is held that a token with these `claims` is
/// bound to.
#[must_use]
pub fn is_held(text: &str, claims: &Map<'_>, now: Timestamp) -> bool {
    let (proofs, skew) = (Proofs::default(), Duration::from_secs(60));
    let of = Use { token: "a.b.c", claims, request_id: "", now, skew };
    let dpop = Proof::Dpop { text: text.into(), method: "GET".into(), url: "https://host/a".into() };
    [dpop, Proof::Certificate(text.into())].iter().any(|proof| matches!(proofs.judge(proof, &of), Ok(true)))
}
