//! The decision record, version 1, and one step of its hash chain.
//!
//! A record is one JSON object. Its first members are the same for every kind: `v` (the version of the format,
//! `1`), `kind`, and `at` (the instant). The kinds are [`DecisionRecord`] (`decision`), [`PolicyChange`]
//! (`policy_change`), [`Configuration`] (`configuration`), [`LogRepair`] (`log_repair`), [`Retention`] (`retention`),
//! [`PseudonymKey`] (`pseudonym_key`), [`QuarantineChange`] (`quarantine`), [`ShadowDifference`] (`shadow_difference`),
//! [`SignalRecord`] (`signal`) and [`SignalsRefused`] (`signals_refused`); all of them stand in one chain
//! ([`ChainHash`]).
//! `docs/reference/decision-record.md` describes each member.
//!
//! How the format grows: version 1 may gain optional members and new kinds, and a reader ignores what it does not
//! know. A member never changes its meaning and never becomes mandatory; that would be version 2.

mod call;
mod chain;
mod decision;
mod event;
mod id;
mod json;
mod mask;
mod presented;
mod quarantine;
mod sentence;
mod shadow;
mod signal;
mod tokens;
mod wire;

pub use call::{CallRecord, EncodedBasis};
pub use chain::ChainHash;
pub use decision::{
    Basis, Call, Caller, Decision, DecisionEntry, DecisionRecord, OutputRecord, PrincipalInput,
    ProblemRecord, ResourceInput, ResultRecord, ValidationRecord,
};
pub use event::{
    Configuration, Gap, LogRepair, PolicyChange, PolicySet, PseudonymKey, Retention, SettingRecord,
};
pub use id::DecisionId;
pub use mask::{MaskError, MaskKey, MaskKeys, MaskRule, Masks, Treatment};
pub use presented::{DemandRecord, PresentedInput};
pub use quarantine::QuarantineChange;
pub use sentence::{happening, sentence};
pub use shadow::{DecisionDifference, ShadowDifference, Verdict};
pub use signal::{FactRecord, SignalRecord, SignalsRefused};
pub use tokens::{AuxDataInput, TokenInput, Voucher, Vouchers, claim_at};

use std::io;

use serde::{Deserialize, Serialize};

use crate::limits::RECORD_BYTES;

/// The version that this crate writes.
pub const VERSION: u32 = 1;

