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
    let value: Value<'_> = serde_json::from_str(&text).unwrap();
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
