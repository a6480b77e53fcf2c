//! Security event tokens: whether a key of their stream vouches for them. What they say is judged elsewhere.

use procura_core::value::Value;

use super::token::Token;
use super::verifier::{Trust, Verifier, reason};
use crate::ports::{Refreshing, SetError, SetVerifier, VouchedSet};

/// Longest SET, in bytes.
const MAX_BYTES: usize = 64 * 1024;

impl SetVerifier for Verifier {
    fn vouch(&self, stream: &str, set: &str) -> Result<VouchedSet, SetError> {
        let parsed = Token::parse_within(set, MAX_BYTES).map_err(SetError::Malformed)?;
        let keys = self.set(stream).and_then(|set| set.shelf.keys()).ok_or(SetError::NoKeys)?;
        let key = keys.vouch(&parsed).map_err(|failure| match failure {
            failure if keys.may_be_outdated(failure) => SetError::Outdated(reason(failure)),
            failure => SetError::Unvouched(reason(failure)),
        })?;
        // INVARIANT(only_verified_claims): nothing of the payload is read before a key has vouched for it.
        match serde_json::from_slice::<Value<'_>>(&parsed.payload) {
            Ok(Value::Map(claims)) => {
                Ok(VouchedSet { kind: parsed.kind, claims: claims.into_owned(), key: key.id.clone() })
            }
            _ => Err(SetError::Malformed("the claims are not a JSON object that can be taken".into())),
        }
    }

    fn refresh<'a>(&'a self, stream: &'a str) -> Refreshing<'a> {
        Box::pin(async move {
            match self.set(stream).and_then(|set| set.remote.as_ref()) {
                Some(remote) => remote.refresh().await,
                // Keys of a file are watched, and those of the configuration are what they are.
                None => true,
            }
        })
    }
}

impl Verifier {
    fn set(&self, stream: &str) -> Option<&super::key_set::KeySet> {
        match &self.trust {
            Trust::Blind => None,
            Trust::Keys(sets) => sets.get(stream),
        }
    }
}
