//! What can be wrong with the log on disk.

use std::error::Error;
use std::io;

use super::cursor::Place;
use super::plain::BlockDamage;
use super::segment::file_name;
use crate::ports::LogError;

/// Why the log cannot be opened, read or verified.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file operation failed.
    #[error("cannot {action} `{name}`")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        name: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A record that was once durable is not what was written, or is gone.
    #[error("`{segment}` is damaged at byte {offset}, record {seq}: {what}")]
    Damaged {
        /// The segment file.
        segment: String,
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// The record that should stand there.
        seq: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The log ends before a record that was once durable.
    #[error(
        "`{segment}` is damaged at its end: the log was on disk up to record {marked} at least, and can be read up to \
         record {last_seq} only"
    )]
    Lost {
        /// The last segment file that there is, or should be.
        segment: String,
        /// The last record that can be read; 0 if there is none.
        last_seq: u64,
        /// The last record that is known to have been on disk.
        marked: u64,
    },
    /// A segment cannot be read backwards from some point.
    #[error("`{segment}` cannot be read at byte {offset}: {what}; `procura audit verify` tells more")]
    Unreadable {
        /// The segment file.
        segment: String,
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A record about the log itself could not be written.
    #[error("a record about the decision log itself was not written")]
    Unrecorded(#[source] LogError),
    /// A file beside the segments does not fit them.
    #[error("`{name}` does not fit the log: {what}; `procura audit verify` tells more")]
    Unfit {
        /// The file.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
    /// Another process writes this log.
    #[error(
        "`{0}` is in use by another process: a decision log has one writer; stop the other server, or use another \
         `--data-dir`"
    )]
    Locked(String),
}

impl AuditError {
    /// The whole story in one line: the error and its causes.
    pub(super) fn with_causes(&self) -> String {
        let causes = std::iter::successors(self.source(), |&cause| cause.source());
        causes.fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }

    /// Record `seq`, which should stand at `place`, is not what was written.
    pub(super) fn damaged_at(place: Place, seq: u64, what: &'static str) -> Self {
        Self::Damaged { segment: file_name(place.segment), offset: place.offset, seq, what }
    }

    /// For `map_err` on what is read from a segment.
    pub(super) fn unreadable(segment: &str, offset: u64) -> impl FnOnce(&'static str) -> Self + use<> {
        let segment = segment.to_owned();
        move |what| Self::Unreadable { segment, offset, what }
    }

    /// For `map_err` on a file operation.
    pub(super) fn io(action: &'static str, name: &str) -> impl FnOnce(io::Error) -> Self {
        let name = name.to_owned();
        move |source| match source.get_ref().and_then(|source| source.downcast_ref::<BlockDamage>()) {
            Some(BlockDamage { offset, what }) => Self::Unreadable { segment: name, offset: *offset, what },
            None => Self::Io { action, name, source },
        }
    }
}
