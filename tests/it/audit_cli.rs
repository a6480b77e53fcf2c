//! `procura audit` on the log of a data directory, as an auditor uses it.

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use procura::audit::{DirFiles, Log, LogSettings};
use procura::ports::{Clock, DecisionLog, LogFiles};
use procura::telemetry::Metrics;
use procura_core::model::Effect;
use procura_testkit::calls::MadeUpCall;
use procura_testkit::clock::SteppingClock;
use procura_testkit::reload_storm::policy;
use procura_testkit::server::ServerSpec;
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

/// Longer than anything may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// A data directory with two calls in its log, and their ids.
async fn data_dir() -> (TempDir, Vec<String>) {
    let dir = TempDir::new("audit-cli");
    let files = Arc::new(DirFiles::open(&dir.path().join("log")).unwrap());
    let clock = Arc::new(SteppingClock::default());
    let metrics = Arc::new(Metrics::new().unwrap());
    let (log, _) = Log::open(files, &LogSettings::default(), clock.clone(), metrics).unwrap();
    let mut ids = Vec::new();
    for (principal, action, effect) in [("alice", "view", Effect::Allow), ("bob", "delete", Effect::Deny)] {
        let at = clock.now();
        let call = MadeUpCall { at, number: 1, principal, action, resource: "a1", effect, padding: 0 };
        log.append(call.record()).await.unwrap();
        ids.push(call.id());
    }
    log.close();
    (dir, ids)
}

