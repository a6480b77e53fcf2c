//! The readers of tokens and keys, for fuzz targets.

use std::time::Duration;

use procura_core::model::Timestamp;
use procura_core::value::Map;

use super::claims;
use super::keys::{KeyRules, Keys};
use super::token::Token;

/// Keys in text, however little they say about themselves; `None` if there are none to use.
pub struct KnownKeys(Keys);

impl KnownKeys {
    /// Reads a JSON Web Key Set, or PEM.
    #[must_use]
    pub fn read(text: &[u8], is_pem: bool) -> Option<Self> {
        let rules = KeyRules { optional_kid: true, optional_alg: true };
        Keys::read(text, is_pem, rules).ok().map(Self)
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
        let (claims, _) = claims.ok().filter(|_| vouched)?;
        Some((claims, token.signed.to_vec()))
    }
}
