//! Runs the `_test.yaml` files beside a policy set through the core.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use procura_core::engine::{Settings, decide};
use procura_core::model::{AuxData, Effect, Item, Principal, Request, Resource, Timestamp};
use procura_core::policy::{self, Snapshot, SourceFile};
use procura_core::value::Map;
use serde::{Deserialize, Deserializer};

use crate::yaml;

/// What running the tests of a set found.
#[derive(Debug, Default)]
pub struct Report {
    /// How many (principal, resource, action) were decided and compared.
    pub checked: usize,
    /// One line per decision that was not as expected.
    pub failures: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Suite {
    name: String,
    #[serde(default, rename = "description")]
    _description: String,
    principals: BTreeMap<String, Subject>,
    resources: BTreeMap<String, Object>,
    tests: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    id: String,
    roles: Vec<String>,
    #[serde(default, deserialize_with = "owned_map")]
    attr: Map<'static>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    id: String,
    kind: String,
    #[serde(default, deserialize_with = "owned_map")]
    attr: Map<'static>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    input: Input,
    expected: Vec<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    principals: Vec<String>,
    resources: Vec<String>,
    actions: Vec<String>,
    #[serde(default, deserialize_with = "some_owned_map")]
    context: Option<Map<'static>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    principal: String,
    resource: String,
    actions: BTreeMap<String, String>,
}

fn owned_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<'static>, D::Error> {
    Map::deserialize(deserializer).map(Map::into_owned)
}

fn some_owned_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Map<'static>>, D::Error> {
    owned_map(deserializer).map(Some)
}

/// Compiles the policies below `dir` and plays every test file below it.
#[must_use]
pub fn run(dir: &Path, settings: &Settings) -> Report {
    let (tests, policies): (Vec<_>, Vec<_>) =
        read(dir).into_iter().partition(|file| file.path.ends_with("_test.yaml"));
    let compiled = policy::compile(&policies);
    let findings: Vec<String> = compiled.diagnostics.iter().map(policy::render).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    let snapshot = compiled.snapshot.unwrap_or_else(|| panic!("{} has no snapshot", dir.display()));
    let mut report = Report::default();
    for file in tests {
        play(&yaml::parse(&file.path, &file.text), &snapshot, settings, &mut report);
    }
    report
}

fn play(suite: &Suite, snapshot: &Snapshot, settings: &Settings, report: &mut Report) {
    for table in &suite.tests {
        for subject in &table.input.principals {
            for object in &table.input.resources {
                let request = request(&suite.principals[subject], &suite.resources[object], &table.input);
                let evaluation =
                    decide(snapshot, &request, settings, Timestamp::UNIX_EPOCH + A_MONDAY_IN_2026);
                let expected =
                    table.expected.iter().find(|e| e.principal == *subject && e.resource == *object);
                for (action, decision) in table.input.actions.iter().zip(&evaluation.resources[0].actions) {
                    let effect = expected
                        .and_then(|e| e.actions.get(action))
                        .map_or(Effect::Deny.wire_name(), String::as_str);
                    report.checked += 1;
                    if decision.effect.wire_name() != effect {
                        report.failures.push(format!(
                            "{} / {}: {subject} {action} {object}: expected {effect}, got {decision:?}",
                            suite.name, table.name
                        ));
                    }
                }
            }
        }
    }
}

/// Tests run on a Monday in 2026, so that no answer depends on the day they run.
const A_MONDAY_IN_2026: jiff::SignedDuration = jiff::SignedDuration::from_secs(1_780_315_200);

fn request<'a>(subject: &'a Subject, object: &'a Object, input: &'a Input) -> Request<'a> {
    let text = |s: &'a String| Cow::Borrowed(s.as_str());
    Request {
        principal: Principal {
            id: text(&subject.id),
            roles: subject.roles.iter().map(text).collect(),
            attr: subject.attr.clone(),
            policy_version: "".into(),
            scope: "".into(),
        },
        items: vec![Item {
            resource: Resource {
                kind: text(&object.kind),
                id: text(&object.id),
                attr: object.attr.clone(),
                policy_version: "".into(),
                scope: "".into(),
            },
            actions: input.actions.iter().map(text).collect(),
        }],
        context: input.context.clone(),
        aux_data: AuxData::default(),
    }
}

fn read(dir: &Path) -> Vec<SourceFile> {
    let mut pending: Vec<PathBuf> = vec![dir.to_owned()];
    let mut files = Vec::new();
    while let Some(path) = pending.pop() {
        let entries = fs::read_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                let name = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
                files.push(SourceFile { path: name.into(), text: text.into() });
            }
        }
    }
    files
}
