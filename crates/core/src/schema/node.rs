//! A compiled schema: what is left of the text when every reference is resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;

use super::formats::Format;
use super::text::segment;
use crate::value::Value;

/// One schema of a compiled set of schemas: an index into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(pub(super) usize);

/// A schema.
#[derive(Debug)]
pub(super) enum Node {
    /// `true` or `false`.
    Always(bool),
    /// An object of keywords.
    Keywords(Box<Keywords>),
}

/// The keywords of a schema, by what they look at.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    /// Which resource it is part of, for dynamic references.
    pub(super) resource: usize,
    /// `type`, as written; empty if any will do.
    pub(super) types: Vec<Type>,
    pub(super) constant: Option<Constants>,
    pub(super) choice: Option<Constants>,
    pub(super) format: Option<Format>,
    pub(super) text: Text,
    pub(super) number: Number,
    pub(super) array: Array,
    pub(super) object: Object,
    pub(super) in_place: InPlace,
    pub(super) unevaluated_properties: Option<NodeId>,
    pub(super) unevaluated_items: Option<NodeId>,
}

/// A type of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Boolean,
    Number,
    Integer,
    String,
    Array,
    Object,
}

/// The values of `const` or `enum`.
#[derive(Debug)]
pub(super) struct Constants {
    pub(super) values: Vec<Value<'static>>,
    /// Cost units for comparing with all of them.
    pub(super) cost: usize,
    /// What is said of a value that is none of them.
    pub(super) message: Box<str>,
}

/// What is asked of strings.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) pattern: Option<Pattern>,
    /// `contentEncoding` is `base64`.
    pub(super) is_base64: bool,
    /// `contentMediaType` is `application/json`.
    pub(super) is_json: bool,
    /// `contentSchema`
    pub(super) content: Option<NodeId>,
}

/// A regular expression, and how it is written.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) regex: Arc<Regex>,
    pub(super) source: Box<str>,
}

/// What is asked of numbers.
#[derive(Debug, Default)]
pub(super) struct Number {
    pub(super) minimum: Option<f64>,
    pub(super) exclusive_minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_maximum: Option<f64>,
    pub(super) multiple_of: Option<f64>,
}

/// What is asked of arrays.
#[derive(Debug, Default)]
pub(super) struct Array {
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) unique: bool,
    /// For the first items, one each.
    pub(super) prefix: Vec<NodeId>,
    /// For the items behind `prefix`.
    pub(super) rest: Option<NodeId>,
    /// `additionalItems` is `false`: there may be none behind `prefix`.
    pub(super) ends: bool,
    pub(super) contains: Option<Contains>,
}

/// `contains`, `minContains` and `maxContains`.
#[derive(Debug)]
pub(super) struct Contains {
    pub(super) schema: NodeId,
    pub(super) min: f64,
    pub(super) max: Option<f64>,
    /// Whether the items that fit count as evaluated.
    pub(super) evaluates: bool,
}

/// What is asked of objects.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) required: Vec<Box<str>>,
    pub(super) names: Option<NodeId>,
    pub(super) properties: BTreeMap<Box<str>, NodeId>,
    pub(super) patterns: Vec<(Arc<Regex>, NodeId)>,
    pub(super) additional: Option<Additional>,
    pub(super) dependent_required: Vec<(Box<str>, Vec<Box<str>>)>,
    pub(super) dependent_schemas: Vec<(Box<str>, NodeId)>,
}

/// `additionalProperties`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Additional {
    Any,
    None,
    Schema(NodeId),
}

/// Schemas for the same value.
#[derive(Debug, Default)]
pub(super) struct InPlace {
    pub(super) reference: Option<NodeId>,
    pub(super) dynamic: Option<Dynamic>,
    pub(super) not: Option<NodeId>,
    pub(super) all_of: Vec<NodeId>,
    pub(super) any_of: Vec<NodeId>,
    pub(super) one_of: Vec<NodeId>,
    pub(super) condition: Option<Condition>,
}

/// A dynamic reference.
#[derive(Debug)]
pub(super) struct Dynamic {
    /// Where it leads if no resource on the way diverts it.
    pub(super) fallback: NodeId,
    /// The anchor by which it can be diverted.
    pub(super) anchor: Option<Box<str>>,
}

/// `if`, `then` and `else`.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) test: NodeId,
    pub(super) then: Option<NodeId>,
    pub(super) otherwise: Option<NodeId>,
}

impl Keywords {
    /// The schemas that look at the same value, each with the keyword that leads there.
    pub(super) fn same_value(&self) -> Vec<(String, NodeId)> {
        let InPlace { reference, dynamic, not, all_of, any_of, one_of, condition } = &self.in_place;
        let mut found = Vec::new();
        let mut add =
            |name: &str, node: Option<NodeId>| found.extend(node.map(|node| (name.to_owned(), node)));
        add("$ref", *reference);
        add("$dynamicRef", dynamic.as_ref().map(|dynamic| dynamic.fallback));
        add("not", *not);
        if let Some(Condition { test, then, otherwise }) = condition {
            add("if", Some(*test));
            add("then", *then);
            add("else", *otherwise);
        }
        for (name, list) in [("allOf", all_of), ("anyOf", any_of), ("oneOf", one_of)] {
            found.extend(list.iter().enumerate().map(|(index, node)| (format!("{name}/{index}"), *node)));
        }
        let dependent = self.object.dependent_schemas.iter();
        found.extend(dependent.map(|(name, node)| (format!("dependentSchemas/{}", segment(name)), *node)));
        found
    }
}

impl Type {
    /// The type of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Type::Null, Type::Boolean, Type::Number, Type::Integer, Type::String, Type::Array, Type::Object]
            .into_iter()
            .find(|candidate| candidate.name() == name)
    }

    /// Its name in schemas.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Type::Null => "null",
            Type::Boolean => "boolean",
            Type::Number => "number",
            Type::Integer => "integer",
            Type::String => "string",
            Type::Array => "array",
            Type::Object => "object",
        }
    }
}
