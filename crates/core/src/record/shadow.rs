//! The record of what a candidate set would have decided otherwise.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Decision, PolicySet, wire};
use crate::model::{Effect, Timestamp};

/// A recorded call that a candidate set decides otherwise than the set that answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowDifference<'a> {
    /// When that was found.
    #[serde(with = "wire::instant")]
    pub at: Timestamp,
    /// Id of the call.
    pub call: Cow<'a, str>,
    /// The set that answered.
    pub live: PolicySet<'a>,
    /// Content hash of the candidate set, 64 hexadecimal digits.
    pub candidate: Cow<'a, str>,
    /// How many decisions of the call differ.
    pub changed: usize,
    /// The first of them.
    pub differences: Vec<DecisionDifference>,
}

/// A decision that the candidate makes otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionDifference {
    /// Its number within the call, from 1.
    pub decision: u32,
    /// In what it differs, as names of its members.
    pub differs: Vec<Cow<'static, str>>,
    /// What was answered.
    pub from: Verdict,
    /// What the candidate says.
    pub to: Verdict,
}

/// A decision and the rule that made it, in short.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Verdict {
    /// Allow or deny.
    #[serde(with = "wire::effect")]
    pub effect: Effect,
    /// Why, as a code.
    pub reason: String,
    /// The policy that decided, or `NO_MATCH`.
    pub policy: String,
    /// The scope that decided, empty for the root.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The rule that decided, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// Most characters of a name in a verdict: names of policies are far shorter.
const NAME_CHARS: usize = 500;

impl Verdict {
    /// The short form of `decision`.
    #[must_use]
    pub fn of(decision: &Decision<'_, '_>) -> Self {
        let short = |text: &str| text.chars().take(NAME_CHARS).collect();
        Self {
            effect: decision.effect,
            reason: short(decision.reason),
            policy: short(decision.policy),
            scope: short(decision.scope),
            rule: decision.rule.map(short),
        }
    }
}
