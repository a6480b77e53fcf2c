//! The records that are not decisions: what happened to the policy set and to the log itself.

use std::borrow::Cow;
use std::ops::Not;

use serde::{Deserialize, Serialize};

use super::{Caller, wire};
use crate::model::Timestamp;

/// A policy set went live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyChange<'a> {
    /// When the set went live.
    #[serde(with = "wire::instant")]
    pub at: Timestamp,
    /// What led to it, for example `start`, `watch`, `poll`, `signal`, `admin` or `rollback`.
    pub cause: Cow<'a, str>,
    /// Who asked for it, if somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller<'a>>,
    /// The set that was live before; absent for the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PolicySet<'a>>,
    /// The set that went live.
    pub to: PolicySet<'a>,
    /// How many files it has.
    pub files: usize,
    /// Whether it went live though it changes more decisions than the configuration lets pass, because the caller said so.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub forced: bool,
}

/// Which policy set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicySet<'a> {
    /// Content hash, 64 hexadecimal digits.
    pub revision: Cow<'a, str>,
    /// Running number in the process, from 1.
    pub generation: u64,
}

/// The log was mended: what was no record was cut, or the log went on without a part that was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogRepair<'a> {
    /// When it was repaired.
    #[serde(with = "wire::instant")]
    pub at: Timestamp,
    /// `torn_tail`, `empty_segment`, `log_missing` (found at start), `write_failed` or `segment_removed` (while running);
    /// `docs/reference/decision-record.md` says what they mean.
    pub cause: Cow<'a, str>,
    /// The segment file that it is about.
    pub segment: Cow<'a, str>,
    /// Up to where it was written or is good, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes were dropped; absent if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped_bytes: Option<u64>,
    /// What is missing before this record; absent unless it was repaired while running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

/// What the log did not take while it could not be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// From when on; until the instant of the repair.
    #[serde(with = "wire::instant")]
    pub since: Timestamp,
    /// How many records were refused: their calls were answered with an error.
    pub refused: u64,
    /// How many records are lost that nobody waited for: their calls had been answered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
}

/// A key of pseudonyms came to be or ceased to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PseudonymKey<'a> {
    /// When that was recorded: before the first use of the key, or after its destruction.
    #[serde(with = "wire::instant")]
    pub at: Timestamp,
    /// `created` or `destroyed`.
    pub event: Cow<'a, str>,
    /// Its id, which stands in the pseudonyms.
    pub key: Cow<'a, str>,
    /// Where its period begins.
    #[serde(with = "wire::instant")]
    pub from: Timestamp,
    /// Where its period ends; that instant belongs to the next one.
    #[serde(with = "wire::instant")]
    pub until: Timestamp,
}

/// The oldest segment was deleted as configured. It is written before anything is removed, and as it stands in the chain,
/// what it says cannot be changed afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retention<'a> {
    /// When.
    #[serde(with = "wire::instant")]
    pub at: Timestamp,
    /// `age` or `bytes`: what the log had too much of.
    pub cause: Cow<'a, str>,
    /// The segment file, without what follows its name if it was compressed.
    pub segment: Cow<'a, str>,
    /// Its first record, with which the log began until then.
    pub first: u64,
    /// Its last record, after which the log begins from then on.
    pub last: u64,
    /// How many records it had.
    pub records: u64,
    /// The earliest instant of one of them.
    #[serde(with = "wire::instant")]
    pub earliest: Timestamp,
    /// The latest instant of one of them.
    #[serde(with = "wire::instant")]
    pub latest: Timestamp,
    /// Chain hash before the first, 64 hexadecimal digits.
    pub hash_before: Cow<'a, str>,
    /// Chain hash after the last, 64 hexadecimal digits.
    pub hash_after: Cow<'a, str>,
    /// Bytes that it took on the disk.
    pub bytes: u64,
}

/// What the server is told to do, at start: everything that can change a decision or what is recorded of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Configuration<'a> {
    /// When.
    #[serde(with = "wire::instant")]
    pub at: Timestamp,
    /// Version of the engine.
    pub engine: Cow<'a, str>,
    /// The settings, sorted by key.
    pub settings: Vec<SettingRecord<'a>>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingRecord<'a> {
    /// Its key, with dots.
    pub key: Cow<'a, str>,
    /// Its value as text; of a list or map as JSON. What is secret is hidden.
    pub value: Cow<'a, str>,
    /// Where the value comes from, for people.
    pub origin: Cow<'a, str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
