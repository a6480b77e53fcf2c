//! What files may hold, said once: the reader checks files against it, and the JSON Schemas for editors are
//! written from it.
//!
//! | module | what it is |
//! |---|---|
//! | `policies` | the kinds of policy, `api.cerbos.dev/v1` |
//! | `capabilities` | the kinds of our own, `procura.dev/v1` |
//! | `suites` | policy tests and their fixtures |
//! | `check` | a tree of nodes against its shape |
//! | `form` | the texts that a field takes |
//! | `json_schema` | the shape as JSON Schema 2020-12 |

mod capabilities;
mod check;
mod form;
mod json_schema;
mod policies;
mod suites;
#[cfg(test)]
mod tests;

pub use json_schema::{SCHEMAS, json_schema};

pub(super) use capabilities::EXTENSION;
pub(super) use check::{document, is_called};
pub(super) use form::{Form, duration};
pub(super) use policies::POLICY;

/// The values that a field takes.
#[derive(Debug)]
pub(super) enum Shape {
    /// Text of some form. Unquoted integers and booleans are taken as they are written.
    Text(Form),
    /// One of these words; of the others, which exist too, none is taken here.
    Word { taken: &'static [&'static str], others: &'static [&'static str] },
    /// `true` or `false`.
    Flag,
    /// Anything.
    Any,
    /// A list.
    List(List),
    /// A map from names of the author's choice.
    Map(&'static Shape),
    /// A map of known fields.
    Object(&'static Object),
}

/// A list: what its items are, how many there must be, and whether each must differ from the others.
#[derive(Debug)]
pub(super) struct List {
    pub(super) item: &'static Shape,
    pub(super) least: usize,
    pub(super) unique: bool,
}

/// A map of known fields.
#[derive(Debug)]
pub(super) struct Object {
    /// The name of its definition in the JSON Schema.
    pub(super) name: &'static str,
    pub(super) fields: &'static [Field],
    /// Fields of which exactly one must be given.
    pub(super) one_of: &'static [&'static str],
}

/// A field of an [`Object`].
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// Whether it must be given.
    pub(super) required: bool,
    pub(super) shape: &'static Shape,
    /// What it is for, in a sentence; editors show it.
    pub(super) about: &'static str,
}

/// A field that may be left out.
const fn optional(name: &'static str, shape: &'static Shape, about: &'static str) -> Field {
    Field { name, required: false, shape, about }
}

/// A field that must be given.
const fn required(name: &'static str, shape: &'static Shape, about: &'static str) -> Field {
    Field { name, required: true, shape, about }
}

/// A list of `item`; `least` is how many there must be.
const fn list(item: &'static Shape, least: usize) -> Shape {
    Shape::List(List { item, least, unique: false })
}

/// A list of different items.
const fn set(item: &'static Shape, least: usize) -> Shape {
    Shape::List(List { item, least, unique: true })
}
