//! What authors write: policies, schemas, policy tests.

use std::borrow::Cow;

use procura::http::RequestLimits;
use procura::http::cerbos::CheckCall;
use procura_core::engine::{OnError, Settings, decide_within, explain, retrace};
use procura_core::expr::{Budget, Patterns};
use procura_core::model::Timestamp;
use procura_core::policy::{self, Compiler, Severity, Snapshot, SourceFile};
use procura_core::schema::{Library, UnusableKind};
use procura_core::suite::{self, Filter};
use procura_core::value::Map;
use serde::de::IgnoredAny;
use serde_json::json;

/// Most files of a set and most calls: more tells nothing new and takes longer.
const MOST: usize = 6;

/// Most calls of a suite that are played.
const CALLS: usize = 200;

/// Cost units of one call: a tenth of what an expression may spend.
const UNITS: u64 = 100_000;

/// A set of policies: in each part a path, a line break and the text of the file.
///
/// The order of files changes nothing, nor does what was compiled before; a set without errors has a snapshot, and what
/// that decides is what an explanation says.
pub(crate) fn policy(data: &[u8]) {
    let files: Vec<SourceFile> = crate::parts(data).take(MOST).map(file).collect();
    let compiled = policy::compile(&files);
    for found in &compiled.diagnostics {
        let _ = policy::render(found);
    }
    let has_errors = compiled.diagnostics.iter().any(|found| found.severity == Severity::Error);
    assert_eq!(compiled.snapshot.is_none(), has_errors, "a snapshot if and only if there are no errors");

    let reversed: Vec<SourceFile> = files.iter().rev().cloned().collect();
    let again = policy::compile(&reversed);
    assert_eq!(again.diagnostics, compiled.diagnostics, "the order of the files is visible");
    let revision = |snapshot: &Option<Snapshot>| snapshot.as_ref().map(|snapshot| snapshot.revision.clone());
    assert_eq!(revision(&again.snapshot), revision(&compiled.snapshot));

    let mut compiler = Compiler::default();
    let _ = compiler.compile(files.get(1..).unwrap_or_default());
    let remembered = compiler.compile(&files);
    assert_eq!(remembered.diagnostics, compiled.diagnostics, "what was compiled before is visible");
    assert_eq!(revision(&remembered.snapshot), revision(&compiled.snapshot));

    let Some(snapshot) = &compiled.snapshot else { return };
    let remembered = remembered.snapshot.expect("a snapshot, as without memory");
    for name in compiled.policies.iter().take(MOST) {
        decide(&name.name, snapshot, &remembered);
    }
}

/// Asks about what the policy called `name` is about.
fn decide(name: &str, snapshot: &Snapshot, remembered: &Snapshot) {
    let (name, scope) = name.split_once('/').unwrap_or((name, ""));
    let mut parts = name.split('.');
    let (kind, about) = (parts.next(), parts.next().unwrap_or("x"));
    let (id, kind) = if kind == Some("principal") { (about, "album") } else { ("alice", about) };
    let attr =
        json!({"owner": "alice", "public": true, "level": 3, "tags": ["a", "b"], "geo": {"country": "at"}});
    let body = json!({
        "principal": {"id": id, "roles": ["user", "admin", "editor"], "attr": attr, "scope": scope},
        "resources": [{"actions": ["view", "delete", "a:b"],
            "resource": {"kind": kind, "id": "1", "attr": attr, "scope": scope}}],
    })
    .to_string();
    let Ok(check) = CheckCall::parse(body.as_bytes(), &RequestLimits::default()) else { return };
    let (request, now) = (&check.call.request, Timestamp::UNIX_EPOCH);
    let mut settings = Settings::default();
    for on_error in [OnError::Closed, OnError::Cerbos] {
        settings.on_error = on_error;
        let Some(decided) = decide_within(snapshot, request, &settings, now, UNITS) else { return };
        let explained = explain(snapshot, request, &settings, now);
        assert_eq!(explained.evaluation, decided, "explaining changes the decision");
        let by_other = decide_within(remembered, request, &settings, now, UNITS);
        assert_eq!(by_other.as_ref(), Some(&decided), "what was compiled before changes the decision");
        let _ = retrace(snapshot, request, &settings, now);
    }
}

/// A schema, and attributes to be held against it.
///
/// What is taken for JSON is JSON, and the same attributes always come to the same.
pub(crate) fn schema(data: &[u8]) {
    let mut parts = crate::parts(data);
    let (schema, attributes) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let patterns = Patterns::default();
    let mut library = Library::new([("_schemas/a.json", &*schema)]);
    let flaws = library.flaws("_schemas/a.json", &patterns);
    for flaw in &flaws {
        assert!(
            schema.get(flaw.range.clone()).is_some(),
            "a flaw at {:?}, where there is no text",
            flaw.range
        );
    }
    let compiled = library.schema("cerbos:///a.json", &patterns);
    let is_json = serde_json::from_str::<IgnoredAny>(&schema).is_ok();
    match &compiled {
        Err(unusable) if unusable.kind == UnusableKind::Malformed => assert!(!flaws.is_empty()),
        _ => assert!(is_json, "what is no JSON is taken for some"),
    }
    let (Ok(schema), Ok(attributes)) = (compiled, serde_json::from_str::<Map<'_>>(&attributes)) else {
        return;
    };
    let validate = || schema.validate(&attributes, &Budget::new(UNITS, UNITS));
    assert_eq!(validate(), validate());
}

/// A suite of policy tests, with fixtures in a part of their own, played against a small set of policies.
///
/// The same suite always comes to the same report; what can be said without playing it can be said.
pub(crate) fn suite(data: &[u8]) {
    const POLICY: &str = include_str!("../known/album.yaml");
    let mut parts = crate::parts(data);
    let mut files = vec![file(Cow::Owned(format!("album.yaml\n{POLICY}")))];
    let Some(snapshot) = policy::compile(&files).snapshot else { panic!("the policy compiles") };
    files.push(file(Cow::Owned(format!("album_test.yaml\n{}", parts.next().unwrap_or_default()))));
    for (fixture, text) in ["principals", "resources", "aux_data"].iter().zip(parts) {
        files.push(file(Cow::Owned(format!("testdata/{fixture}.yaml\n{text}"))));
    }
    let _ = suite::diagnose(&files);
    let (settings, filter) = (Settings::default(), Filter::default());
    let play = || {
        let mut calls = 0;
        suite::run_while(&files, &snapshot, &settings, &filter, &mut || {
            calls += 1;
            calls <= CALLS
        })
    };
    assert_eq!(play(), play(), "a suite comes to another report");
}

fn file(part: Cow<'_, str>) -> SourceFile {
    let (path, text) = part.split_once('\n').unwrap_or(("a.yaml", &part));
    SourceFile { path: path.into(), text: text.into() }
}
