//! What is legal and surely not meant: warnings that keep no set from going live.
//!
//! A lint speaks only where it is certain; what may be on purpose is left alone.
//!
//! | file | what it finds |
//! |---|---|
//! | `actions` | rules about actions that nobody declared, and the reverse |
//! | `conditions` | conditions that no request can change |
//! | `rules` | rules of resource and principal policies that other rules make superfluous |
//! | `unused` | definitions and imports that nothing uses |

mod actions;
mod conditions;
mod rules;
mod unused;

pub(super) use conditions::{conditions, derived_roles};

use super::ast::Document;
use super::capability::Capabilities;
use super::findings::Findings;
use super::index::Index;

/// Looks at the policies of a set that take effect.
pub(super) fn check(
    documents: &[Document<'_>],
    index: &Index<'_, '_>,
    capabilities: &Capabilities,
    findings: &mut Findings<'_>,
) {
    actions::check(documents, capabilities, findings);
    rules::check(documents, findings);
    unused::check(documents, index, findings);
}
