//! The decision: `decide(snapshot, request, settings) -> Evaluation`, a pure function.

use crate::model::{Evaluation, Request, Timestamp};
use crate::policy::Snapshot;

/// What a decision depends on besides the policies and the request. All of it is in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Policy version used where a request names none.
    pub default_policy_version: String,
    /// What an erroring condition does.
    pub on_error: OnError,
}

/// What an erroring or non-boolean condition does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// An action is allowed only if it would be allowed whichever way each erroring condition were resolved.
    Closed,
    /// As the peer does: an error counts as `false`, also in `none` blocks and in deny rules.
    Cerbos,
}

impl OnError {
    /// The name in configuration and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            OnError::Closed => "closed",
            OnError::Cerbos => "cerbos",
        }
    }
}

/// Decides every (resource, action) of `request` against one snapshot at one instant.
#[must_use]
pub fn decide(snapshot: &Snapshot, request: &Request<'_>, settings: &Settings, now: Timestamp) -> Evaluation {
    let _ = (snapshot, request, settings, now);
    Evaluation {
        resources: Vec::new(),
    }
}
