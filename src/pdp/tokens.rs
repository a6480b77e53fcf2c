//! The tokens of a call: verified before anything is decided.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use procura_core::model::{AuxData, Timestamp};
use procura_core::record::Vouchers;
use procura_core::value::Value;
use tokio::time::{Instant, timeout_at};

use super::{DecideError, Pdp};
use crate::ports::{Token, TokenError, VerifiedToken};

/// How long all tokens of a call may take together: the keys of one key set may have to be fetched.
const DEADLINE: Duration = Duration::from_secs(5);

/// The tokens that came with a call, not yet believed. At most one of the members is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens<'a> {
    /// The one token.
    pub jwt: Option<Token<'a>>,
    /// Tokens by their names.
    pub jwts: BTreeMap<Cow<'a, str>, Token<'a>>,
}

impl Tokens<'_> {
    /// Whether the call came without any.
    pub(super) fn is_empty(&self) -> bool {
        self.jwt.is_none() && self.jwts.is_empty()
    }
}

impl Pdp {
    /// What `tokens` say at `now`, and who vouches for it. One that is not believed spoils the whole call.
    pub(super) async fn claims(
        &self,
        tokens: &Tokens<'_>,
        now: Timestamp,
    ) -> Result<(AuxData<'static>, Vouchers), DecideError> {
        let (mut aux_data, mut vouchers) = (AuxData::default(), Vouchers::default());
        if tokens.is_empty() {
            return Ok((aux_data, vouchers));
        }
        let deadline = Instant::now() + DEADLINE;
        if let Some(token) = &tokens.jwt {
            let verified = self.verify(token, now, deadline).await;
            let verified = verified.map_err(|error| refused("jwt".to_owned(), error))?;
            aux_data.jwt = Arc::unwrap_or_clone(verified.claims);
            vouchers.jwt = verified.key_set.as_deref().map(str::to_owned);
        }
        for (name, token) in &tokens.jwts {
            let verified = self.verify(token, now, deadline).await;
            let verified = verified.map_err(|error| refused(format!("jwts.{name}"), error))?;
            let name = name.clone().into_owned();
            vouchers.jwts.extend(verified.key_set.map(|id| (name.clone(), id.to_string())));
            aux_data.jwts.insert(Cow::Owned(name), Value::Map(Arc::unwrap_or_clone(verified.claims)));
        }
        Ok((aux_data, vouchers))
    }

    async fn verify(
        &self,
        token: &Token<'_>,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<VerifiedToken, TokenError> {
        match timeout_at(deadline, self.tokens.verify(token, now)).await {
            Ok(verified) => verified,
            Err(_) => Err(TokenError::KeysUnavailable { key_set: token.key_set.clone().into_owned() }),
        }
    }
}

fn refused(token: String, error: TokenError) -> DecideError {
    DecideError::Token { token, error }
}
