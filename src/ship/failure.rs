//! Why records could not be sent. No text of these holds what a destination said or a header, which may be secret.

use std::io;
use std::path::Path;
use std::time::Duration;

use hyper::StatusCode;

use crate::audit::AuditError;
use crate::outgoing::SendError;

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The log cannot be read.
    #[error("the records cannot be read from the log")]
    Log(#[source] AuditError),
    /// A record is not where it should be.
    #[error("record {0} is not in the log")]
    Missing(u64),
    /// A file of the destination, or its bookmark, cannot be worked on.
    #[error("cannot {action} `{path}`")]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// What was written may be lost at a power cut: the system forgets a sync that failed.
    #[error("cannot sync `{0}`")]
    Unsynced(String, #[source] io::Error),
    /// The destination gives no answer.
    #[error("the destination cannot be reached")]
    Unreachable(#[source] SendError),
    /// The destination does not confirm the records.
    #[error("the destination answers {status}{}", hint(*.status))]
    Refused {
        /// The status of its answer.
        status: StatusCode,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The destination took a part of the batch only.
    #[error("the destination rejects {0} of the records")]
    Rejected(u64),
    /// The request cannot be made.
    #[error("the header `{0}` has no valid value")]
    Header(String),
    /// The time for sending what remains is over.
    #[error("the server stops")]
    Stopped,
}

impl Failure {
    /// For `map_err` on a file operation.
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { action, path, source }
    }

    /// What tells failures apart that somebody should hear of separately.
    pub(super) fn sort(&self) -> (&'static str, u16) {
        match self {
            Failure::Log(_) | Failure::Missing(_) => ("log", 0),
            Failure::File { action, .. } => (action, 0),
            Failure::Unsynced(..) => ("sync", 0),
            Failure::Unreachable(_) => ("unreachable", 0),
            Failure::Refused { status, .. } => ("refused", status.as_u16()),
            Failure::Rejected(_) => ("rejected", 0),
            Failure::Header(_) => ("header", 0),
            Failure::Stopped => ("stopped", 0),
        }
    }

    /// Whether the destination goes on from its bookmark, and not from where it was.
    pub(super) fn sends_back(&self) -> bool {
        matches!(self, Failure::Log(_) | Failure::Missing(_) | Failure::Unsynced(..))
    }

    /// Whether the batch is too large for the destination.
    pub(super) fn is_too_large(&self) -> bool {
        matches!(self, Failure::Refused { status: StatusCode::PAYLOAD_TOO_LARGE, .. })
    }

    /// How long the destination asks to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Failure::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// What to do about an answer that will hardly change by itself.
fn hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        408 | 413 | 429 => "",
        300..400 => ", and redirects are not followed: name the final URL",
        400..500 => ", which will hardly change by itself: look at its URL and headers",
        _ => "",
    }
}