/// A record of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Record<'a> {
    /// A call and its decisions.
    Decision(Box<DecisionRecord<'a>>),
    /// A policy set went live.
    PolicyChange(PolicyChange<'a>),
    /// The server started with these settings.
    Configuration(Configuration<'a>),
    /// The log was repaired.
    LogRepair(LogRepair<'a>),
    /// The oldest records were deleted as configured.
    Retention(Retention<'a>),
    /// A candidate set would have decided a call otherwise.
    ShadowDifference(ShadowDifference<'a>),
    /// A key of pseudonyms was created or destroyed.
    PseudonymKey(PseudonymKey<'a>),
    /// A quarantine was begun or lifted.
    Quarantine(QuarantineChange<'a>),
    /// A signal was taken.
    Signal(SignalRecord<'a>),
    /// Signals were refused.
    SignalsRefused(SignalsRefused<'a>),
}

/// Why a record could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The encoded record exceeds [`RECORD_BYTES`].
    #[error("the record of this call would exceed {RECORD_BYTES} bytes")]
    TooLarge,
    /// The record is of a version or kind that this release does not know.
    #[error("record of unknown version {version} or kind `{kind}`: written by a later release?")]
    Unknown {
        /// Its version.
        version: u32,
        /// Its kind.
        kind: String,
    },
    /// The bytes are not a record.
    #[error("malformed record")]
    Malformed(#[source] serde_json::Error),
}

impl<'a> Record<'a> {
    /// Encodes the record; [`CallRecord`] does so for a call that was just decided, at once and to the same bytes.
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        match self {
            Record::Decision(record) => encode(KIND_DECISION, record),
            Record::PolicyChange(record) => encode(KIND_POLICY_CHANGE, record),
            Record::Configuration(record) => encode(KIND_CONFIGURATION, record),
            Record::LogRepair(record) => encode(KIND_LOG_REPAIR, record),
            Record::Retention(record) => encode(KIND_RETENTION, record),
            Record::ShadowDifference(record) => encode(KIND_SHADOW_DIFFERENCE, record),
            Record::PseudonymKey(record) => encode(KIND_PSEUDONYM_KEY, record),
            Record::Quarantine(record) => encode(KIND_QUARANTINE, record),
            Record::Signal(record) => encode(KIND_SIGNAL, record),
            Record::SignalsRefused(record) => encode(KIND_SIGNALS_REFUSED, record),
        }
    }

    /// Decodes a record, borrowing from `payload` where it can.
    pub fn decode(payload: &'a [u8]) -> Result<Self, RecordError> {
        let head = Head::of(payload)?;
        match (head.v, head.kind.as_str()) {
            (VERSION, KIND_DECISION) => DecisionRecord::parse(payload).map(|r| Record::Decision(Box::new(r))),
            (VERSION, KIND_POLICY_CHANGE) => parse(payload).map(Record::PolicyChange),
            (VERSION, KIND_CONFIGURATION) => parse(payload).map(Record::Configuration),
            (VERSION, KIND_LOG_REPAIR) => parse(payload).map(Record::LogRepair),
            (VERSION, KIND_RETENTION) => parse(payload).map(Record::Retention),
            (VERSION, KIND_SHADOW_DIFFERENCE) => parse(payload).map(Record::ShadowDifference),
            (VERSION, KIND_PSEUDONYM_KEY) => parse(payload).map(Record::PseudonymKey),
            (VERSION, KIND_QUARANTINE) => parse(payload).map(Record::Quarantine),
            (VERSION, KIND_SIGNAL) => parse(payload).map(Record::Signal),
            (VERSION, KIND_SIGNALS_REFUSED) => parse(payload).map(Record::SignalsRefused),
            (version, _) => Err(RecordError::Unknown { version, kind: head.kind }),
        }
    }
}

impl<'a> DecisionRecord<'a> {
    fn parse(payload: &'a [u8]) -> Result<Self, RecordError> {
        parse(payload)
    }
}

/// The kind of an encoded record, known or not.
pub fn kind_of(payload: &[u8]) -> Result<String, RecordError> {
    Head::of(payload).map(|head| head.kind)
}

/// The kinds of records that there are.
pub const KINDS: &[&str] = &[
    KIND_DECISION,
    KIND_POLICY_CHANGE,
    KIND_CONFIGURATION,
    KIND_LOG_REPAIR,
    KIND_PSEUDONYM_KEY,
    KIND_QUARANTINE,
    KIND_RETENTION,
    KIND_SHADOW_DIFFERENCE,
    KIND_SIGNAL,
    KIND_SIGNALS_REFUSED,
];

const KIND_DECISION: &str = "decision";
const KIND_POLICY_CHANGE: &str = "policy_change";
const KIND_CONFIGURATION: &str = "configuration";
const KIND_LOG_REPAIR: &str = "log_repair";
const KIND_PSEUDONYM_KEY: &str = "pseudonym_key";
const KIND_QUARANTINE: &str = "quarantine";
const KIND_RETENTION: &str = "retention";
const KIND_SIGNAL: &str = "signal";
const KIND_SIGNALS_REFUSED: &str = "signals_refused";

/// What every encoded [`Retention`] begins with, and no record of another kind.
const RETENTION_START: &[u8] = br#"{"v":1,"kind":"retention","#;

/// Whether an encoded record is a [`Retention`]; cheap.
#[must_use]
pub fn is_retention(payload: &[u8]) -> bool {
    payload.starts_with(RETENTION_START)
}
const KIND_SHADOW_DIFFERENCE: &str = "shadow_difference";

/// What every record begins with.
#[derive(Deserialize)]
struct Head {
    v: u32,
    kind: String,
}

impl Head {
    fn of(payload: &[u8]) -> Result<Self, RecordError> {
        parse(payload)
    }
}

fn parse<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, RecordError> {
    serde_json::from_slice(payload).map_err(RecordError::Malformed)
}

fn encode<T: Serialize>(kind: &'static str, body: &T) -> Result<Vec<u8>, RecordError> {
    #[derive(Serialize)]
    struct Envelope<'b, T> {
        v: u32,
        kind: &'static str,
        #[serde(flatten)]
        body: &'b T,
    }
    let mut out = Bounded(Vec::with_capacity(1024));
    serde_json::to_writer(&mut out, &Envelope { v: VERSION, kind, body })
        .map_err(|error| if error.is_io() { RecordError::TooLarge } else { RecordError::Malformed(error) })?;
    Ok(out.0)
}

/// A buffer that refuses to grow past [`RECORD_BYTES`].
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > RECORD_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
