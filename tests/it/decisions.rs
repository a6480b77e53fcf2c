//! The decision corpus, played over HTTP and through `procura decide`: the answer of the
//! core everywhere, and the same in the decision log.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use procura_core::engine::decide;
use procura_core::model::Timestamp;
use procura_core::policy::{Snapshot, compile};
use procura_testkit::corpus::{self, Answer, Behaviour, Case, Decision};
use procura_testkit::http::Connection;
use procura_testkit::replay::replayed;
use procura_testkit::server::ServerSpec;
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

#[tokio::test(flavor = "multi_thread")]
async fn server_and_command_line_decide_as_the_core_does_and_records_suffice_to_decide_again() {
    for behaviour in corpus::behaviours_for_the_wire() {
        let snapshot = snapshot(&behaviour);
        let directory = TempDir::new("decisions");
        for (path, text) in &behaviour.policies {
            directory.write(&format!("policies/{path}"), text);
        }
        for (settings, cases) in cases_by_settings(&behaviour) {
            let policies = directory.path().join("policies");
            let data = TempDir::new("decisions-data");
            let mut spec = ServerSpec::new(BINARY, &policies, data.path());
            spec.args = settings.clone();
            let server = spec.start().await.unwrap();
            let mut connection = server.connect().await.unwrap();
            for case in cases {
                let about = format!("{}: {}", behaviour.name, case.name);
                let answers = answers_of_the_core(&snapshot, case);
                let expected = results_of(case, &answers);
                let body = case.wire_body();
                let tenants = case.tenants.iter().flatten().map(|tenant| format!("--tenant={tenant}"));
                let settings: Vec<_> = settings.iter().cloned().chain(tenants).collect();
                // Without a tenant the command line answers as to a caller that is not bound.
                if case.tenants.as_ref().is_none_or(|tenants| !tenants.is_empty()) {
                    let told = on_command_line(&policies, &settings, &body);
                    assert_eq!(told, expected, "`procura decide`: {about}");
                }
                if case.tenants.is_some() {
                    continue;
                }
                let response = over_http(&mut connection, &body).await;
                assert_eq!(told(&response), expected, "over HTTP: {about}");
                let record = record_of(&mut connection, &response).await;
                let decisions: Vec<_> = answers.into_iter().map(|answer| answer.actions).collect();
                assert_eq!(recorded(&record), decisions, "recorded: {about}");
                assert_is_made_again(&record, &snapshot, &about);
            }
        }
    }
}

fn snapshot(behaviour: &Behaviour) -> Snapshot {
    let compiled = compile(&behaviour.files());
    let rendered: Vec<_> =
        compiled.diagnostics.iter().map(|d| format!("{}: {}", d.position, d.message)).collect();
    compiled
        .snapshot
        .unwrap_or_else(|| panic!("{} does not compile:\n{}", behaviour.name, rendered.join("\n")))
}

fn answers_of_the_core(snapshot: &Snapshot, case: &Case) -> Vec<Answer> {
    let body = case.body();
    let request = case.core_request(&body);
    corpus::answers(&request, &decide(snapshot, &request, &case.settings(), Timestamp::UNIX_EPOCH))
}

/// The cases that one server can play, by its arguments.
fn cases_by_settings(behaviour: &Behaviour) -> BTreeMap<Vec<String>, Vec<&Case>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for case in &behaviour.cases {
        groups.entry(case.arguments()).or_default().push(case);
    }
    groups
}

/// What the check API tells of `answers`, in the form of [`told`].
fn results_of(case: &Case, answers: &[Answer]) -> Value {
    let result = |(item, answer): (&Value, &Answer)| {
        let actions: BTreeMap<_, _> = answer
            .actions
            .iter()
            .map(|(action, decision)| {
                (action, json!([format!("EFFECT_{}", decision.effect), decision.policy, decision.scope]))
            })
            .collect();
        let outputs = answer.outputs.iter().map(|output| match output.error {
            true => json!([output.src, output.action, "error"]),
            false => json!([output.src, output.action, {"val": output.val}]),
        });
        json!({
            "resource": item["resource"]["id"],
            "actions": actions,
            "roles": answer.derived_roles,
            "outputs": outputs.collect::<Vec<_>>(),
            "validationErrors": answer.validation_errors,
        })
    };
    case.request["resources"].as_array().unwrap().iter().zip(answers).map(result).collect()
}

