//! A record of the log as replaying sees it.

use std::borrow::Cow;

use serde::Deserialize;

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

impl<'a> Recorded<'a> {
    /// Reads an encoded record.
    #[must_use]
    pub fn read(payload: &'a [u8]) -> Self {
        let masked = serde_json::from_slice(payload).is_ok_and(|mark: Mark<'_>| mark.is_partial());
        match Record::decode(payload) {
            Ok(Record::Decision(_)) if masked => Self::Partial,
            Ok(Record::Decision(record)) => Self::Call(record),
            Ok(_) | Err(RecordError::Unknown { .. }) => Self::Other,
            Err(_) if masked => Self::Partial,
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }
}

/// What tells a masked record from another.
#[derive(Deserialize)]
struct Mark<'a> {
    #[serde(borrow, default)]
    replay: Option<Cow<'a, str>>,
}

impl Mark<'_> {
    fn is_partial(&self) -> bool {
        self.replay.as_deref() == Some(PARTIAL)
    }
}
