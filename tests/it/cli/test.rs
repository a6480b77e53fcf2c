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
  │             it would be allowed if R.attr.blocked == false instead of true: rule not-blocked (album.yaml:15:17)
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