/// The results in `response`, without the texts of errors, which the corpus leaves open.
fn told(response: &Value) -> Value {
    let result = |result: &Value| {
        let meta = &result["meta"];
        let effects = result["actions"].as_object().unwrap();
        let actions: BTreeMap<_, _> = effects
            .iter()
            .map(|(action, effect)| {
                let matched = &meta["actions"][action];
                let scope = matched["matchedScope"].as_str().unwrap_or_default();
                (action, json!([effect, matched["matchedPolicy"], scope]))
            })
            .collect();
        let outputs = result["outputs"].as_array().into_iter().flatten().map(|output| {
            let value = output.get("val").map_or(json!("error"), |value| json!({"val": value}));
            json!([output["src"], output["action"], value])
        });
        json!({
            "resource": result["resource"]["id"],
            "actions": actions,
            "roles": meta.get("effectiveDerivedRoles").cloned().unwrap_or(json!([])),
            "outputs": outputs.collect::<Vec<_>>(),
            "validationErrors": validation_errors(&result["validationErrors"]),
        })
    };
    let results = response["results"].as_array();
    results.unwrap_or_else(|| panic!("no results in {response}")).iter().map(result).collect()
}

fn validation_errors(told: &Value) -> Vec<String> {
    let line = |error: &Value| {
        let part = error["source"].as_str().unwrap().trim_start_matches("SOURCE_").to_lowercase();
        format!(
            "{part} {}: {}",
            error["path"].as_str().unwrap_or_default(),
            error["message"].as_str().unwrap()
        )
    };
    let mut lines: Vec<_> = told.as_array().into_iter().flatten().map(line).collect();
    lines.sort();
    lines
}

async fn over_http(connection: &mut Connection, body: &str) -> Value {
    connection.post_json("/api/check/resources", body.as_bytes()).await.unwrap().json().unwrap()
}

/// What the decision log holds about the call that was answered with `response`.
async fn record_of(connection: &mut Connection, response: &Value) -> Value {
    let path = format!("/api/decisions/{}", response["cerbosCallId"].as_str().unwrap());
    connection.get(&path).await.unwrap().json().unwrap()["record"].take()
}

/// What is in `record` and the policy set make the same record again, member by member.
fn assert_is_made_again(record: &Value, snapshot: &Snapshot, about: &str) {
    let text = record.to_string();
    let again: Value = serde_json::from_slice(&replayed(text.as_bytes(), snapshot)).unwrap();
    assert_eq!(again, *record, "made again: {about}");
}

/// The decisions of each resource.
fn recorded(record: &Value) -> Vec<BTreeMap<String, Decision>> {
    let decision = |result: &Value, entry: &Value| {
        let text = |member: &Value| member.as_str().map(str::to_owned);
        let problems = entry["problems"].as_array().into_iter().flatten();
        let decision = Decision {
            effect: text(&entry["effect"]).unwrap().replace("EFFECT_", ""),
            reason: text(&entry["reason"]).unwrap(),
            rule: text(&entry["rule"]),
            policy: text(&entry["policy"]).or_else(|| text(&result["policy"])),
            scope: Some(text(&entry["scope"]).unwrap_or_default()),
            problems: problems
                .map(|p| ["code", "source", "position"].map(|member| text(&p[member]).unwrap()).join(" "))
                .collect(),
        };
        (text(&entry["action"]).unwrap(), decision)
    };
    let of = |result: &Value| {
        result["decisions"].as_array().unwrap().iter().map(|entry| decision(result, entry)).collect()
    };
    record["results"].as_array().unwrap().iter().map(of).collect()
}

fn on_command_line(policies: &Path, settings: &[String], body: &str) -> Value {
    let mut command = Command::new(BINARY);
    command.arg("decide").args(settings).arg(policies).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    told(&serde_json::from_slice(&output.stdout).unwrap())
}
