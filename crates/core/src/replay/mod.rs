//! Decides recorded calls again: with the policy set of their day, which must come to the same, bit for bit, or with
//! another one, which shows what that would change.
//!
//! Everything that a decision depends on besides the policies is in its record: request, claims, globals, settings and
//! the instant. So nothing else is asked.

mod call;
mod change;
mod json;
mod read;
mod report;

pub use call::{RecordedCall, Unreplayable};
pub use change::{Aspect, Change, Weight, changes};
pub use json::{Ranked, ReportJson};
pub use read::{DecidedBy, Recorded};
pub use report::{Example, Group, Report};

#[cfg(test)]
mod tests;
