//! What is answered, and why.

use std::sync::Arc;

use super::Effect;
use crate::value::Value;

/// The full result of one call: one entry per item of the request, in the same order.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// One entry per requested item.
    pub resources: Vec<ResourceEvaluation>,
}

/// The result for one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceEvaluation {
    /// The policy that decided, as the check API names it (`resource.album.vdefault/acme`), or `NO_MATCH`. As for the
    /// peer it is that of the scope in which the search began, whichever scope's rules decided. Kept once, because most
    /// actions on a resource have it in common.
    pub policy: Arc<str>,
    /// One decision per requested action, in request order.
    pub actions: Vec<ActionDecision>,
    /// Derived roles that hold for this principal and resource, sorted.
    pub effective_derived_roles: Vec<Arc<str>>,
    /// What the visited rules put out.
    pub outputs: Vec<OutputEntry>,
    /// Where the attributes of the request do not fit the schemas of the policy.
    pub validation_errors: Vec<ValidationError>,
}

impl ResourceEvaluation {
    /// Nothing decided yet, for `policy`.
    #[must_use]
    pub fn of_policy(policy: Arc<str>) -> Self {
        Self {
            policy,
            actions: Vec::new(),
            effective_derived_roles: Vec::new(),
            outputs: Vec::new(),
            validation_errors: Vec::new(),
        }
    }

    /// The policy that decided, for one of its decisions.
    #[must_use]
    pub fn policy_of<'e>(&'e self, decision: &'e ActionDecision) -> &'e str {
        decision.own_policy.as_deref().unwrap_or(&self.policy)
    }
}

impl ActionDecision {
    /// The scope whose rules decided, empty for the root or if none did.
    #[must_use]
    pub fn scope(&self) -> &str {
        self.matched_scope.as_deref().unwrap_or_default()
    }
}

/// An attribute that does not fit its schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValidationError {
    /// Which attributes were looked at.
    pub part: ValidatedPart,
    /// JSON pointer into the attributes, `/` for all of them together; empty if the schema itself cannot be used.
    pub path: String,
    /// What does not fit.
    pub message: String,
}

/// The attributes that a schema is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValidatedPart {
    /// Those of the principal.
    Principal,
    /// Those of the resource.
    Resource,
}

/// The decision for one action on one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionDecision {
    /// Allow or deny.
    pub effect: Effect,
    /// Why, as a stable code.
    pub reason: Reason,
    /// The policy that decided, if it is not [that of the resource](ResourceEvaluation::policy).
    pub own_policy: Option<Arc<str>>,
    /// The scope whose rules decided; `None` for the root or if none did.
    pub matched_scope: Option<Arc<str>>,
    /// The rule that decided, if one did.
    pub rule: Option<Arc<str>>,
    /// What is held true, or is not, where the decision rests on that.
    pub ground: Option<Box<Ground>>,
    /// Everything that went wrong on the way to this decision.
    pub problems: Vec<Problem>,
}

/// What a decision rests on besides policies: a fact that is in force, or one that would have to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    /// The fact, by its place among those of the call; for a demand the newest one that is too old, if there is one.
    pub signal: Option<usize>,
    /// What is asked for and is not there.
    pub demand: Option<Demand>,
}

/// What a capability asks for: a fact of a type that is not older than it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The type of the fact.
    pub signal: Arc<str>,
    /// How old it may be, in seconds.
    pub max_age: u64,
    /// Where the capability is declared, `file:line:column`.
    pub capability: Arc<str>,
}

/// Why a decision came out as it did. Stable on the wire and in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// An allow rule applied and no deny rule did.
    AllowRule,
    /// A deny rule applied.
    DenyRule,
    /// A rule was held to deny because its condition or derived role could not be evaluated.
    DenyRuleUndecided,
    /// A policy for the resource exists, but none of its rules applied.
    NoRuleMatched,
    /// No policy exists for this kind, version and scope.
    NoPolicy,
    /// An allow rule of a scope applied, and no scope above it, whose consent it needs, allows as well.
    NoParentalConsent,
    /// The condition of an allow rule is false, in a scope whose allow rules need the consent of the scopes above:
    /// there the rule denies.
    AllowRuleNotMet,
    /// A role policy of the principal's role does not list the action, or lists it under a condition that is false.
    NotInRolePolicy,
    /// An expression that the decision rests on could not be evaluated, and `engine.strictEvaluation` is on.
    EvaluationError,
    /// Attributes do not fit their schema, and `schema.enforcement` is `reject`.
    InvalidAttributes,
    /// The evaluation would have cost more than a call may spend.
    CostExceeded,
    /// The session that is presented was revoked.
    SessionRevoked,
    /// The account of the principal, or of somebody who acts for it, is disabled.
    AccountDisabled,
    /// A credential that may have been used is compromised or was revoked.
    CredentialCompromised,
    /// Policies allow it, and a fact that the capability asks for is not there or too old.
    StaleState,
    /// More is held true about the call than it can be decided by.
    TooManySignals,
}

impl Reason {
    /// The code used on the wire and in records.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Reason::AllowRule => "allow_rule",
            Reason::DenyRule => "deny_rule",
            Reason::DenyRuleUndecided => "deny_rule_undecided",
            Reason::NoRuleMatched => "no_rule_matched",
            Reason::NoPolicy => "no_policy",
            Reason::NoParentalConsent => "no_parental_consent",
            Reason::AllowRuleNotMet => "allow_rule_not_met",
            Reason::NotInRolePolicy => "not_in_role_policy",
            Reason::EvaluationError => "evaluation_error",
            Reason::InvalidAttributes => "invalid_attributes",
            Reason::CostExceeded => "cost_exceeded",
            Reason::SessionRevoked => "session_revoked",
            Reason::AccountDisabled => "account_disabled",
            Reason::CredentialCompromised => "credential_compromised",
            Reason::StaleState => "stale_state",
            Reason::TooManySignals => "too_many_signals",
        }
    }
}

/// Something met while evaluating one request. Problems never make a decision more permissive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem.
    pub code: ProblemCode,
    /// The rule or derived role in which it was met.
    pub source: Arc<str>,
    /// The expression that failed, as written.
    pub expression: Arc<str>,
    /// Where: `file:line:column` of the failing part.
    pub position: Arc<str>,
    /// What happened, for the operator.
    pub message: String,
}

/// The kinds of [`Problem`]. Stable on the wire and in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemCode {
    /// An expression could not be evaluated.
    ConditionError,
    /// A condition yielded something that is not a boolean.
    NotBoolean,
    /// An expression or the whole call cost more than allowed.
    CostExceeded,
}

impl ProblemCode {
    /// The code used on the wire and in records.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            ProblemCode::ConditionError => "condition_error",
            ProblemCode::NotBoolean => "not_boolean",
            ProblemCode::CostExceeded => "cost_exceeded",
        }
    }
}

/// What one rule put out for one action.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputEntry {
    /// The rule: `<policy>#<rule name>`.
    pub src: Arc<str>,
    /// The action that was asked for.
    pub action: String,
    /// The value, or why there is none.
    pub value: OutputValue,
}

/// The value of an output expression.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputValue {
    /// The value, mapped to JSON.
    Value(Value<'static>),
    /// The expression failed or its value has no JSON form.
    Error(String),
}
