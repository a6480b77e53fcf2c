//! Policy information: tokens are verified and turned into claims, and the keys for that are held and kept fresh.
//!
//! | file | what |
//! |---|---|
//! | `verifier.rs` | one token: which key set, is the signature good, is it in force |
//! | `cache.rs` | tokens that were believed, so that their signature is checked once |
//! | `token.rs`, `claims.rs` | the parts of a token; what its claims become |
//! | `keys.rs`, `jwk.rs`, `pem.rs` | a set of keys, from JSON Web Keys or PEM |
//! | `rules.rs` | what a key set demands of tokens beyond a signature |
//! | `set.rs` | security event tokens: which key of the stream vouches for one |
//! | `proof.rs` | whether the key that a token is bound to is held |
//! | `signature.rs` | algorithms; the only file that knows the cryptography library |
//! | `key_set.rs`, `remote.rs`, `local.rs`, `fetch.rs` | where keys come from and how they stay fresh |

mod algorithm;
mod cache;
mod claims;
mod fetch;
#[cfg(fuzzing)]
pub mod fuzzing;
mod jwk;
mod key_set;
mod keys;
mod local;
mod pem;
mod proof;
mod remote;
mod rules;
mod set;
mod signature;
mod token;
mod verifier;

pub use algorithm::Algorithm;
pub use key_set::{KeySetSettings, KeySource};
pub use keys::{KeyError, KeyRules};
pub use remote::RemoteTiming;
pub use rules::{Profile, TokenRules};
pub use verifier::{StartError, TokenSettings, Verifier};

#[cfg(test)]
mod tests;
