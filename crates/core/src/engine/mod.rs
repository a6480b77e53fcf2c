//! The decision: `decide(snapshot, request, settings, now) -> Evaluation`, a pure function.
//!
//! | file | what it decides |
//! |---|---|
//! | `target` | which policies a request asks: versions and scopes |
//! | `resource` | one resource: who is asked about each action, and in which order |
//! | `layer` | one scope: its role policies and its resource policy |
//! | `applied` | one policy: which of its rules are visited |
//! | `combine` | how allow and deny of several rules, scopes and roles combine |
//! | `roles` | which roles stand above a role |
//! | `derived_roles` | which derived roles hold |
//! | `schemas` | whether the attributes fit their schemas |
//! | `standing` | what is denied without a policy, because of what is held true |
//! | `reach`, `links` | which rules can speak to the roles of the principal, and how a rule comes to speak to one |
//! | `conditions` | whether a condition is true, false or undecided |
//! | `outputs` | what a visited rule puts out |
//! | `observe` | who looks on while decisions are made |
//! | `sightings` | which rules and conditions have been met |
//! | `explain` | why a decision came out as it did |
//! | `retrace` | what was met on the way, as the peer tells it |
//! | `question`, `conclusion` | what is met on the way to a decision, and what is answered |

mod applied;
mod combine;
mod conclusion;
mod conditions;
mod derived_roles;
mod explain;
mod layer;
mod links;
mod observe;
mod outputs;
mod question;
mod reach;
mod resource;
mod retrace;
mod roles;
mod schemas;
mod sightings;
mod standing;
mod target;
#[cfg(test)]
mod tests;

pub use explain::{
    Block, Change, Decider, ExplainedAction, ExplainedCondition, ExplainedDemand, ExplainedDerivedRole,
    ExplainedMismatch, ExplainedProblem, ExplainedResource, ExplainedRole, ExplainedRule, ExplainedSignal,
    ExplainedTruth, Explanation, Outcome, SpokenTo, explain,
};
pub use retrace::{Failure, Trail, retrace};

pub use crate::model::Standing;

pub(crate) use sightings::Sightings;

use conditions::CostExceeded;
use observe::Observer;
use outputs::Room;

use crate::expr::{Budget, FailedVariable, InForce, Inputs};
use crate::limits::{CALL_COST, EXPR_COST};
use crate::model::{Evaluation, Request, Resource, Timestamp};
use crate::policy::Snapshot;
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
    /// Which rules stand without a policy.
    pub standing: Standing,
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
            standing: Standing::default(),
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
/// outputs exceed what a call may put out, is denied with
/// [`CostExceeded`](crate::model::Reason::CostExceeded), whatever `settings.on_error` says.
#[must_use]
pub fn decide(snapshot: &Snapshot, request: &Request<'_>, settings: &Settings, now: Timestamp) -> Evaluation {
    decide_as(snapshot, request, settings, &Conduct::new(now, &Budget::new(CALL_COST, EXPR_COST)))
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
    let evaluation = decide_as(snapshot, request, settings, &Conduct::new(now, &budget));
    (!budget.is_exceeded()).then_some(evaluation)
}

/// How a call is decided besides what the decision depends on: what it may cost, and who looks on.
pub(crate) struct Conduct<'r> {
    now: Timestamp,
    budget: &'r Budget,
    observer: Option<&'r dyn Observer>,
}

impl<'r> Conduct<'r> {
    /// At `now` and within `budget`, which tells afterwards what happened on the way; nobody looks on.
    pub(crate) fn new(now: Timestamp, budget: &'r Budget) -> Self {
        Self { now, budget, observer: None }
    }

    /// The same with `sightings` looking on.
    pub(crate) fn seen_by(self, sightings: &'r Sightings) -> Self {
        self.observed(sightings)
    }

    fn observed(self, observer: &'r dyn Observer) -> Self {
        Self { observer: Some(observer), ..self }
    }
}

/// As [`decide`], in the way that `conduct` says.
#[must_use]
pub(crate) fn decide_as(
    snapshot: &Snapshot,
    request: &Request<'_>,
    settings: &Settings,
    conduct: &Conduct<'_>,
) -> Evaluation {
    let Conduct { now, budget, observer } = *conduct;
    let room = Room::new();
    let call = Call { snapshot, request, settings, now, budget, room: &room, observer };
    let mut resources = Vec::with_capacity(request.items.len());
    for alike in request.items.chunk_by(|one, next| target::is_shared(settings, one, next)) {
        resource::decide(&call, alike, &mut resources);
    }
    Evaluation { resources }
}

/// What the decisions of one call share.
struct Call<'r> {
    snapshot: &'r Snapshot,
    request: &'r Request<'r>,
    settings: &'r Settings,
    now: Timestamp,
    budget: &'r Budget,
    room: &'r Room,
    observer: Option<&'r dyn Observer>,
}

impl<'r> Call<'r> {
    fn inputs(&self, resource: &'r Resource<'r>, in_force: Option<&'r InForce<'r>>) -> Inputs<'r> {
        Inputs {
            principal: &self.request.principal,
            resource,
            context: self.request.context.as_ref(),
            aux_data: &self.request.aux_data,
            globals: &self.settings.globals,
            now: self.now,
            failed_variable: match self.settings.on_error {
                OnError::Closed => FailedVariable::Errs,
                OnError::Cerbos => FailedVariable::IsAbsent,
            },
            derived_roles: None,
            signals: in_force,
        }
    }

    fn charge(&self, units: usize) -> Result<(), CostExceeded> {
        self.budget.charge_call(units).map_err(|_| CostExceeded)
    }
}
