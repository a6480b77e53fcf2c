//! `procura test`: results, their forms, and running again.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{BAD, BINARY, GOOD, expect, policies, procura, text};

const SUITE: &str = "\
name: Albums
principals: {ada: {id: ada, roles: [user]}}
resources: {album: {kind: album, id: a1, attr: {blocked: true}}}
tests:
  - name: viewing
    input: {principals: [ada], resources: [album], actions: [view]}
    expected:
      - principal: ada
        resource: album
        actions: {view: EFFECT_ALLOW}
  - name: left out
    skip: true
    skipReason: not yet
    input: {principals: [ada], resources: [album], actions: [view]}
    expected: [{principal: ada, resource: album, actions: {view: EFFECT_DENY}}]
";

const TREE: &str = "\
Test results
└─┬Albums (album_test.yaml) [1 SKIPPED] [1 FAILED]
  ├─┬viewing
  │ └─┬ada
  │   └─┬album
  │     └─┬view [FAILED]
  │       ├──OUTCOME: expected: EFFECT_ALLOW, actual: EFFECT_DENY
  │       └──TRACE:
  │           view: denied, deny_rule, by rule not-blocked of resource.album.vdefault (album.yaml:9:7)
  │             resource.album.vdefault
  │               rule-001 [allow] allows for user (album.yaml:6:7)
  │               not-blocked [deny] denies for user (album.yaml:9:7)
  │                 true: R.attr.blocked (album.yaml:15:17)
  │                   R.attr.blocked = true
  │             it would be allowed if R.attr.blocked were false (R.attr.blocked is true): rule not-blocked (album.yaml:15:17)
  └─┬left out
    └─┬ada
      └─┬album
        └──view [SKIPPED]: not yet

2 tests executed [1 SKIPPED] [1 FAILED]
";

#[test]
fn failing_tests_are_shown_as_a_tree_without_colours() {
    let dir = policies(GOOD);
    dir.write("album_test.yaml", SUITE);
    let output = procura(&["test", text(dir.path())]);
    expect(&output, 4, &[]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), TREE);
    let passing = SUITE.replace("EFFECT_ALLOW", "EFFECT_DENY");
    dir.write("album_test.yaml", &passing);
    expect(&procura(&["test", text(dir.path()), "-v"]), 0, &["view [OK]", "RESULT: EFFECT_DENY"]);
    let filter = "test=left*";
    expect(&procura(&["test", text(dir.path()), "--filter", filter]), 0, &["1 tests executed [1 SKIPPED]"]);
}

#[test]
fn sarif_names_the_line_of_the_expectation() {
    let dir = policies(GOOD);
    dir.write("album_test.yaml", SUITE);
    let output = procura(&["test", text(dir.path()), "--output", "sarif"]);
    expect(&output, 4, &[]);
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    let result = &log["runs"][0]["results"][0];
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!((&log["version"], &result["ruleId"]), (&"2.1.0".into(), &"test-failed".into()));
    assert_eq!(place["region"]["startLine"], 10);
    assert!(place["artifactLocation"]["uri"].as_str().unwrap().ends_with("/album_test.yaml"), "{place}");

    let broken = policies(BAD);
    let output = procura(&["test", text(broken.path()), "--output", "sarif"]);
    expect(&output, 3, &["unknown field `rulez`"]);
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "P0003");
}