fn audit(dir: &TempDir, args: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("audit").args(args).arg("--data-dir").arg(dir.path());
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn list_says_who_was_decided_on_newest_first() {
    let (dir, ids) = data_dir().await;
    let expected = format!(
        "2026-11-22T00:00:00.001Z {}/1 principal `bob` attempted `delete` on `album:a1` and was denied because of \
         policy `resource.album.vdefault` rule `rule-001`\n\
         2026-11-22T00:00:00Z {}/1 principal `alice` attempted `view` on `album:a1` and was allowed because of \
         policy `resource.album.vdefault` rule `rule-001`\n",
        ids[1], ids[0]
    );
    assert_eq!(stdout(&audit(&dir, &["list"])), expected);

    let denied = stdout(&audit(&dir, &["list", "--effect", "deny", "--format", "json"]));
    let denied: Vec<Value> = denied.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(denied.len(), 1);
    assert_eq!(denied[0]["record"]["call"]["id"], ids[1].as_str());
    assert_eq!(stdout(&audit(&dir, &["list", "--effect", "EFFECT_DENY"])).lines().count(), 1);
    for (args, lines, note) in [
        (&["--principal", "nobody"], 0, "no decision matches\n"),
        (&["--limit", "1"], 1, "1 call shown; there may be more: raise `--limit`\n"),
        (&["--limit", "2"], 2, ""),
        (&["--since", "2026-11-22"], 2, ""),
        (&["--until", "2026-11-22"], 0, "no decision matches\n"),
    ] {
        let output = audit(&dir, &[&["list"], &args[..]].concat());
        assert_eq!(stdout(&output).lines().count(), lines, "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), note, "{args:?}");
    }
    let output = audit(&dir, &["list", "--since", "yesterday"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("expected an instant such as `2026-11-21T00:00:00Z` or a date"), "{error}");
}

#[tokio::test]
async fn query_and_tail_find_what_a_filter_holds_for() {
    let (dir, ids) = data_dir().await;
    for (filter, expected) in [
        ("principal == 'bob' && effect == 'deny'", &ids[1..]),
        ("principal == 'bob' && effect == 'allow'", &[]),
        ("rule == 'rule-001' && action in ['view', 'edit']", &ids[..1]),
    ] {
        for subcommand in ["query", "tail"] {
            let found = stdout(&audit(&dir, &[subcommand, "--where", filter, "--format", "json"]));
            let found: Vec<Value> = found.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let found: Vec<_> =
                found.iter().map(|line| line["record"]["call"]["id"].as_str().unwrap()).collect();
            assert_eq!(found, expected, "{subcommand} {filter}");
        }
    }
    let tail = stdout(&audit(&dir, &["tail"]));
    assert!(tail.find("alice").unwrap() < tail.find("bob").unwrap(), "oldest first:\n{tail}");
    let output = audit(&dir, &["query", "--where", "principal = 'bob'"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("at character 11: expected `==`"));
}

#[tokio::test]
async fn tail_follows_the_log_of_a_running_server_from_segment_to_segment() {
    let dir = TempDir::new("audit-follow");
    dir.write("policies/leave.yaml", policy("leave", Effect::Allow));
    let server = ServerSpec::new(BINARY, dir.path().join("policies"), dir.path().join("data"))
        .arg("--set=audit.segmentBytes=65536")
        .start()
        .await
        .unwrap();
    let mut connection = server.connect().await.unwrap();
    let mut ask = async |principal: &str| {
        let principal = json!({"id": principal, "roles": ["user"], "attr": {"padding": "x".repeat(10_000)}});
        let resources = json!([{"actions": ["view"], "resource": {"kind": "leave", "id": "1"}}]);
        let body = json!({"principal": principal, "resources": resources}).to_string();
        let answer = connection.post_json("/api/check/resources", body.as_bytes()).await.unwrap();
        answer.header("procura-call-id").unwrap().to_owned()
    };
    let first = ask("ann").await;
    let mut tail = tokio::process::Command::new(BINARY)
        .args([
            "audit",
            "tail",
            "--follow",
            "--where",
            "principal == 'ann'",
            "--format",
            "json",
            "--data-dir",
        ])
        .arg(dir.path().join("data"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut shown = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = async || {
        let line = tokio::time::timeout(PATIENCE, shown.next_line()).await.unwrap().unwrap().unwrap();
        let shown: Value = serde_json::from_str(&line).unwrap();
        shown["record"]["call"]["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(next().await, first, "it is there, and follows from now on");
    for _ in 0..5 {
        for _ in 0..4 {
            ask("bob").await;
        }
        let id = ask("ann").await;
        assert_eq!(next().await, id);
    }
    let segments = std::fs::read_dir(dir.path().join("data/log")).unwrap();
    let segments = segments.filter(|entry| entry.as_ref().unwrap().path().to_str().unwrap().contains(".seg"));
    assert!(segments.count() > 2);
}

#[tokio::test]
async fn stats_count_and_find_rules_that_never_decided() {
    let (dir, _) = data_dir().await;
    let text = stdout(&audit(&dir, &["stats", "--by", "principal,effect"]));
    assert_eq!(
        text,
        " decisions  principal  effect\n         1  alice  EFFECT_ALLOW\n         1  bob  EFFECT_DENY\n"
    );
    let text =
        stdout(&audit(&dir, &["stats", "--by", "action", "--where", "effect == 'deny'", "--format", "json"]));
    assert_eq!(text, "{\"count\":1,\"values\":{\"action\":\"delete\"}}\n");
    let policy = "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  version: default\n  resource: album\n  rules:\n    \
                  - {actions: [view], effect: EFFECT_ALLOW, roles: [user]}\n    \
                  - {actions: [edit], effect: EFFECT_ALLOW, roles: [user], name: editing}\n";
    dir.write("policies/album.yaml", policy);
    let set = format!("--set=storage.disk.directory={}", dir.path().join("policies").display());
    let output = audit(&dir, &["stats", "--unused", &set]);
    let text = stdout(&output);
    assert!(text.starts_with("EFFECT_ALLOW resource.album.vdefault editing "), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "1 of 2 rules decided none of 2 decisions\n");
}

#[tokio::test]
async fn export_writes_records_and_flat_decisions() {
    let (dir, ids) = data_dir().await;
    let lines = |args: &[&str]| -> Vec<Value> {
        let text = stdout(&audit(&dir, args));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let records = lines(&["export"]);
    assert_eq!(records.iter().map(|line| line["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(records[0]["record"]["call"]["id"], ids[0].as_str());
    let flat = lines(&["export", "--flat", "--principal", "bob"]);
    assert_eq!(flat.len(), 1);
    assert_eq!((flat[0]["callId"].as_str(), flat[0]["number"].as_u64()), (Some(ids[1].as_str()), Some(1)));
    assert_eq!(
        (flat[0]["effect"].as_str(), flat[0]["rule"].as_str()),
        (Some("EFFECT_DENY"), Some("rule-001"))
    );
    assert!(lines(&["export", "--until", "2026-11-22"]).is_empty());
}

#[tokio::test]
async fn report_is_a_timeline_with_its_proof() {
    let (dir, ids) = data_dir().await;
    let text = stdout(&audit(&dir, &["report", "--principal", "bob"]));
    for part in [
        "| about | principal == &quot;bob&quot; |",
        "| proof | verified: records 1 to 2, hash ",
        &ids[1],
        "| EFFECT_DENY | deny_rule | 1 |",
    ] {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
    assert!(!text.contains(&ids[0]), "{text}");
    let page = stdout(&audit(&dir, &["report", "--html", "--where", "principal != '<b>'"]));
    assert!(
        page.starts_with("<!doctype html>") && page.contains("&lt;b&gt;") && !page.contains("<b>"),
        "{page}"
    );

    let segment = dir.path().join("log/log-00000000000000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert_eq!(audit(&dir, &["report"]).status.code(), Some(1));
}

#[tokio::test]
async fn log_is_found_as_the_server_finds_it() {
    let (dir, _) = data_dir().await;
    let elsewhere = TempDir::new("audit-elsewhere");
    elsewhere.write("c.yaml", format!("server: {{dataDir: {}}}", dir.path().display()));
    let set = format!("--set=server.dataDir={}", dir.path().display());
    let variable = ("PROCURA_SERVER__DATA_DIR", dir.path().to_str().unwrap());
    let ways: [(&[&str], _); 3] = [(&["--config=c.yaml"], None), (&[&set], None), (&[], Some(variable))];
    for (args, variable) in ways {
        for subcommand in ["list", "verify"] {
            let mut command = Command::new(BINARY);
            command.args(["audit", subcommand]).args(args).envs(variable).current_dir(elsewhere.path());
            assert_ne!(stdout(&command.output().unwrap()), "", "{subcommand} {args:?}");
        }
    }
}

#[tokio::test]
async fn show_explains_a_call_or_one_of_its_decisions() {
    let (dir, ids) = data_dir().await;
    for id in [ids[0].clone(), format!("{}/1", ids[0])] {
        let text = stdout(&audit(&dir, &["show", &id]));
        for part in
            ["principal `alice` attempted `view`", "revision none", "record     1 of the chain", "\"roles\":"]
        {
            assert!(text.contains(part), "`{part}` is not in\n{text}");
        }
        assert!(!text.contains("null"), "{text}");
    }
    for id in ["nothing".to_owned(), format!("{}/2", ids[0])] {
        let output = audit(&dir, &["show", &id]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains(&id));
    }
    let output = audit(&dir, &["show", "nothing"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("`cerbosCallId`"));
}

#[tokio::test]
async fn verify_passes_a_whole_log_and_names_what_was_changed() {
    let (dir, _) = data_dir().await;
    let text = stdout(&audit(&dir, &["verify"]));
    assert!(text.starts_with("verified: 2 records in 1 segment (2 decision)\n"), "{text}");

    let files = DirFiles::open_to_read(&dir.path().join("log")).unwrap();
    let name = files.list().unwrap().into_iter().find(|name| name.ends_with(".seg")).unwrap();
    let path = dir.path().join("log").join(&name);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(5).position(|five| five == b"alice").unwrap();
    bytes[at..at + 5].copy_from_slice(b"carol");
    std::fs::write(&path, bytes).unwrap();
    let output = audit(&dir, &["verify"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    for part in [&name, "record 1", path.parent().unwrap().to_str().unwrap(), "docs/reference/log-format.md"]
    {
        assert!(error.contains(part), "`{part}` is not in\n{error}");
    }
}

#[test]
fn a_directory_without_a_log_is_named() {
    let dir = TempDir::new("audit-none");
    let output = audit(&dir, &["list"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("holds no decision log"), "{error}");
}
