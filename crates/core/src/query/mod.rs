//! Asking the decision log: a filter in a small language, and what of a record it looks at.
//!
//! A filter is about one decision: `principal == "alice" && (action == "delete" || effect == "deny")` asks for calls
//! with a decision for which all of that holds. Every filter is also an expression of CEL, of which only comparisons
//! of fields with constants are left. `docs/reference/audit-queries.md` describes the language.

mod condition;
mod facts;
mod field;
mod parse;

pub use condition::{Condition, is_beyond};
pub use facts::{Facts, Row};
pub use field::Field;
pub use parse::FilterError;

#[cfg(test)]
mod tests;
