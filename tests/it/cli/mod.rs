//! The command line, through the real binary: what it prints and the code it ends with.

mod compile;
mod serve;
mod signals;
mod test;
mod tls;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use procura_testkit::temp_dir::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

/// Longer than anything here takes, so that only a defect reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

const GOOD: &str = "\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules:
    - actions: [view]
      roles: [user]
      effect: EFFECT_ALLOW
    - actions: [view]
      roles: [user]
      effect: EFFECT_DENY
      name: not-blocked
      condition:
        match:
          expr: R.attr.blocked
";

const BAD: &str = "\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rulez: []
";

const REQUEST: &str = r#"{"requestId": "r1", "includeMeta": true,
  "principal": {"id": "ada", "roles": ["user"]},
  "resources": [{"actions": ["view", "edit"], "resource": {"kind": "album", "id": "1", "attr": {"blocked": false}}}]}"#;

fn procura(args: &[&str]) -> Output {
    run(&mut Command::new(BINARY), args, "")
}

fn run(command: &mut Command, args: &[&str], input: &str) -> Output {
    let piped = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // A command that fails early does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn expect(output: &Output, code: i32, words: &[&str]) -> String {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in\n{text}");
    }
    text
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn policies(file: &str) -> TempDir {
    let dir = TempDir::new("cli");
    dir.write("album.yaml", file);
    dir
}

#[test]
fn help_teaches_by_example() {
    expect(
        &procura(&["--help"]),
        0,
        &["Examples:", "procura serve", "procura check policies", "Exit codes:"],
    );
    for command in ["serve", "server", "check", "decide"] {
        expect(&procura(&[command, "--help"]), 0, &["Examples:", "Exit codes:"]);
    }
    expect(&procura(&["--version"]), 0, &["procura 0."]);
}

#[test]
fn wrong_usage_ends_with_two() {
    expect(&procura(&[]), 2, &["Usage:"]);
    expect(&procura(&["serv"]), 2, &["serve"]);
    expect(&procura(&["check"]), 2, &["<DIRECTORY>"]);
    expect(&procura(&["serve", "--set", "engine.onErr=closed"]), 2, &["did you mean `engine.onError`?"]);
    expect(&procura(&["serve", "--config", "/nonexistent.yaml"]), 2, &["cannot read `/nonexistent.yaml`"]);
    expect(&procura(&["serve", "--set", "log.level=a=b=c"]), 2, &["`log.level`"]);
}

#[test]
fn config_shows_each_value_with_its_origin() {
    let dir = TempDir::new("config");
    dir.write("c.yaml", "audit:\n  deadline: 2s\ntelemetry: {disabled: true}\n");
    let file = dir.path().join("c.yaml");
    let mut command = Command::new(BINARY);
    command.env("PROCURA_LOG__LEVEL", "warn");
    let args = ["config", "--config", text(&file), "--set=engine.onError=cerbos", "--data-dir=/data"];
    let output = run(&mut command, &args, "");
    let shown = expect(&output, 0, &["telemetry", "has no meaning here"]);
    let rows: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [
        ["audit.deadline", "2s", &format!("{}:2:3", text(&file))],
        ["log.level", "warn", "PROCURA_LOG__LEVEL"],
        ["engine.onError", "cerbos", "--set"],
        ["server.dataDir", "/data", "--data-dir"],
        ["audit.enabled", "true", "default"],
    ] {
        assert!(rows.contains(&row.to_vec()), "{row:?} is not in\n{shown}");
    }
}

