//! The decision corpus, played against the core, over HTTP and through `procura decide`: one answer everywhere, and
//! the same in the decision log.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use procura_core::engine::decide;
use procura_core::model::Timestamp;
use procura_core::policy::{Snapshot, compile};
use procura_testkit::corpus::{self, Answer, Behaviour, Case, Decision};
use procura_testkit::http::Connection;
use procura_testkit::server::ServerSpec;
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

#[test]
fn every_behaviour_of_the_corpus_is_the_behaviour_of_the_core() {
    let mut cases = 0;
    for behaviour in corpus::behaviours() {
        let snapshot = snapshot(&behaviour);
        for case in &behaviour.cases {
            case.assert(&behaviour, &answers_of_the_core(&snapshot, case));
            cases += 1;
        }
    }
    assert!(cases > 60, "the corpus has shrunk to {cases} cases");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_and_command_line_decide_as_the_core_does() {
    for behaviour in corpus::behaviours() {
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
                let body = with_meta(case);
                let response = over_http(&mut connection, &body).await;
                assert_eq!(told(&response), expected, "over HTTP: {about}");
                let decisions: Vec<_> = answers.into_iter().map(|answer| answer.actions).collect();
                assert_eq!(recorded(&mut connection, &response).await, decisions, "recorded: {about}");
                assert_eq!(
                    on_command_line(&policies, &settings, &body),
                    expected,
                    "`procura decide`: {about}"
                );
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
    let request = corpus::core_request(&body);
    corpus::answers(&request, &decide(snapshot, &request, &case.settings(), Timestamp::UNIX_EPOCH))
}

/// The cases that one server can play, by its arguments.
fn cases_by_settings(behaviour: &Behaviour) -> BTreeMap<Vec<String>, Vec<&Case>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for case in &behaviour.cases {
        let settings = case.settings();
        let arguments = vec![
            format!("--set=engine.onError={}", settings.on_error.as_str()),
            format!("--set=engine.defaultPolicyVersion={}", settings.default_policy_version),
            format!("--set=schema.enforcement={}", settings.schema_enforcement.as_str()),
        ];
        groups.entry(arguments).or_default().push(case);
    }
    groups
}

/// The request, asking also for what decided.
fn with_meta(case: &Case) -> String {
    let mut request = case.request.clone();
    request["includeMeta"] = json!(true);
    request.to_string()
}

/// What the check API tells of `answers`, in the form of [`told`].
fn results_of(case: &Case, answers: &[Answer]) -> Value {
    let result = |(item, answer): (&Value, &Answer)| {
        let actions: BTreeMap<_, _> = answer
            .actions
            .iter()
            .map(|(action, decision)| {
                (action, json!([format!("EFFECT_{}", decision.effect), decision.policy]))
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
            .map(|(action, effect)| (action, json!([effect, meta["actions"][action]["matchedPolicy"]])))
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
            "validationErrors": result["validationErrors"].as_array().into_iter().flatten().map(told_mismatch).collect::<Vec<_>>(),
        })
    };
    let results = response["results"].as_array();
    results.unwrap_or_else(|| panic!("no results in {response}")).iter().map(result).collect()
}

/// A validation error of a response, in the form of the corpus.
fn told_mismatch(error: &Value) -> String {
    let text = |member: &str| error[member].as_str().unwrap_or_default();
    let source = text("source").trim_start_matches("SOURCE_").to_lowercase();
    format!("{source} {}: {}", text("path"), text("message"))
}

async fn over_http(connection: &mut Connection, body: &str) -> Value {
    connection.post_json("/api/check/resources", body.as_bytes()).await.unwrap().json().unwrap()
}

/// What the decision log holds about the call that was answered with `response`: the decisions of each resource.
async fn recorded(connection: &mut Connection, response: &Value) -> Vec<BTreeMap<String, Decision>> {
    let path = format!("/api/decisions/{}", response["cerbosCallId"].as_str().unwrap());
    let found = connection.get(&path).await.unwrap().json().unwrap();
    let record = &found["record"];
    let mut resources = vec![BTreeMap::new(); record["resources"].as_array().unwrap().len()];
    for entry in record["decisions"].as_array().unwrap() {
        let text = |member: &Value| member.as_str().map(str::to_owned);
        let problems = entry["problems"].as_array().into_iter().flatten();
        let decision = Decision {
            effect: text(&entry["effect"]).unwrap().replace("EFFECT_", ""),
            reason: text(&entry["reason"]).unwrap(),
            rule: text(&entry["rule"]),
            policy: text(&entry["policy"]),
            problems: problems
                .map(|p| ["code", "source", "position"].map(|member| text(&p[member]).unwrap()).join(" "))
                .collect(),
        };
        let resource = usize::try_from(entry["resource"].as_u64().unwrap()).unwrap();
        resources[resource].insert(text(&entry["action"]).unwrap(), decision);
    }
    resources
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
