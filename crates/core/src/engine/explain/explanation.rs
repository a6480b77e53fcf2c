//! What an explanation says, and its JSON form.

use serde::{Serialize, Serializer};

use super::signals::{ExplainedDemand, ExplainedSignal};
use crate::expr::{Comparison, Reading};
use crate::model::{ActionDecision, Effect, Evaluation, Problem, ValidatedPart, ValidationError};

/// Why every decision of one call came out as it did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The decisions themselves, exactly as without an explanation.
    #[serde(skip)]
    pub evaluation: Evaluation,
    /// The facts in force about the call, newest first. One about a resource is in force for that one only, one about a tenant
    /// for what is in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<ExplainedSignal>,
    /// One entry per requested item, in the same order.
    pub results: Vec<ExplainedResource>,
    /// Whether something was left out because the explanation would have become too large or too costly.
    pub truncated: bool,
}

/// What was found out about one resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedResource {
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// The version of the policies that are asked.
    pub policy_version: String,
    /// The scopes in which principal policies are looked for, nearest first; the root is empty.
    pub principal_scopes: Vec<String>,
    /// The scopes in which resource and role policies are looked for, nearest first; the root is empty.
    pub resource_scopes: Vec<String>,
    /// The roles of the principal, in the order of the request.
    pub roles: Vec<ExplainedRole>,
    /// The derived roles of every resource policy that was asked.
    pub derived_roles: Vec<ExplainedDerivedRole>,
    /// Where the attributes do not fit the schemas of the policy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub validation_errors: Vec<ExplainedMismatch>,
    /// One entry per requested action, in the same order.
    pub actions: Vec<ExplainedAction>,
}

/// An attribute that does not fit its schema.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedMismatch {
    /// Whose attribute: `principal` or `resource`.
    pub part: &'static str,
    /// JSON pointer into the attributes; empty for all of them together.
    pub path: String,
    /// What does not fit.
    pub message: String,
}

/// A role that the principal holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedRole {
    /// Its name.
    pub name: String,
    /// The roles that role policies put above it: rules for them speak to it, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub above: Vec<String>,
}

/// A derived role, and whether it holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedDerivedRole {
    /// Its name.
    pub name: String,
    /// The policy that imports it.
    pub policy: String,
    /// Where it is defined, `file:line:column`.
    pub position: String,
    /// Whether it holds.
    pub holds: ExplainedTruth,
    /// The roles of which the principal must have one; `*` for any.
    pub parent_roles: Vec<String>,
    /// Whether the principal has one of them.
    pub parent_role_held: bool,
    /// What must hold besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<ExplainedCondition>,
}

/// Why one action was decided as it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedAction {
    /// The action.
    pub action: String,
    /// What was decided.
    #[serde(serialize_with = "wire_name")]
    pub effect: Effect,
    /// Why, as the stable code that records carry.
    pub reason: &'static str,
    /// The fact that it rests on, by its place among `signals`, from 0. With `demand`, the newest one that is too old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<usize>,
    /// The fact that a capability asks for and that is not there or too old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demand: Option<ExplainedDemand>,
    /// On whose word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Decider>,
    /// The rules of every policy that was asked, in the order in which they were looked at.
    pub rules: Vec<ExplainedRule>,
    /// Each of these alone would have given the opposite answer, which was made sure of by deciding again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub opposite: Vec<Change>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ExplainedProblem>,
}

/// The rule on whose word an action was decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decider {
    /// The policy.
    pub policy: String,
    /// Its scope, empty for the root.
    pub scope: String,
    /// The rule; none where a role policy has no rule about the action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Where it is, `file:line:column`.
    pub position: String,
}

/// One rule, and what it had to say about one action.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedRule {
    /// The policy.
    pub policy: String,
    /// Its scope, empty for the root.
    pub scope: String,
    /// The rule; none stands for a role policy that has no rule about the action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Where it is, `file:line:column`.
    pub position: String,
    /// The effect it is written with.
    #[serde(serialize_with = "wire_name")]
    pub effect: Effect,
    /// What it said, or why it said nothing.
    pub outcome: Outcome,
    /// The roles it is for, as written; `*` for any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The derived roles it is for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub derived_roles: Vec<String>,
    /// The roles of the principal it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub speaks_to: Vec<SpokenTo>,
    /// Its condition, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<ExplainedCondition>,
}

