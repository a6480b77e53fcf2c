//! The shape, the reader and the JSON Schema say the same of every document.

use std::collections::BTreeSet;

use super::*;
use crate::expr::{Budget, Patterns};
use crate::limits::CALL_COST;
use crate::policy::decode;
use crate::policy::findings::Findings;
use crate::policy::{Severity, SourceFile, yaml};
use crate::schema::{Library, Schema};
use crate::value::Value;

/// A value of `shape` with all its fields, and below it those of `depth` levels.
fn sample(shape: &Shape, depth: usize) -> serde_json::Value {
    use serde_json::json;
    match shape {
        Shape::Any => json!({ "any": [1, null] }),
        Shape::Flag => json!(false),
        Shape::Text(Form::Exactly(text)) => json!(text),
        Shape::Text(Form::Duration) => json!("1h30m"),
        Shape::Text(_) => json!("a1"),
        Shape::Word { taken, .. } => json!(taken.first()),
        Shape::List(list) => json!([sample(list.item, depth)]),
        Shape::Map(item) => json!({ "a1": sample(item, depth) }),
        Shape::Object(shape) => object_sample(shape, depth, shape.one_of.first().copied()),
    }
}

/// A map with all fields of `shape`, of those that exclude each other only `chosen`.
fn object_sample(shape: &Object, depth: usize, chosen: Option<&str>) -> serde_json::Value {
    let is_wanted = |field: &&Field| {
        let is_deep = depth == 0 && !field.required && chosen != Some(field.name);
        !is_deep && (!shape.one_of.contains(&field.name) || chosen == Some(field.name))
    };
    let fields = shape.fields.iter().filter(is_wanted);
    let fields = fields.map(|field| (field.name.to_owned(), sample(field.shape, depth.saturating_sub(1))));
    serde_json::Value::Object(fields.collect())
}

/// `document` and every document that differs from it in one place.
fn variants(document: &serde_json::Value) -> Vec<serde_json::Value> {
    use serde_json::{Value as Json, json};
    let mut all = vec![document.clone()];
    let replaced =
        [json!(null), json!(true), json!(7), json!(""), json!("a b*"), json!([]), json!({}), json!("x")];
    match document {
        Json::Object(fields) => {
            for name in fields.keys() {
                let mut fewer = fields.clone();
                let value = fewer.remove(name).unwrap();
                all.push(Json::Object(fewer.clone()));
                fewer.insert(format!("{name}x"), value.clone());
                all.push(Json::Object(fewer));
                for other in variants(&value).into_iter().skip(1).chain(replaced.clone()) {
                    let mut changed = fields.clone();
                    changed.insert(name.clone(), other);
                    all.push(Json::Object(changed));
                }
            }
        }
        Json::Array(items) => {
            all.push(Json::Array(items.iter().chain(items).cloned().collect()));
            for item in items {
                all.extend(variants(item).into_iter().skip(1).map(|item| json!([item])));
                all.extend(replaced.clone().map(|item| json!([item])));
            }
        }
        _ => {}
    }
    all
}

fn schema_of(kind: &str) -> std::sync::Arc<Schema> {
    let text = json_schema(kind).unwrap();
    let mut library = Library::new([("_schemas/kind.json", text.as_str())]);
    library.schema("cerbos:///kind.json", &Patterns::default()).unwrap()
}

/// Whether the shape, and whether the schema, takes `document`.
fn judge(document: &serde_json::Value, shape: &Object, schema: &Schema) -> (bool, bool) {
    let text = document.to_string();
    let source = SourceFile { path: "a.json".into(), text: text.as_str().into() };
    let sources = [&source];
    let mut findings = Findings::new(&sources);
    let node = yaml::parse(&text, 0).unwrap().documents.remove(0);
    super::document(&node, shape, &mut findings);
    let Some(Value::Map(map)) = decode::json(node.content, 64) else {
        panic!("{text} is no map");
    };
    let mismatches = schema.validate(&map, &Budget::new(CALL_COST, CALL_COST)).unwrap();
    (!findings.any_error(), mismatches.is_empty())
}

fn agreement(kind: &str, shape: &Object) {
    let schema = schema_of(kind);
    let choices: Vec<_> = if shape.one_of.is_empty() {
        vec![None]
    } else {
        shape.one_of.iter().map(|choice| Some(*choice)).collect()
    };
    let mut counts = (0, 0);
    for choice in choices {
        for document in variants(&object_sample(shape, 7, choice)) {
            let (by_shape, by_schema) = judge(&document, shape, &schema);
            assert_eq!(by_shape, by_schema, "{kind}: {document}");
            if by_shape { counts.0 += 1 } else { counts.1 += 1 }
        }
    }
    println!("{kind}: {} taken, {} refused", counts.0, counts.1);
    assert!(counts.0 > 0 && counts.1 > 10, "{kind}: {counts:?}");
}

#[test]
fn shape_and_json_schema_agree_on_every_field() {
    agreement("policy", &POLICY);
    agreement("extension", &EXTENSION);
    agreement("suite", &suites::SUITE);
    agreement("principals", &suites::PRINCIPALS);
    agreement("resources", &suites::RESOURCES);
    agreement("auxdata", &suites::AUX_DATAS);
}

#[test]
fn reader_takes_every_field_of_the_shape() {
    for choice in POLICY.one_of {
        let mut document = object_sample(&POLICY, 7, Some(choice));
        // Beside exported definitions it is refused, which is no question of form.
        document.as_object_mut().unwrap().remove("variables");
        let text = document.to_string();
        let source = SourceFile { path: "a.json".into(), text: text.as_str().into() };
        let sources = [&source];
        let mut findings = Findings::new(&sources);
        let node = yaml::parse(&text, 0).unwrap().documents.remove(0);
        assert!(decode::document(node, &mut findings).is_some(), "{text}");
        let errors: BTreeSet<_> = findings
            .into_diagnostics()
            .into_iter()
            .filter(|found| found.severity == Severity::Error)
            .map(|found| found.message)
            .collect();
        assert!(errors.is_empty(), "{errors:?} in {text}");
    }
}
