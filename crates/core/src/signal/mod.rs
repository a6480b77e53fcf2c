//! What signals say: from the claims of a security event token to the facts that they state.
//!
//! | step | where |
//! |---|---|
//! | the rules that every SET keeps | [`Set::read`] |
//! | what it is about | [`Identifier::read`] |
//! | what its events state | [`Event::read`] |
//! | which subjects here are meant | [`SubjectRules::subjects`] |
//! | what its source may state | [`Entitlement::bind`] |
//! | all of that for one source | [`Trust::facts`] |
//! | which of two facts is held | [`outweighs`] |
//!
//! `docs/reference/signals-events.md` lists the events. Nothing here verifies a signature: that comes before.

mod catalogue;
mod entitlement;
mod event;
mod identifier;
mod mapping;
mod member;
mod merge;
mod scim;
mod set;
mod template;
mod trust;

pub use catalogue::{EVENT_TYPES, EventType, Family};
pub use entitlement::Entitlement;
pub use event::{Event, Statement, Statements};
pub use identifier::{Format, Identifier, Part, Simple};
pub use mapping::{RuleFault, SubjectRule, SubjectRules};
pub use member::Malformed;
pub use merge::{Registers, outweighs};
pub use set::{Dated, Set, SetFault, SetReject, SetRules};
pub use trust::{Ignored, Trust, Ttl};
