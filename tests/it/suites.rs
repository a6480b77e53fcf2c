//! The corpus of policy tests in `tests/corpus/suites`: what each suite comes to, as recorded from the peer.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use procura_core::engine::Settings;
use procura_core::policy::{SourceFile, compile};
use procura_core::suite::{Filter, run};
use procura_testkit::yaml;
use serde::Deserialize;
use serde_json::{Value, json};

/// Suites about one thing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Topic {
    #[serde(rename = "about")]
    _about: String,
    /// The policy that the suites test.
    policy: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    name: String,
    /// Why the report is not the peer's.
    #[serde(default, rename = "differs")]
    _differs: String,
    /// Text of `a_test.yaml`, unless there are several files.
    suite: Option<String>,
    /// Text by path.
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    filters: Vec<String>,
    /// Why the one suite cannot be run.
    error: Option<String>,
    /// Its name, if it can be read.
    suite_name: Option<String>,
    /// The report as JSON, if the suites can be run.
    report: Option<String>,
}

#[test]
fn suites_come_to_what_the_peer_recorded() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/suites");
    let mut played = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        let topic: Topic = yaml::parse(&name, &fs::read_to_string(&path).unwrap());
        for case in &topic.cases {
            let expected = case.expected();
            let actual = case.play(&topic.policy);
            assert_eq!(whole(&actual), whole(&expected), "{name}: {}\n{actual}", case.name);
            played += 1;
        }
    }
    assert!(played > 200, "the corpus has shrunk to {played} cases");
}

impl Case {
    fn play(&self, policy: &str) -> Value {
        let mut texts = BTreeMap::from([("doc.yaml", policy)]);
        texts.extend(self.suite.as_deref().map(|suite| ("a_test.yaml", suite)));
        texts.extend(self.files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        let file = |(path, text): (&str, &str)| SourceFile { path: path.into(), text: text.into() };
        let files: Vec<_> = texts.into_iter().map(file).collect();
        let compiled = compile(&files);
        let snapshot = compiled.snapshot.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
        let mut filter = Filter::default();
        self.filters.iter().for_each(|text| filter.add(text).unwrap());
        serde_json::to_value(run(&files, &snapshot, &Settings::default(), &filter)).unwrap()
    }

    fn expected(&self) -> Value {
        if let Some(report) = &self.report {
            return serde_json::from_str(report).unwrap();
        }
        let summary = json!({"overallResult": "RESULT_ERRORED"});
        let file =
            self.files.keys().find(|path| path.contains("_test.")).map_or("a_test.yaml", String::as_str);
        let name = self.suite_name.as_deref().unwrap_or("Unknown");
        let suite = json!({"file": file, "name": name, "summary": summary, "error": self.error});
        json!({"suites": [suite], "summary": summary})
    }
}

/// `value` with every whole number written alike.
fn whole(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.iter().map(whole).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), whole(value))).collect(),
        other => other.clone(),
    }
}
