//! What must not be relied on any more.

use std::io;

use procura_core::model::Timestamp;
use serde::{Deserialize, Serialize};

/// What a credential rests on. What is not known of it, or does not exist for its kind, is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Who issued it: the `iss` of a token, the trust domain of a certificate.
    pub issuer: Option<&'a str>,
    /// The key set that vouches for it.
    pub key_set: Option<&'a str>,
    /// The key: the `kid` of a token, the id of an API key, the fingerprint of a certificate.
    pub key: Option<&'a str>,
}

/// What must not be relied on any more, although its signature is good. Asked about each credential of each request, also
/// where it was found good before: cheap, never blocks.
pub trait Quarantine: Send + Sync + 'static {
    /// Rises with every change. Who remembers that a credential was good reads this before it asks, and asks again once it
    /// has risen.
    fn epoch(&self) -> u64;
    /// Whether a credential that rests on `origin` is refused.
    fn is_quarantined(&self, origin: &Origin<'_>) -> bool;
}

/// Credentials that rest on all that is named here; at least one member is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suspect {
    /// The issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The key set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_set: Option<String>,
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Suspect {
    /// Whether `origin` is one of them.
    #[must_use]
    pub fn covers(&self, origin: &Origin<'_>) -> bool {
        let is_it =
            |named: &Option<String>, is: Option<&str>| named.as_deref().is_none_or(|named| is == Some(named));
        is_it(&self.issuer, origin.issuer)
            && is_it(&self.key_set, origin.key_set)
            && is_it(&self.key, origin.key)
    }
}

/// A quarantine, as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// Its id.
    pub id: String,
    /// What is refused.
    #[serde(flatten)]
    pub suspect: Suspect,
    /// From when on decisions that relied on it are suspect.
    #[serde(with = "instant")]
    pub since: Timestamp,
    /// Why, as whoever began it said.
    pub reason: String,
    /// When it was begun.
    #[serde(with = "instant")]
    pub begun: Timestamp,
    /// The name of the caller who began it, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Keeps the quarantines across restarts. Blocking.
pub trait QuarantineStore: Send + Sync + 'static {
    /// What was kept last.
    ///
    /// # Errors
    /// If it cannot be read or is damaged: then nobody can say what must not be relied on.
    fn load(&self) -> Result<Vec<Quarantined>, QuarantineStoreError>;
    /// Keeps `all`, durably, in place of what was kept.
    ///
    /// # Errors
    /// If the disk refuses.
    fn save(&self, all: &[Quarantined]) -> Result<(), QuarantineStoreError>;
}

/// Why quarantines cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineStoreError {
    /// The file cannot be read or written.
    #[error("cannot {verb} the quarantines in `{path}`")]
    Io {
        /// `read` or `keep`.
        verb: &'static str,
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file is not as it was written.
    #[error(
        "the quarantines in `{path}` are damaged: put the file back from a copy; if there is none, remove it and begin \
         again those that `procura audit query --where 'kind == \"quarantine\"'` shows"
    )]
    Damaged {
        /// The file.
        path: String,
    },
}

/// An instant as RFC 3339 text.
mod instant {
    use procura_core::model::Timestamp;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspect_covers_what_rests_on_all_that_it_names() {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        for (named, origin, covered) in [
            (["i", "", ""], ["i", "s", "k"], true),
            (["i", "", ""], ["i", "", ""], true),
            (["i", "", ""], ["j", "s", "k"], false),
            (["i", "", ""], ["", "i", "i"], false),
            (["", "s", ""], ["i", "s", "k"], true),
            (["", "s", "k"], ["i", "s", "k"], true),
            (["", "s", "k"], ["i", "s", "l"], false),
            (["", "s", "k"], ["i", "s", ""], false),
            (["", "", "k"], ["", "", "k"], true),
            (["i", "", "k"], ["", "", "k"], false),
        ] {
            let [issuer, key_set, key] = named.map(text);
            let [of, set, by] = origin.map(text);
            let origin = Origin { issuer: of.as_deref(), key_set: set.as_deref(), key: by.as_deref() };
            assert_eq!(Suspect { issuer, key_set, key }.covers(&origin), covered, "{named:?} {origin:?}");
        }
    }
}
