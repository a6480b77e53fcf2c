//! Who knows API keys.

use std::sync::Arc;

use procura_core::model::Timestamp;

use super::Identity;

/// Who holds an API key.
#[derive(Clone, Debug)]
pub struct KeyHolder {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// When the key ends; `None` for never.
    pub expires: Option<Timestamp>,
}

/// Why an API key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// It is none of ours.
    Unknown,
    /// It was revoked.
    Revoked,
}

/// Knows API keys. Called for every request that shows one, unless the connection showed the same before; never blocks.
pub trait ApiKeys: Send + Sync + 'static {
    /// Who holds the key `text`, whether or not it has ended.
    fn holder(&self, text: &str) -> Result<KeyHolder, KeyFault>;
    /// Rises whenever another answer may be given. Cheap.
    fn epoch(&self) -> u64;
    /// Why the keys are not those of their source, if they are not.
    fn trouble(&self) -> Option<String>;
}
