//! The keywords of JSON Schema: since when, until when, and what each takes.
//!
//! Source: the specifications of the drafts, <https://json-schema.org/specification>.

use super::draft::Draft;

/// A keyword.
#[derive(Debug)]
pub(super) struct Keyword {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    since: Draft,
    until: Draft,
}

/// What a keyword takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Schema,
    /// A schema, or in every draft `true` or `false`.
    Rest,
    /// At least one.
    Schemas,
    SchemaOrSchemas,
    SchemaMap,
    /// A map from regular expressions to schemas.
    Patterns,
    /// A map from names to a schema or a list of names.
    Dependencies,
    /// A type or a list of types.
    Types,
    /// A whole number from 0.
    Count,
    Number,
    /// A number above 0.
    Positive,
    Flag,
    Text,
    Regex,
    Names,
    NameLists,
    List,
    Anything,
}

impl Keyword {
    fn is_in(&self, draft: Draft) -> bool {
        (self.since..=self.until).contains(&draft)
    }
}

/// The keyword `name` as `draft` has it.
pub(super) fn keyword(name: &str, draft: Draft) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name == name && keyword.is_in(draft))
}

/// What is not among them is ignored.
const KEYWORDS: &[Keyword] = &[
    since("$anchor", Takes::Text, Draft::D2019),
    always("$comment", Takes::Text),
    since("$defs", Takes::SchemaMap, Draft::D2019),
    since("$dynamicAnchor", Takes::Text, Draft::D2020),
    since("$dynamicRef", Takes::Text, Draft::D2020),
    since("$id", Takes::Text, Draft::D6),
    between("$recursiveAnchor", Takes::Flag, Draft::D2019, Draft::D2019),
    between("$recursiveRef", Takes::Text, Draft::D2019, Draft::D2019),
    always("$ref", Takes::Text),
    between("additionalItems", Takes::Rest, Draft::D4, Draft::D2019),
    always("additionalProperties", Takes::Rest),
    always("allOf", Takes::Schemas),
    always("anyOf", Takes::Schemas),
    since("const", Takes::Anything, Draft::D6),
    since("contains", Takes::Schema, Draft::D6),
    since("contentEncoding", Takes::Text, Draft::D7),
    since("contentMediaType", Takes::Text, Draft::D7),
    since("contentSchema", Takes::Schema, Draft::D2019),
    always("definitions", Takes::SchemaMap),
    always("dependencies", Takes::Dependencies),
    since("dependentRequired", Takes::NameLists, Draft::D2019),
    since("dependentSchemas", Takes::SchemaMap, Draft::D2019),
    since("deprecated", Takes::Flag, Draft::D2019),
    always("description", Takes::Text),
    since("else", Takes::Schema, Draft::D7),
    always("enum", Takes::List),
    since("examples", Takes::List, Draft::D6),
    between("exclusiveMaximum", Takes::Flag, Draft::D4, Draft::D4),
    since("exclusiveMaximum", Takes::Number, Draft::D6),
    between("exclusiveMinimum", Takes::Flag, Draft::D4, Draft::D4),
    since("exclusiveMinimum", Takes::Number, Draft::D6),
    always("format", Takes::Text),
    between("id", Takes::Text, Draft::D4, Draft::D4),
    since("if", Takes::Schema, Draft::D7),
    between("items", Takes::SchemaOrSchemas, Draft::D4, Draft::D2019),
    since("items", Takes::Schema, Draft::D2020),
    since("maxContains", Takes::Count, Draft::D2019),
    always("maxItems", Takes::Count),
    always("maxLength", Takes::Count),
    always("maxProperties", Takes::Count),
    always("maximum", Takes::Number),
    since("minContains", Takes::Count, Draft::D2019),
    always("minItems", Takes::Count),
    always("minLength", Takes::Count),
    always("minProperties", Takes::Count),
    always("minimum", Takes::Number),
    always("multipleOf", Takes::Positive),
    always("not", Takes::Schema),
    always("oneOf", Takes::Schemas),
    always("pattern", Takes::Regex),
    always("patternProperties", Takes::Patterns),
    since("prefixItems", Takes::Schemas, Draft::D2020),
    always("properties", Takes::SchemaMap),
    since("propertyNames", Takes::Schema, Draft::D6),
    since("readOnly", Takes::Flag, Draft::D7),
    always("required", Takes::Names),
    since("then", Takes::Schema, Draft::D7),
    always("title", Takes::Text),
    always("type", Takes::Types),
    since("unevaluatedItems", Takes::Schema, Draft::D2019),
    since("unevaluatedProperties", Takes::Schema, Draft::D2019),
    always("uniqueItems", Takes::Flag),
    since("writeOnly", Takes::Flag, Draft::D7),
];

const fn always(name: &'static str, takes: Takes) -> Keyword {
    between(name, takes, Draft::D4, Draft::D2020)
}

const fn since(name: &'static str, takes: Takes, since: Draft) -> Keyword {
    between(name, takes, since, Draft::D2020)
}

const fn between(name: &'static str, takes: Takes, since: Draft, until: Draft) -> Keyword {
    Keyword { name, takes, since, until }
}
