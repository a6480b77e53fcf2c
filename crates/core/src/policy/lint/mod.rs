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
use super::outline::Outline;

/// Looks at a policy that takes effect, alone with what it imports.
pub(super) fn policy<'p>(document: &'p Document<'_>, index: &Index<'p, '_>, findings: &mut Findings<'_>) {
    rules::check(document, findings);
    unused::check(document, index, findings);
}

/// Looks at the policies of a set that take effect together; `documents` are those that declare `capabilities`, among
/// others.
pub(super) fn set(
    documents: &[Document<'_>],
    outlines: &[&Outline],
    capabilities: &Capabilities,
    findings: &mut Findings<'_>,
) {
    actions::check(documents, outlines, capabilities, findings);
    unused::derived_roles(outlines, findings);
}
