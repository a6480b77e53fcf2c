//! Recorded calls decided again, seen from outside: `procura replay`, the gate before a set goes live, the shadow, and
//! going back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use procura_core::model::Effect;
use procura_testkit::corpus;
use procura_testkit::http::{Connection, Response};
use procura_testkit::reload_storm::policy;
use procura_testkit::server::{Server, ServerSpec};
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

/// Longer than anything may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn replay_of_the_whole_corpus_changes_nothing_across_restarts_and_whatever_the_order_of_files() {
    let data = TempDir::new("replay-data");
    let (mut calls, mut decisions) = (0, 0);
    for (number, behaviour) in corpus::behaviours_for_the_wire().into_iter().enumerate() {
        let mut groups: BTreeMap<Vec<String>, Vec<_>> = BTreeMap::new();
        for case in &behaviour.cases {
            groups.entry(case.arguments()).or_default().push(case);
        }
        let mut files: Vec<_> = behaviour.policies.iter().collect();
        for (settings, cases) in groups {
            let directory = TempDir::new("replay");
            let count = files.len().max(1);
            files.rotate_left(number % count);
            files.reverse();
            for (path, text) in &files {
                directory.write(&format!("policies/{path}"), text);
            }
            let mut spec = ServerSpec::new(BINARY, directory.path().join("policies"), data.path());
            spec.args = settings;
            let mut server = spec.start().await.unwrap();
            let mut connection = server.connect().await.unwrap();
            for case in cases {
                let body = case.wire_body();
                let answer = connection.post_json("/api/check/resources", body.as_bytes()).await.unwrap();
                assert_eq!(answer.status, 200, "{}: {answer:?}", case.name);
                calls += 1;
                let results = answer.json().unwrap()["results"].as_array().unwrap().clone();
                decisions += results.iter().map(|r| r["actions"].as_object().unwrap().len()).sum::<usize>();
            }
            server.kill().await.unwrap();
        }
    }
    let output = replay(data.path(), &["--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{report}");
    let counted = ["calls", "decisions", "changedDecisions", "partial", "unreplayable", "notShown"];
    let counted = counted.map(|member| report[member].as_u64().unwrap());
    assert_eq!(counted, [calls, decisions as u64, 0, 0, 0, 0], "{report}");
    assert!(calls > 100 && report.get("missing").is_none(), "{report}");
}

