//! The vocabulary of a decision: what is asked ([`Request`]) and what is answered ([`Evaluation`]).

mod actor;
mod evaluation;
mod fact;
mod few;
mod request;
mod scope;
pub mod spiffe;
mod standing;

pub use actor::{ActorFault, actor};
pub use evaluation::{
    ActionDecision, Demand, Evaluation, Ground, OutputEntry, OutputValue, Problem, ProblemCode, Reason,
    ResourceEvaluation, ValidatedPart, ValidationError,
};
pub use fact::{Entity, EntityKind, Fact, Presented, Signals, Subject};
pub use few::{Few, Names};
pub use request::{AuxData, Item, Principal, Request, Resource};
pub use scope::{is_scope, is_tenant, scope_name, tenant_of};
pub use standing::Standing;

/// An instant on the UTC time scale, nanosecond resolution.
pub type Timestamp = jiff::Timestamp;

/// What a rule says, and what a decision answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// The action may be performed.
    Allow,
    /// The action must not be performed.
    Deny,
}

impl Effect {
    /// The name that policy files and the check API use.
    #[must_use]
    pub const fn wire_name(self) -> &'static str {
        match self {
            Effect::Allow => "EFFECT_ALLOW",
            Effect::Deny => "EFFECT_DENY",
        }
    }
}
