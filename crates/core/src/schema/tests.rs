use serde::Deserialize;

use super::*;
use crate::expr::Patterns;
use crate::limits::{CALL_COST, EXPR_COST};

/// What the peer said of values and schemas.
#[derive(Deserialize)]
struct Case {
    /// The text of `_schemas/s.json`, or its JSON.
    schema: Option<serde_json::Value>,
    /// More files.
    #[serde(default)]
    files: BTreeMap<String, serde_json::Value>,
    /// What a policy refers to, if it is not `s.json`.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Attributes, and what does not fit: path and message.
    values: Vec<(serde_json::Value, Vec<(String, String)>)>,
}

/// What follows is said in other words than the peer's: it depends on its parsers, its meta-schemas and the network.
const OWN_WORDS: [&str; 6] = ["'", "invalid json", "Get ", "invalid $schema", "parse ", "open "];

#[test]
fn values_fit_as_with_the_peer_and_what_does_not_is_told_in_its_words() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("tests/peer.json")).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let mut files: Vec<(String, String)> =
            case.files.iter().map(|(path, text)| (format!("_schemas/{path}"), text_of(text))).collect();
        files.extend(case.schema.iter().map(|text| ("_schemas/s.json".to_owned(), text_of(text))));
        let mut library = Library::new(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        let reference = case.reference.as_deref().unwrap_or("cerbos:///s.json");
        let schema = library.schema(reference, &Patterns::default());
        for (value, expected) in &case.values {
            let found = found(&schema, reference, value);
            if comparable(&found) != comparable(expected) {
                wrong.push(format!(
                    "{:?} {reference} {value}\n  expected {expected:?}\n  found    {found:?}",
                    case.schema
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn text_of(file: &serde_json::Value) -> String {
    file.as_str().map_or_else(|| file.to_string(), str::to_owned)
}

fn found(
    schema: &Result<std::sync::Arc<Schema>, Unusable>,
    reference: &str,
    value: &serde_json::Value,
) -> Vec<(String, String)> {
    let text = value.to_string();
    let value: Map<'_> = serde_json::from_str(&text).unwrap();
    match schema {
        Ok(schema) => {
            let mismatches = schema.validate(&value, &Budget::new(CALL_COST, EXPR_COST)).unwrap();
            mismatches.into_iter().map(|mismatch| (mismatch.path, mismatch.message)).collect()
        }
        Err(unusable) => {
            let message = format!("Failed to load resource schema \"{reference}\": {}", unusable.message);
            vec![(String::new(), message)]
        }
    }
}

/// `errors` without what is told in own words.
fn comparable(errors: &[(String, String)]) -> Vec<(String, String)> {
    let cut = |(path, message): &(String, String)| match message.split_once(" compilation failed: ") {
        Some((before, reason)) if OWN_WORDS.iter().any(|own| reason.starts_with(own)) => {
            (path.clone(), before.to_owned())
        }
        _ => (path.clone(), message.clone()),
    };
    errors.iter().map(cut).collect()
}

fn schema_of(text: &str) -> Result<std::sync::Arc<Schema>, Unusable> {
    Library::new([("_schemas/s.json", text)]).schema("cerbos:///s.json", &Patterns::default())
}

fn outcome(schema: &str, attributes: &str) -> Result<Vec<Mismatch>, TooCostly> {
    let attributes: Map<'_> = serde_json::from_str(attributes).unwrap();
    schema_of(schema).unwrap().validate(&attributes, &Budget::new(CALL_COST / 10, EXPR_COST))
}

#[test]
fn hostile_schemas_are_refused_or_end_at_the_cost_limit() {
    let chain = |length: usize, step: fn(usize) -> String| {
        let steps: Vec<String> = (0..length).map(|n| format!("\"d{n}\": {}", step(n + 1))).collect();
        format!("{{\"$ref\": \"#/$defs/d0\", \"$defs\": {{{}, \"d{length}\": {{}}}}}}", steps.join(", "))
    };
    let once = |n: usize| format!("{{\"$ref\": \"#/$defs/d{n}\"}}");
    let twice =
        |n: usize| format!("{{\"allOf\": [{{\"$ref\": \"#/$defs/d{n}\"}}, {{\"$ref\": \"#/$defs/d{n}\"}}]}}");
    let refused = schema_of(&chain(5_000, once)).unwrap_err();
    assert!(refused.message.contains("in a row"), "{}", refused.message);
    assert!(schema_of(&"[".repeat(100_000)).unwrap_err().message.contains("nested deeper"));
    assert_eq!(outcome(&chain(25, twice), "{}"), Err(TooCostly));

    let diverted = r##"{"$dynamicAnchor": "a", "$ref": "#/$defs/b", "$defs": {
        "b": {"$id": "b.json", "$dynamicRef": "#a", "$defs": {"c": {"$dynamicAnchor": "a"}}}}}"##;
    assert_eq!(outcome(diverted, "{}"), Err(TooCostly));
}

#[test]
fn hostile_values_end_at_the_cost_limit_or_are_reported_in_few_words() {
    let list = |items: usize| format!("{{\"v\": [{}0]}}", "1, ".repeat(items));
    assert_eq!(outcome(r#"{"properties": {"v": {"uniqueItems": true}}}"#, &list(100_000)).unwrap().len(), 1);
    let patterns: Vec<String> = (0..300).map(|n| format!("\"^a{{{n}}}b\": true")).collect();
    let by_name = format!("{{\"patternProperties\": {{{}}}}}", patterns.join(", "));
    let long_name = format!("{{\"{}\": 1}}", "a".repeat(100_000));
    assert_eq!(outcome(&by_name, &long_name), Err(TooCostly));

    let mismatches =
        outcome(r#"{"properties": {"v": {"items": {"type": "string"}}}}"#, &list(50_000)).unwrap();
    assert_eq!(mismatches.len(), crate::limits::SCHEMA_MISMATCHES + 1);
    assert_eq!(mismatches.last().unwrap().message, "49901 more errors are not listed");
    let mismatches = outcome(r#"{"additionalProperties": false}"#, &long_name).unwrap();
    assert!(mismatches[0].message.len() <= crate::limits::SCHEMA_MISMATCH_BYTES);
}

#[test]
fn a_name_in_two_places_is_refused() {
    let twice = r#"{"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}}"#;
    assert!(schema_of(twice).unwrap_err().message.contains("names two schemas"));
}
