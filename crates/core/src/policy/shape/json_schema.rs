//! The shape as JSON Schema 2020-12, which editors complete, explain and check files by.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::capabilities::EXTENSION;
use super::policies::POLICY;
use super::suites::{AUX_DATAS, PRINCIPALS, RESOURCES, SUITE};
use super::{Field, Form, Object, Shape};

/// The kinds of file that have a schema, and what each is.
pub const SCHEMAS: [(&str, &str); 6] = [
    ("policy", "A policy of Procura, or of Cerbos"),
    ("extension", "A file of kinds that only Procura has: capabilities"),
    ("suite", "Policy tests: `*_test.yaml`"),
    ("principals", "Fixtures of policy tests: `testdata/principals.yaml`"),
    ("resources", "Fixtures of policy tests: `testdata/resources.yaml`"),
    ("auxdata", "Fixtures of policy tests: `testdata/auxdata.yaml`"),
];

/// The JSON Schema of `kind`, one of [`SCHEMAS`], ready to be written to a file.
#[must_use]
pub fn json_schema(kind: &str) -> Option<String> {
    let (_, title) = SCHEMAS.into_iter().find(|(name, _)| *name == kind)?;
    let root = match kind {
        "policy" => &POLICY,
        "extension" => &EXTENSION,
        "suite" => &SUITE,
        "principals" => &PRINCIPALS,
        "resources" => &RESOURCES,
        _ => &AUX_DATAS,
    };
    let mut definitions = BTreeMap::new();
    let mut schema = object(root, &mut definitions);
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!(title));
    schema.insert("$defs".to_owned(), json!(definitions));
    let text = serde_json::to_string_pretty(&Value::Object(schema)).ok()?;
    Some(text + "\n")
}

/// The definitions that were met, by name; `None` while one is being written.
type Definitions = BTreeMap<&'static str, Option<Map<String, Value>>>;

fn object(shape: &'static Object, definitions: &mut Definitions) -> Map<String, Value> {
    let mut properties = Map::new();
    for field in shape.fields {
        properties.insert(field.name.to_owned(), Value::Object(property(shape, field, definitions)));
    }
    let required: Vec<_> =
        shape.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("additionalProperties".to_owned(), json!(false));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    if !shape.one_of.is_empty() {
        let choices: Vec<_> = shape.one_of.iter().map(|name| json!({ "required": [name] })).collect();
        schema.insert("oneOf".to_owned(), json!(choices));
    }
    schema
}

fn property(of: &Object, field: &'static Field, definitions: &mut Definitions) -> Map<String, Value> {
    let may_be_left_out = !field.required && !of.one_of.contains(&field.name);
    let mut property = value(field.shape, may_be_left_out, definitions);
    property.insert("description".to_owned(), json!(field.about));
    property
}

/// The schema of a value; where a text may be left out, an explicit null leaves it out.
fn value(shape: &'static Shape, nullable: bool, definitions: &mut Definitions) -> Map<String, Value> {
    let schema = match shape {
        Shape::Any => json!({}),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Text(form) => text(*form, nullable),
        Shape::Word { taken, .. } if nullable => {
            let mut words: Vec<_> = taken.iter().map(|word| json!(word)).collect();
            words.push(Value::Null);
            json!({ "enum": words })
        }
        Shape::Word { taken, .. } => json!({ "enum": taken }),
        Shape::List(list) => {
            let mut schema = Map::new();
            schema.insert("type".to_owned(), json!("array"));
            schema.insert("items".to_owned(), Value::Object(value(list.item, false, definitions)));
            if list.least > 0 {
                schema.insert("minItems".to_owned(), json!(list.least));
            }
            if list.unique {
                schema.insert("uniqueItems".to_owned(), json!(true));
            }
            return schema;
        }
        Shape::Map(item) => {
            let item = value(item, matches!(item, Shape::Text(_)), definitions);
            json!({ "type": "object", "additionalProperties": item })
        }
        Shape::Object(shape) => {
            if !definitions.contains_key(shape.name) {
                definitions.insert(shape.name, None);
                let schema = object(shape, definitions);
                definitions.insert(shape.name, Some(schema));
            }
            json!({ "$ref": format!("#/$defs/{}", shape.name) })
        }
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

/// Text, or a scalar that is taken as it is written.
fn text(form: Form, nullable: bool) -> Value {
    if let Form::Exactly(text) = form {
        return json!({ "const": text });
    }
    let mut types = vec!["string"];
    types.extend(form.holds("7").then_some("integer"));
    types.extend(form.holds("true").then_some("boolean"));
    types.extend(nullable.then_some("null"));
    match form.pattern() {
        Some(pattern) => json!({ "type": types, "pattern": pattern }),
        None => json!({ "type": types }),
    }
}