/// A role of the principal to which a rule speaks.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpokenTo {
    /// The role.
    pub role: String,
    /// The roles and derived roles of the rule through which it does.
    pub through: Vec<String>,
}

/// What a rule said about an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Nothing: it is not about the action.
    ActionDiffers,
    /// Nothing: it is not about this kind of resource.
    ResourceDiffers,
    /// Nothing: the principal has none of its roles and derived roles.
    RoleNotHeld,
    /// Nothing: the decision was there before it was asked.
    NotAsked,
    /// Nothing: its condition is false.
    ConditionNotMet,
    /// Nothing, because whether it applies cannot be decided.
    Undecided,
    /// It allows.
    Allows,
    /// It denies.
    Denies,
    /// It is taken to deny, because it cannot be decided whether it does.
    DeniesUndecided,
    /// It does not deny and leaves the matter to others: a rule that only confines.
    Consents,
    /// It denies: a role policy that does not list the action.
    NotListed,
}

/// A condition, or a part of one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedCondition {
    /// What it came to.
    pub truth: ExplainedTruth,
    /// What it is.
    #[serde(flatten)]
    pub block: Block,
}

/// The kinds of conditions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Block {
    /// All of these.
    All(Vec<ExplainedCondition>),
    /// At least one of these.
    Any(Vec<ExplainedCondition>),
    /// None of these.
    None(Vec<ExplainedCondition>),
    /// One expression.
    #[serde(untagged, rename_all = "camelCase")]
    Expr {
        /// As written.
        expr: String,
        /// Where it is, `file:line:column`.
        position: String,
        /// Why it could not be evaluated, if so.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// What it read.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        readings: Vec<Reading>,
    },
}

/// What a condition came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ExplainedTruth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It could be either: part of it cannot be evaluated.
    Undecided,
    /// It was not needed, or the explanation has no more room for it.
    NotEvaluated,
    /// It would have cost more than it may.
    CostExceeded,
}

/// A condition that alone would have given the opposite answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The rule that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The derived role that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derived_role: Option<String>,
    /// The expression; absent for the condition as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expr: Option<String>,
    /// Where it is, `file:line:column`.
    pub position: String,
    /// What it would have to be.
    pub needed: bool,
    /// The one member of the request that it compares, if it is no more than that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// What the member is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    /// What the expression wants of the member: `< 1000`. Other conditions may want something else of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
}

/// Something that went wrong on the way to a decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedProblem {
    /// What kind, as the stable code that records carry.
    pub code: &'static str,
    /// The rule or derived role.
    pub source: String,
    /// The expression.
    pub expr: String,
    /// Where it is, `file:line:column`.
    pub position: String,
    /// What happened.
    pub message: String,
}

impl ExplainedAction {
    /// What is known from the decision alone.
    pub(super) fn new(action: &str, decision: &ActionDecision) -> Self {
        Self {
            action: action.to_owned(),
            effect: decision.effect,
            reason: decision.reason.code(),
            signal: decision.ground.as_ref().and_then(|ground| ground.signal),
            demand: decision
                .ground
                .as_ref()
                .and_then(|ground| ground.demand.as_ref())
                .map(ExplainedDemand::new),
            decided_by: None,
            rules: Vec::new(),
            opposite: Vec::new(),
            problems: decision.problems.iter().map(ExplainedProblem::new).collect(),
        }
    }
}

impl ExplainedMismatch {
    pub(super) fn new(error: &ValidationError) -> Self {
        let part = match error.part {
            ValidatedPart::Principal => "principal",
            ValidatedPart::Resource => "resource",
        };
        Self { part, path: error.path.clone(), message: error.message.clone() }
    }
}

impl ExplainedProblem {
    fn new(problem: &Problem) -> Self {
        Self {
            code: problem.code.code(),
            source: problem.source.to_string(),
            expr: problem.expression.to_string(),
            position: problem.position.to_string(),
            message: problem.message.clone(),
        }
    }
}

impl Change {
    /// With what `comparison` says, if the condition is one.
    pub(super) fn comparing(self, comparison: Option<&Comparison>) -> Self {
        let Some(Comparison { attribute, actual, when_true, when_false }) = comparison else {
            return self;
        };
        let wanted = if self.needed { when_true } else { when_false };
        Self {
            attribute: Some(attribute.clone()),
            actual: Some(actual.clone()),
            wanted: Some(wanted.clone()),
            ..self
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn wire_name<S: Serializer>(effect: &Effect, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(effect.wire_name())
}
