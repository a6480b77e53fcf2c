//! Security event tokens (RFC 8417): which key vouches for one.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use procura_core::value::Map;

/// A SET that a key of its stream vouches for. Nobody has looked yet at what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct VouchedSet {
    /// The `typ` of its header.
    pub kind: Option<String>,
    /// Its claims, as they stand in it.
    pub claims: Map<'static>,
    /// The name of the key, if it has one.
    pub key: Option<Arc<str>>,
}

/// Why no key vouches for a SET. No text repeats anything of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// It is none.
    #[error("{0}")]
    Malformed(Cow<'static, str>),
    /// No key of the stream has signed it.
    #[error("{0}")]
    Unvouched(&'static str),
    /// No key that is known has signed it; newer ones may have.
    #[error("{0}")]
    Outdated(&'static str),
    /// The keys of the stream could not be fetched yet.
    #[error("the keys of the transmitter could not be fetched yet")]
    NoKeys,
}

/// Resolves once the newest keys are there that can be had, after at most a few seconds. Whether they are certainly no
/// older than the question: if not, what they do not vouch for may be good all the same.
pub type Refreshing<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// Verifies the signatures of SETs with the keys of their streams.
pub trait SetVerifier: Send + Sync + 'static {
    /// What `set` says if a key of this stream vouches for it. Takes processor time and waits for nothing.
    ///
    /// # Errors
    /// If none does.
    fn vouch(&self, stream: &str, set: &str) -> Result<VouchedSet, SetError>;
    /// Fetches the keys of a stream anew, unless that was tried a moment ago.
    fn refresh<'a>(&'a self, stream: &'a str) -> Refreshing<'a>;
}