#[test]
fn check_accepts_good_policies() {
    let dir = policies(GOOD);
    expect(&procura(&["check", text(dir.path())]), 0, &["ok: 1 file, 1 policy, revision "]);
    let two = policies(GOOD);
    two.write("day.yaml", GOOD.replace("album", "day"));
    expect(&procura(&["check", text(two.path())]), 0, &["ok: 2 files, 2 policies, revision "]);
    let output = procura(&["check", text(dir.path()), "--format=json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], true);
    assert_eq!(report["revision"].as_str().unwrap().len(), 64);
}

#[test]
fn check_names_the_place_of_every_problem() {
    let dir = policies(BAD);
    dir.write("sub/other.yaml", "nonsense: [");
    expect(
        &procura(&["check", text(dir.path())]),
        3,
        &["album.yaml:5:3", "sub/other.yaml:1:", "rulez", "errors"],
    );
    let output = procura(&["check", text(dir.path()), "--format=json"]);
    expect(&output, 3, &[]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let found = report["diagnostics"].as_array().unwrap();
    let at_its_place =
        |d: &&serde_json::Value| d["file"] == "album.yaml" && d["line"] == 5 && d["column"] == 3;
    let finding = found.iter().find(at_its_place).unwrap_or_else(|| panic!("{report}"));
    assert!(finding["frame"].as_str().unwrap().contains("rulez: []"), "the frame is missing: {finding}");
}

#[test]
fn missing_directory_is_named() {
    for command in ["check", "decide"] {
        let said = expect(&procura(&[command, "/nonexistent"]), 1, &["there is no directory `/nonexistent`"]);
        assert!(!said.contains("--set"), "the directory is an argument: {said}");
    }
}

#[test]
fn check_warns_of_a_directory_without_policies() {
    let dir = TempDir::new("cli");
    let warning = format!("no policy file in `{}`: every request will be denied", text(dir.path()));
    expect(&procura(&["check", text(dir.path())]), 0, &[&warning, "ok: 0 files"]);
}

#[test]
fn check_lists_the_rules_that_depend_on_error_handling() {
    let dir = policies(GOOD);
    let words =
        ["album.yaml:9:", "EFFECT_DENY rule `not-blocked` of `resource.album.vdefault`", "1 rule may decide"];
    expect(&procura(&["check", text(dir.path()), "--compare-on-error"]), 0, &words);
}

#[test]
fn decide_answers_from_a_file_and_from_standard_input() {
    let dir = policies(GOOD);
    let request = TempDir::new("request");
    request.write("r.json", REQUEST);
    let from_file = procura(&["decide", text(dir.path()), text(&request.path().join("r.json"))]);
    let from_input = run(&mut Command::new(BINARY), &["decide", text(dir.path())], REQUEST);
    for output in [from_file, from_input] {
        expect(&output, 0, &[]);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["requestId"], "r1");
        let result = &answer["results"][0];
        assert_eq!(result["actions"]["view"], "EFFECT_ALLOW", "{answer}");
        assert_eq!(result["actions"]["edit"], "EFFECT_DENY", "{answer}");
        assert_eq!(result["meta"]["actions"]["view"]["matchedPolicy"], "resource.album.vdefault", "{answer}");
    }
}

#[test]
fn decide_follows_the_setting_for_errors() {
    let dir = policies(GOOD);
    let request = REQUEST.replace(r#""blocked": false"#, "");
    for (set, effect) in [("closed", "EFFECT_DENY"), ("cerbos", "EFFECT_ALLOW")] {
        let set = format!("--set=engine.onError={set}");
        let output = run(&mut Command::new(BINARY), &["decide", text(dir.path()), &set], &request);
        expect(&output, 0, &[&format!("\"view\": \"{effect}\"")]);
    }
}

#[test]
fn decide_refuses_bad_requests_and_bad_policies() {
    let dir = policies(GOOD);
    for (input, word) in [("{", "error: "), (r#"{"principal": {"id": 1}}"#, "principal.id"), ("", "error: ")]
    {
        let output = run(&mut Command::new(BINARY), &["decide", text(dir.path())], input);
        expect(&output, 1, &[word]);
    }
    let bad = policies(BAD);
    expect(&run(&mut Command::new(BINARY), &["decide", text(bad.path())], REQUEST), 3, &["album.yaml:5:3"]);
}
