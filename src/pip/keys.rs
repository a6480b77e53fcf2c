//! A set of keys, and which of them may check which token.

use std::sync::Arc;

use super::algorithm::Algorithm;
use super::rules::{Profile, TokenRules};
use super::signature::Check;
use super::token::Token;
use super::{jwk, pem};

/// Most keys of a set: where tokens need not name their key, each may be tried.
const MAX_KEYS: usize = 100;

/// What a key set demands of its keys, and of what tokens say about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyRules {
    /// Whether a key that names no algorithm may be used, with those that fit its type.
    pub optional_alg: bool,
    /// Whether tokens and keys need no `kid`. If so, `kid` is not looked at and every key is tried.
    pub optional_kid: bool,
}

/// Why a text is not a set of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not a JSON Web Key Set.
    #[error("not a JSON Web Key Set: {0}")]
    NotJwks(String),
    /// It is not PEM.
    #[error("not PEM: {0}")]
    NotPem(String),
    /// It holds a private key.
    #[error("a private key: whoever verifies needs only its public half, so keep the private one elsewhere")]
    Private,
    /// No key of it can be used.
    #[error(
        "no key of {found} can be used: a key needs a type and size that are supported, `kid` unless \
         `insecure.optionalKid` is set, and `alg` unless `insecure.optionalAlg` is set"
    )]
    NoneUsable {
        /// How many keys it has.
        found: usize,
    },
    /// It has too many keys.
    #[error("{found} keys, the limit is {MAX_KEYS}")]
    TooMany {
        /// How many keys it has.
        found: usize,
    },
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name, if it has one.
    pub(super) id: Option<Arc<str>>,
    /// Whether it names its algorithm itself.
    pub(super) names_algorithm: bool,
    /// Whether it is for JWT-SVIDs only (SPIFFE Trust Domain and Bundle, section 4.2.2).
    pub(super) is_for_svids: bool,
    /// What it checks: one entry for each algorithm it may be used with.
    pub(super) checks: Vec<(Algorithm, Check)>,
}

/// The keys of a set that its rules allow to be used.
#[derive(Debug)]
pub(super) struct Keys {
    /// Which keys of their key set they are, since the start.
    pub(super) number: u64,
    usable: Vec<Key>,
    rules: KeyRules,
}

/// Why no key vouches for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unvouched {
    /// The token names no key, and the rules demand it.
    NamesNoKey,
    /// There is no key of that name: the issuer may have a new one.
    UnknownKey,
    /// The key is for other algorithms.
    WrongAlgorithm,
    /// The signature is not one of the key.
    WrongSignature,
}

impl Keys {
    /// The keys in `text`: PEM, or a JSON Web Key Set or a single key in JSON. Keys that cannot be used are left out.
    /// What `tokens` says about algorithms binds every key, so that keys need not name theirs.
    pub(super) fn read(
        text: &[u8],
        is_pem: bool,
        rules: KeyRules,
        tokens: &TokenRules,
    ) -> Result<Self, KeyError> {
        let mut keys = if is_pem { pem::keys(text)? } else { jwk::keys(text)? };
        let found = keys.len();
        if found > MAX_KEYS {
            return Err(KeyError::TooMany { found });
        }
        let (allowed, takes_svids) = (tokens.algorithms(), tokens.profile == Profile::JwtSvid);
        for key in &mut keys {
            key.checks.retain(|(algorithm, _)| allowed.is_empty() || allowed.contains(algorithm));
        }
        let is_usable = |key: &Key| {
            let named = key.id.is_some() || rules.optional_kid;
            let bound = key.names_algorithm || rules.optional_alg || !allowed.is_empty();
            !key.checks.is_empty() && named && bound && (takes_svids || !key.is_for_svids)
        };
        let usable: Vec<Key> = keys.into_iter().filter(is_usable).collect();
        if usable.is_empty() {
            Err(KeyError::NoneUsable { found })
        } else {
            Ok(Self { number: 0, usable, rules })
        }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.usable.len()
    }

    /// Whether the issuer may have new keys that would vouch for what these did not.
    pub(super) fn may_be_outdated(&self, failure: Unvouched) -> bool {
        match failure {
            Unvouched::UnknownKey => true,
            Unvouched::WrongSignature => self.rules.optional_kid,
            Unvouched::NamesNoKey | Unvouched::WrongAlgorithm => false,
        }
    }

    /// The key that made the signature of `token`.
    pub(super) fn vouch(&self, token: &Token<'_>) -> Result<&Key, Unvouched> {
        let named = match &token.key_id {
            _ if self.rules.optional_kid => None,
            Some(id) => Some(id.as_str()),
            None => return Err(Unvouched::NamesNoKey),
        };
        let keys = self.usable.iter().filter(|key| named.is_none() || key.id.as_deref() == named);
        let mut failure = Unvouched::UnknownKey;
        for key in keys {
            for (_, check) in key.checks.iter().filter(|(algorithm, _)| *algorithm == token.algorithm) {
                if check.accepts(token.signed, &token.signature) {
                    return Ok(key);
                }
                failure = Unvouched::WrongSignature;
            }
            if failure == Unvouched::UnknownKey {
                failure = Unvouched::WrongAlgorithm;
            }
        }
        Err(failure)
    }
}
