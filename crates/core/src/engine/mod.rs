//! The decision: `decide(snapshot, request, settings, now) -> Evaluation`, a pure function.
//!
//! | file | what it decides |
//! |---|---|
//! | `resource` | one resource against its policy: which rules are visited, in which order |
//! | `combine` | how allow and deny of several rules and several roles combine |
//! | `derived_roles` | which derived roles hold |
//! | `conditions` | whether a condition is true, false or undecided |
//! | `links` | how a rule comes to speak to a role |
//! | `outputs` | what a visited rule puts out |

mod combine;
mod conditions;
mod derived_roles;
mod links;
mod outputs;
mod resource;
#[cfg(test)]
mod tests;

use outputs::Room;

use crate::expr::{Budget, Inputs};
use crate::limits::{CALL_COST, EXPR_COST};
use crate::model::{
    ActionDecision, Effect, Evaluation, Item, Reason, Request, Resource, ResourceEvaluation, Timestamp,
};
use crate::policy::{ResourcePolicy, Snapshot};
use crate::value::Map;

/// What a decision depends on besides the policies and the request. All of it is in the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Policy version used where a request names none.
    pub default_policy_version: String,
    /// Scope used where a request names none; empty for the root.
    pub default_scope: String,
    /// Whether a request for a scope without a policy is decided by the nearest scope above that has one.
    pub lenient_scope_search: bool,
    /// What an erroring condition does.
    pub on_error: OnError,
    /// Whether an error met on the way to a decision denies the action, whatever the rules say.
    pub strict_evaluation: bool,
    /// What attributes that do not fit their schema do.
    pub schema_enforcement: SchemaEnforcement,
    /// `globals` in conditions.
    pub globals: Map<'static>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_policy_version: "default".to_owned(),
            default_scope: String::new(),
            lenient_scope_search: false,
            on_error: OnError::Closed,
            strict_evaluation: false,
            schema_enforcement: SchemaEnforcement::None,
            globals: Map::default(),
        }
    }
}

/// What attributes that do not fit their schema do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SchemaEnforcement {
    /// Nothing: they are not looked at.
    #[default]
    None,
    /// They are reported with the answer.
    Warn,
    /// They are reported, and every action on the resource is denied.
    Reject,
}

impl SchemaEnforcement {
    /// The name in configuration and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SchemaEnforcement::None => "none",
            SchemaEnforcement::Warn => "warn",
            SchemaEnforcement::Reject => "reject",
        }
    }
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
///
/// Everything that one call asks for shares one budget of [`CALL_COST`] units; an action that exceeds it, or whose
/// outputs exceed what a call may put out, is denied with [`Reason::CostExceeded`], whatever `settings.on_error`
/// says.
#[must_use]
pub fn decide(snapshot: &Snapshot, request: &Request<'_>, settings: &Settings, now: Timestamp) -> Evaluation {
    decide_with(snapshot, request, settings, now, &Budget::new(CALL_COST, EXPR_COST))
}

/// As [`decide`] if that takes at most `units` of cost, otherwise nothing: tells a small call from a large one at
/// a bounded price.
#[must_use]
pub fn decide_within(
    snapshot: &Snapshot,
    request: &Request<'_>,
    settings: &Settings,
    now: Timestamp,
    units: u64,
) -> Option<Evaluation> {
    let budget = Budget::new(units.min(CALL_COST), EXPR_COST);
    let evaluation = decide_with(snapshot, request, settings, now, &budget);
    (!budget.is_exceeded()).then_some(evaluation)
}

/// As [`decide`], within `budget`, which tells afterwards what happened on the way.
#[must_use]
pub(crate) fn decide_with(
    snapshot: &Snapshot,
    request: &Request<'_>,
    settings: &Settings,
    now: Timestamp,
    budget: &Budget,
) -> Evaluation {
    let room = Room::new();
    let call = Call { request, settings, now, budget, room: &room };
    let decide_item = |item| match policy_for(snapshot, item, settings) {
        Some(policy) => resource::decide(&call, policy, item),
        None => without_policy(item),
    };
    Evaluation { resources: request.items.iter().map(decide_item).collect() }
}

/// What the decisions of one call share.
struct Call<'r> {
    request: &'r Request<'r>,
    settings: &'r Settings,
    now: Timestamp,
    budget: &'r Budget,
    room: &'r Room,
}

impl<'r> Call<'r> {
    fn inputs(&self, resource: &'r Resource<'r>) -> Inputs<'r> {
        Inputs {
            principal: &self.request.principal,
            resource,
            context: self.request.context.as_ref(),
            aux_data: &self.request.aux_data,
            globals: &self.settings.globals,
            now: self.now,
            derived_roles: None,
        }
    }
}

/// The policy for the kind and version of the item. No policy has a scope yet, so a request that asks for one
/// other than the root (empty, or `.` to say so) finds none.
fn policy_for<'s>(
    snapshot: &'s Snapshot,
    item: &Item<'_>,
    settings: &Settings,
) -> Option<&'s ResourcePolicy> {
    let resource = &item.resource;
    if !matches!(resource.scope.as_ref(), "" | ".") {
        return None;
    }
    let version = match resource.policy_version.as_ref() {
        "" => settings.default_policy_version.as_str(),
        requested => requested,
    };
    snapshot.resource_policies.get(resource.kind.as_ref())?.get(version)
}

/// Every action denied: nobody has written down who may do what.
fn without_policy(item: &Item<'_>) -> ResourceEvaluation {
    let deny = ActionDecision {
        effect: Effect::Deny,
        reason: Reason::NoPolicy,
        matched_policy: "NO_MATCH".into(),
        matched_scope: "".into(),
        rule: None,
        problems: Vec::new(),
    };
    let actions = item.actions.iter().map(|_| deny.clone()).collect();
    ResourceEvaluation { actions, ..ResourceEvaluation::default() }
}