#[tokio::test]
async fn replay_against_a_directory_or_a_revision_names_the_rule_that_changes_decisions() {
    let mut site = Site::start(&[]).await;
    for kind in ["leave", "claim", "leave", "book"] {
        site.effect(kind).await;
    }
    let first = site.revision().await;
    site.dir.write("policies/leave.yaml", policy("leave", Effect::Deny));
    site.reload("").await;
    let data = site.dir.path().join("data");

    let output = replay(&data, &[]);
    assert_eq!(text(&output), "replayed: 5 calls with 5 decisions\nno decision changes\n");
    assert_eq!(output.status.code(), Some(0));

    let policies = site.dir.path().join("policies");
    let output = replay(&data, &["--against", policies.to_str().unwrap(), "--limit", "5"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    for line in [
        "changed: 3 decisions of 3 calls: 3 in effect\n",
        "3 decisions: allow -> deny\n",
        "from  rule `rule-001` of `resource.leave.vdefault`\n",
        "to    rule `rule-001` of `resource.leave.vdefault`\n",
        "was   principal `sam` attempted `view` on `leave:1` and was allowed because of policy",
    ] {
        assert!(text(&output).contains(line), "{line} not in\n{}", text(&output));
    }
    for (filter, first) in [
        ("resourceKind == 'leave' && effect == 'deny'", "replayed: 0 calls with 0 decisions"),
        ("resourceKind == 'leave' || resourceKind == 'book'", "replayed: 4 calls with 4 decisions"),
    ] {
        let output = replay(&data, &["--against", policies.to_str().unwrap(), "--where", filter]);
        assert_eq!(text(&output).lines().next(), Some(first), "{filter}");
    }
    assert_eq!(replay(&data, &["--where", "resourceKind = 1"]).status.code(), Some(2));
    let output = replay(&data, &["--at-revision", &first]);
    assert_eq!((output.status.code(), text(&output).lines().nth(1)), (Some(0), Some("no decision changes")));
    let none = replay(&data, &["--against", policies.to_str().unwrap(), "--until", "2020-01-01"]);
    assert_eq!(
        (none.status.code(), text(&none).lines().next()),
        (Some(0), Some("replayed: 0 calls with 0 decisions"))
    );

    // What is not in the archive, or not undamaged, is named.
    fs::write(data.join(format!("policies/{first}.json")), "{}").unwrap();
    let output = replay(&data, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output).contains(&format!("5 calls of revision {first}, which cannot be had")));
    assert!(String::from_utf8_lossy(&output.stderr).contains("damaged"), "{output:?}");
    assert_eq!(replay(&data, &["--at-revision", &"0".repeat(64)]).status.code(), Some(1));
    assert_eq!(replay(&data, &["--at-revision", "../x"]).status.code(), Some(2));
}

#[tokio::test]
async fn set_that_changes_too_many_recorded_decisions_goes_live_only_by_force() {
    for (setting, may) in [
        ("reload.requireNoChange=true", false),
        ("reload.maxChanged=1", false),
        ("reload.maxChanged=49%", false),
        ("reload.maxChanged=2", true),
        ("reload.maxChanged=50%", true),
    ] {
        let mut site = Site::start(&[&format!("--set={setting}")]).await;
        for kind in ["leave", "leave", "claim", "book"] {
            site.effect(kind).await;
        }
        let before = site.live().await;
        site.dir.write("policies/leave.yaml", policy("leave", Effect::Deny));
        let outcome = site.reload("").await;
        if may {
            assert_eq!(outcome["outcome"], "activated", "{setting}: {outcome}");
            continue;
        }
        assert_eq!(outcome["outcome"], "would_change", "{setting}: {outcome}");
        let replay = &outcome["replay"];
        assert_eq!((&replay["changedDecisions"], &replay["decisions"]), (&json!(2), &json!(4)), "{outcome}");
        let example = &replay["groups"][0]["examples"][0];
        assert!(example["after"].as_str().unwrap().contains("was denied"), "{outcome}");
        let status = site.status().await;
        assert_eq!((&status["stale"], &status["live"]), (&json!(true), &before), "{status}");
        let wanted = status["lastAttempt"]["revision"].as_str().unwrap().to_owned();
        let metrics = site.connection.get("/metrics").await.unwrap().body;
        assert!(String::from_utf8(metrics).unwrap().contains("procura_policy_changed_decisions 2\n"));

        // Force is for a set, and a revision names which.
        assert_eq!(site.reload(&format!("?force={}", "0".repeat(64))).await["outcome"], "would_change");
        assert_eq!(site.reload(&format!("?force={wanted}")).await["outcome"], "activated");
        assert_eq!(site.effect("leave").await, "EFFECT_DENY");
        let change = site.newest("policy_change").await;
        assert_eq!((&change["forced"], &change["cause"]), (&json!(true), &json!("admin")), "{change}");
        assert!(change["caller"]["address"].is_string(), "{change}");

        // What is live already is held against nobody: the next change leaves these decisions as they are.
        site.dir.write("policies/other.yaml", policy("other", Effect::Allow));
        assert_eq!(site.reload("").await["outcome"], "activated", "{setting}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_of_a_reload_or_a_rollback_is_refused_and_the_live_set_stays() {
    let mut site = Site::start(&[]).await;
    let before = site.live().await;
    let kept = format!("data/policies/{}.json", before["revision"].as_str().unwrap());
    site.dir.write(&kept.replace(before["revision"].as_str().unwrap(), &"a".repeat(64)), "{\"files\":[]}");
    for (path, body, status) in [
        ("reload?force=yes", "", 400),
        ("reload?force=true&force=true", "", 400),
        ("reload?farce=true", "", 400),
        ("rollback", "{\"revision\":\"../../x\"}", 400),
        ("rollback", "{\"revision\":1}", 400),
        ("rollback", "{\"version\":\"x\"}", 400),
        ("rollback", "[]", 400),
        ("rollback", "{", 400),
        ("rollback", "", 404),
        ("rollback", &json!({"revision": "0".repeat(64)}).to_string(), 404),
        ("rollback", &json!({"revision": "a".repeat(64)}).to_string(), 404),
    ] {
        let path = format!("/admin/policies/{path}");
        let answer = site.connection.post_json(&path, body.as_bytes()).await.unwrap();
        assert_eq!(answer.status, status, "{path} {body}: {answer:?}");
        let status = site.status().await;
        assert_eq!((&status["live"], &status["stale"]), (&before, &json!(false)), "{status}");
    }
}

#[tokio::test]
async fn rollback_brings_an_archived_set_live_until_the_policies_change_or_are_asked_for() {
    let mut site = Site::start(&["--set=storage.disk.pollInterval=100ms"]).await;
    let first = site.revision().await;
    site.dir.write("policies/leave.yaml", policy("leave", Effect::Deny));
    site.wait_for("leave", "EFFECT_DENY").await;
    let second = site.revision().await;

    let outcome = site.roll_back("").await.json().unwrap();
    assert_eq!((&outcome["outcome"], &outcome["generation"]), (&json!("activated"), &json!(3)), "{outcome}");
    assert_eq!(site.ask("leave").await, ("EFFECT_ALLOW".to_owned(), first.clone()));
    let change = site.newest("policy_change").await;
    assert_eq!(
        (&change["cause"], &change["to"]["revision"]),
        (&json!("rollback"), &json!(first)),
        "{change}"
    );
    assert!(change["caller"]["address"].is_string(), "{change}");

    // Polls go on and change nothing; the status says what is at the source.
    let polled = Instant::now();
    while site.status().await["lastAttempt"]["cause"] != "poll" {
        assert!(polled.elapsed() < PATIENCE, "{}", site.status().await);
    }
    let status = site.status().await;
    let told = (&status["live"]["revision"], &status["rolledBack"]["source"], &status["stale"]);
    assert_eq!(told, (&json!(first), &json!(second), &json!(true)), "{status}");

    site.dir.write("policies/claim.yaml", policy("claim", Effect::Deny));
    site.wait_for("claim", "EFFECT_DENY").await;
    assert_eq!(site.effect("leave").await, "EFFECT_DENY");
    assert!(site.status().await.get("rolledBack").is_none());

    let body = json!({"revision": first}).to_string();
    assert_eq!(site.roll_back(&body).await.status, 200);
    assert_eq!(site.effect("claim").await, "EFFECT_ALLOW");
    assert_eq!(site.reload("").await["outcome"], "activated");
    assert_eq!(site.effect("claim").await, "EFFECT_DENY");
}

#[tokio::test]
async fn shadow_records_what_a_candidate_would_answer_otherwise_and_changes_no_answer() {
    let candidate = TempDir::new("replay-shadow");
    candidate.write("leave.yaml", policy("leave", Effect::Deny));
    candidate.write("claim.yaml", policy("claim", Effect::Allow));
    let mut site = Site::start(&[&format!("--set=shadow.directory={}", candidate.path().display())]).await;
    let shadowed = |status: &Value| status["shadow"]["revision"].is_string();
    site.wait_until(shadowed).await;

    assert_eq!(site.effect("claim").await, "EFFECT_ALLOW");
    assert_eq!(site.effect("leave").await, "EFFECT_ALLOW");
    site.wait_until(|status| status["shadow"]["different"] == 1).await;
    let difference = site.newest("shadow_difference").await;
    let status = site.status().await;
    assert_eq!(status["shadow"]["same"], 1, "{status}");
    assert_eq!(difference["candidate"], status["shadow"]["revision"], "{difference}");
    assert_eq!(difference["live"]["revision"], status["live"]["revision"], "{difference}");
    let told = &difference["differences"][0];
    assert_eq!(
        (&told["decision"], &told["to"]["effect"]),
        (&json!(1), &json!("EFFECT_DENY")),
        "{difference}"
    );
    assert_eq!(told["from"]["effect"], "EFFECT_ALLOW");

    // Another candidate is taken up by itself, and one with an error decides nothing.
    let before = status["shadow"]["revision"].clone();
    candidate.write("leave.yaml", policy("leave", Effect::Allow));
    site.wait_until(|status| shadowed(status) && status["shadow"]["revision"] != before).await;
    assert_eq!(site.effect("leave").await, "EFFECT_ALLOW");
    site.wait_until(|status| status["shadow"]["same"] == 1).await;
    candidate.write("leave.yaml", "apiVersion: api.cerbos.dev/v1\nresourcePolicy: {}\n");
    site.wait_until(|status| status["shadow"]["problem"].is_string()).await;
    let metrics = String::from_utf8(site.connection.get("/metrics").await.unwrap().body).unwrap();
    assert!(metrics.contains("procura_shadow_calls_total{outcome=\"different\"} 1\n"), "{metrics}");
    let output = Command::new(BINARY)
        .args(["audit", "verify", "--data-dir"])
        .arg(site.dir.path().join("data"))
        .output();
    assert!(text(&output.unwrap()).contains("1 shadow_difference"));
}

#[tokio::test]
async fn masked_calls_are_counted_and_not_held_against_a_set() {
    let mask = "--set=audit.mask=[{path: principal.id, do: hash}]";
    let mut site = Site::start(&[mask, "--set=reload.requireNoChange=true"]).await;
    site.effect("leave").await;
    let data = site.dir.path().join("data");
    let report = |args: &[&str]| -> Value {
        let output = replay(&data, &[&["--format", "json"], args].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        // Where nothing could be compared, nothing is shown to stay as it is.
        assert_eq!(output.status.code(), Some(i32::from(report["calls"] == 0)), "{output:?}");
        report
    };
    let policies = TempDir::new("replay-masked");
    policies.write("leave.yaml", policy("leave", Effect::Deny));
    let against = report(&["--against", policies.path().to_str().unwrap()]);
    assert_eq!((&against["calls"], &against["partial"]), (&json!(0), &json!(1)), "{against}");
    let own = report(&[]);
    assert_eq!(own["calls"].as_u64().unwrap() + own["partial"].as_u64().unwrap(), 1, "{own}");
    site.dir.write("policies/leave.yaml", policy("leave", Effect::Deny));
    assert_eq!(site.reload("").await["outcome"], "activated");
}

#[test]
fn gate_and_shadow_without_a_log_are_refused() {
    for setting in ["reload.requireNoChange=true", "reload.maxChanged=1%", "shadow.directory=x"] {
        let mut command = Command::new(BINARY);
        let output =
            command.args(["config", "--set", setting, "--set", "audit.enabled=false"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{setting}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("needs the decision log"), "{output:?}");
    }
    for setting in
        ["reload.maxChanged=-1", "reload.maxChanged=101%", "reload.maxChanged=many", "reload.replayCalls=0"]
    {
        let output = Command::new(BINARY).args(["config", "--set", setting]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{setting}");
    }
}

fn replay(data: &Path, args: &[&str]) -> Output {
    Command::new(BINARY).arg("replay").arg("--data-dir").arg(data).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A running server that allows to see leave and claims, and a connection to it.
struct Site {
    dir: TempDir,
    _server: Server,
    connection: Connection,
}

impl Site {
    async fn start(args: &[&str]) -> Self {
        let dir = TempDir::new("it-replay");
        dir.write("policies/leave.yaml", policy("leave", Effect::Allow));
        dir.write("policies/claim.yaml", policy("claim", Effect::Allow));
        let spec = ServerSpec::new(BINARY, dir.path().join("policies"), dir.path().join("data"));
        let polls = args.iter().any(|arg| arg.contains("pollInterval"));
        let watch = format!("--set=storage.disk.watchForChanges={polls}");
        let spec = args.iter().fold(spec.arg(watch), |spec, arg| spec.arg(*arg));
        let server = spec.start().await.unwrap();
        let connection = server.connect().await.unwrap();
        Self { dir, _server: server, connection }
    }

    /// The effect for `view` on a resource of this kind, and the revision that gave it.
    async fn ask(&mut self, kind: &str) -> (String, String) {
        let resource = json!({"actions": ["view"], "resource": {"kind": kind, "id": "1"}});
        let body = json!({"principal": {"id": "sam", "roles": ["employee"]}, "resources": [resource]});
        let body = body.to_string();
        let answer = self.connection.post_json("/api/check/resources", body.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        let effect = answer.json().unwrap()["results"][0]["actions"]["view"].as_str().unwrap().to_owned();
        (effect, answer.header("procura-policy-revision").unwrap().to_owned())
    }

    async fn effect(&mut self, kind: &str) -> String {
        self.ask(kind).await.0
    }

    async fn revision(&mut self) -> String {
        self.ask("leave").await.1
    }

    async fn live(&mut self) -> Value {
        self.status().await["live"].take()
    }

    async fn status(&mut self) -> Value {
        self.connection.get("/admin/policies/status").await.unwrap().json().unwrap()
    }

    async fn reload(&mut self, query: &str) -> Value {
        let path = format!("/admin/policies/reload{query}");
        self.connection.post_json(&path, b"").await.unwrap().json().unwrap()
    }

    async fn roll_back(&mut self, body: &str) -> Response {
        self.connection.post_json("/admin/policies/rollback", body.as_bytes()).await.unwrap()
    }

    async fn wait_for(&mut self, kind: &str, effect: &str) {
        let began = Instant::now();
        while self.effect(kind).await != effect {
            assert!(began.elapsed() < PATIENCE, "{}", self.status().await);
        }
    }

    async fn wait_until(&mut self, holds: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        while !holds(&self.status().await) {
            assert!(began.elapsed() < PATIENCE, "{}", self.status().await);
        }
    }

    /// The newest record of this kind, as it stands in the log.
    async fn newest(&mut self, kind: &str) -> Value {
        let log = self.dir.path().join("data/log");
        let mut files: Vec<_> = fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let start = format!("{{\"v\":1,\"kind\":\"{kind}\"");
        let found = files.iter().rev().find_map(|file| {
            let bytes = fs::read(file).unwrap();
            let at = memchr::memmem::find_iter(&bytes, start.as_bytes()).last()?;
            let mut values = serde_json::Deserializer::from_slice(&bytes[at..]).into_iter::<Value>();
            values.next().and_then(Result::ok)
        });
        found.unwrap_or_else(|| panic!("no record of kind {kind}"))
    }
}
