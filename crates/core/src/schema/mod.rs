//! JSON Schema: what attributes must look like. Schema files to compiled [`Schema`] to [`Mismatch`]es.
//!
//! Draft 2020-12, and its predecessors down to draft-04 for files that name one. What is checked, and every message,
//! is as with the peer (`santhosh-tekuri/jsonschema` v5 with formats and contents asserted). Schemas are files of the
//! policy set: nothing is read from the network or from elsewhere on the disk.
//!
//! | file | what it does |
//! |---|---|
//! | `json` | text to a tree with places |
//! | `draft`, `keywords`, `document` | which keywords there are; names of and faults in one file |
//! | `library`, `uri` | the files of a set, and what a reference leads to |
//! | `compile`, `containers`, `constants`, `loops` | schemas to `node`s |
//! | `validate`, `formats`, `decimal` | values against nodes |
//! | `text` | how messages print names and numbers |

mod compile;
mod constants;
mod containers;
mod decimal;
mod document;
mod draft;
mod formats;
mod json;
mod keywords;
mod library;
mod loops;
mod node;
mod text;
mod uri;
mod validate;

use std::collections::BTreeMap;

pub use library::{Flaw, Library, Unusable, UnusableKind};

use self::node::{Node, NodeId};
use crate::expr::Budget;
use crate::value::Map;

/// A compiled schema, with everything it refers to.
#[derive(Debug)]
pub struct Schema {
    /// The first is the schema itself.
    nodes: Vec<Node>,
    /// The dynamic anchors of each resource.
    dynamic: Vec<BTreeMap<Box<str>, NodeId>>,
}

/// A value that does not fit its schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mismatch {
    /// JSON pointer to the value, percent-encoded; `/` for the whole.
    pub path: String,
    /// What does not fit, in the words of the peer.
    pub message: String,
}

/// Validating costs more than the call may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooCostly;

impl Schema {
    /// What of `attributes` does not fit, sorted; paid for from what the call may spend.
    pub fn validate(&self, attributes: &Map<'_>, budget: &Budget) -> Result<Vec<Mismatch>, TooCostly> {
        validate::validate(self, attributes, budget)
    }
}

#[cfg(test)]
mod tests;
