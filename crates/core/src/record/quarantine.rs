//! The record of what is no longer relied on.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Caller, wire};
use crate::model::Timestamp;

/// A quarantine was begun or lifted. It is written before that takes effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuarantineChange<'a> {
    /// When.
    #[serde(with = "wire::instant")]
    pub at: Timestamp,
    /// `begun` or `lifted`.
    pub event: Cow<'a, str>,
    /// Its id.
    pub id: Cow<'a, str>,
    /// The issuer that it is about, if it names one: what it is about rests on everything that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Cow<'a, str>>,
    /// The key set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_set: Option<Cow<'a, str>>,
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Cow<'a, str>>,
    /// From when on decisions that relied on it are suspect.
    #[serde(with = "wire::instant")]
    pub since: Timestamp,
    /// Why, as whoever began it said.
    pub reason: Cow<'a, str>,
    /// Who asked for it.
    pub caller: Caller<'a>,
}
