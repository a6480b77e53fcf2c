//! A record of the log as replaying sees it.

use std::borrow::Cow;

use crate::record::{DecisionRecord, Record, RecordError};

/// What a record is to whoever replays calls.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded<'a> {
    /// A call with everything that went into its decisions.
    Call(Box<DecisionRecord<'a>>),
    /// A call of which something is masked: it cannot be decided again.
    Partial,
    /// No call.
    Other,
    /// Something that is no record, and why.
    Unreadable(String),
}

/// The value of the member `replay` of a record in which something is masked.
const PARTIAL: &str = "partial";

/// What decides a call again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    /// The set that decided it: what its decisions did not rest on may be masked.
    ItsOwnSet,
    /// A set that may rest on anything.
    AnotherSet,
}

impl<'a> Recorded<'a> {
    /// Reads an encoded record for what is to decide it again.
    #[must_use]
    pub fn read(payload: &'a [u8], by: DecidedBy) -> Self {
        match Record::decode(payload) {
            Ok(Record::Decision(record)) if is_partial(&record, by) => Self::Partial,
            Ok(Record::Decision(record)) => Self::Call(record),
            Ok(_) | Err(RecordError::Unknown { .. }) => Self::Other,
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }
}

fn is_partial(record: &DecisionRecord<'_>, by: DecidedBy) -> bool {
    // Who called, and with which request id, is nothing that any policy can read.
    let may_be_read = |path: &Cow<'_, str>| !path.starts_with("call");
    record.replay.as_deref() == Some(PARTIAL)
        || (by == DecidedBy::AnotherSet && record.masked.iter().any(may_be_read))
}