#[test]
fn watched_tests_run_again_when_a_file_changes() {
    let dir = policies(GOOD);
    dir.write("album_test.yaml", SUITE);
    let mut child = Command::new(BINARY)
        .args(["test", text(dir.path()), "--watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("[1 SKIPPED] [1 FAILED]") && line.contains("executed")));
    dir.write("album_test.yaml", SUITE.replace("EFFECT_ALLOW", "EFFECT_DENY"));
    assert!(lines.any(|line| line.contains("[1 SKIPPED] [1 OK]") && line.contains("executed")));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn errors_in_policies_are_told_in_the_form_that_was_asked_for() {
    let broken = policies(BAD);
    let output = procura(&["test", text(broken.path()), "-o", "json"]);
    expect(&output, 3, &[]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["lintErrors"]["load_failures"][0]["file"], "album.yaml");
    assert_eq!(found["diagnostics"][0]["code"], "P0003");
    let output = procura(&["test", text(broken.path()), "-o", "junit"]);
    expect(&output, 3, &[]);
    let found = String::from_utf8_lossy(&output.stdout);
    let counts = r#"errors="1" failures="0" skipped="0" tests="0""#;
    for part in [
        &format!("<testsuites {counts}>\n"),
        &format!("<testsuite name=\"policies\" file=\"album.yaml\" {counts}>"),
        "<error type=\"RESULT_ERRORED\">album.yaml:5:3: unknown field `rulez`",
    ] {
        assert!(found.contains(part), "`{part}` is not in\n{found}");
    }
}

#[test]
fn filters_leave_out_what_they_do_not_select_and_must_select_something() {
    let dir = policies(GOOD);
    dir.write("album_test.yaml", SUITE.replace("EFFECT_ALLOW", "EFFECT_DENY"));
    let run = |filter: &str, format: &str| {
        procura(&["test", text(dir.path()), "--filter", filter, "-v", "--output", format])
    };
    let counts = r#"errors="0" failures="0" skipped="0" tests="1""#;
    let shown = expect(&run("test=viewing", "junit"), 0, &[&format!("<testsuites {counts}>")]);
    assert_eq!(shown.matches("<testcase ").count(), 1, "{shown}");
    let shown = expect(&run("test=viewing", "list"), 0, &["viewing", "1 tests executed [1 OK]"]);
    assert!(!shown.contains("left out"), "{shown}");
    let shown = expect(&run("test=nothing", "junit"), 4, &["no test matches `test=nothing`", "tests=\"0\""]);
    assert!(!shown.contains("<testcase "), "{shown}");
    let args = ["compile", text(dir.path()), "--test-filter", "test=nothing"];
    expect(&procura(&args), 0, &["no test matches `test=nothing`"]);
}

#[test]
fn tests_run_under_the_settings_of_a_server() {
    let schema = r#"{"type": "object", "properties": {"blocked": {"type": "string"}}}"#;
    let named =
        GOOD.replace("  rules:", "  schemas: {resourceSchema: {ref: \"cerbos:///album.json\"}}\n  rules:");
    let dir = policies(&named);
    dir.write("_schemas/album.json", schema);
    dir.write("album_test.yaml", SUITE.replace("blocked: true", "blocked: false"));
    let run = |args: &[&str]| procura(&[&["test", text(dir.path())], args].concat());
    expect(&run(&[]), 0, &["[1 OK]"]);
    expect(&run(&["--schema-enforcement", "none"]), 0, &["[1 OK]"]);
    expect(&run(&["--schema-enforcement", "warn"]), 0, &["[1 OK]"]);
    expect(&run(&["--schema-enforcement", "reject"]), 4, &["[1 FAILED]"]);
    expect(&run(&["--set", "schema.enforcement=reject"]), 4, &["[1 FAILED]"]);
    expect(&run(&["--set", "schema.enforcement=reject", "--schema-enforcement", "none"]), 0, &["[1 OK]"]);
    expect(&run(&["--set", "schema.enforcment=reject"]), 2, &["did you mean `schema.enforcement`?"]);
}

#[test]
fn suites_that_cannot_be_run_say_where_and_what_was_meant() {
    let dir = policies(GOOD);
    dir.write("a_test.yaml", SUITE.replacen("principals: [ada]", "principals: [adda]", 1));
    dir.write("b_test.yaml", SUITE.replace("skipReason", "skipReson"));
    dir.write("sub/c_test.yaml", SUITE);
    dir.write("sub/testdata/principals.yaml", "principal: {}\n");
    let words = [
        "invalid test \"viewing\"",
        "AT: a_test.yaml:5:5",
        "HELP: `adda` in `input.principals`: did you mean `ada`?",
        "HELP: `skipReson` in line 13: did you mean `skipReason`?",
        "AT: sub/testdata/principals.yaml:1:1",
        "HELP: `principal` in line 1: did you mean `principals`?",
    ];
    expect(&procura(&["test", text(dir.path())]), 4, &words);
    let words = [
        "warning[P0060]",
        " --> a_test.yaml:5:5",
        " --> sub/testdata/principals.yaml:1:1",
        "did you mean `ada`?",
    ];
    expect(&procura(&["check", text(dir.path())]), 0, &words);
    expect(&procura(&["check", text(dir.path()), "--deny-warnings"]), 3, &["refused: 1 file", "3 warnings"]);
}
