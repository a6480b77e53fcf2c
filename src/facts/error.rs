//! Why facts cannot be read at the start.

use std::io;

/// What to do about files that are not what was written.
const ADVICE: &str = "bring the directory back from a copy, or move it away to begin without facts: sessions that were \
    revoked and accounts that were disabled count again until their sources say so once more";

/// Why the facts cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// A file operation failed.
    #[error("cannot {action} `{name}` of the facts")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        name: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file is not what was written.
    #[error("`{name}` of the facts is damaged at byte {offset}: {what}; {ADVICE}")]
    Damaged {
        /// The file.
        name: String,
        /// Where, in bytes from its start.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A file is not there.
    #[error("`{name}` of the facts is missing; {ADVICE}")]
    Missing {
        /// The file.
        name: String,
    },
}

impl FactsError {
    pub(super) fn io(action: &'static str, name: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, name: name.to_owned(), source }
    }
}
