//! `procura compile`: the exit codes and the JSON of `cerbos compile`.

use serde_json::{Value, json};

use super::{BAD, GOOD, expect, policies, procura, text};

const SUITE: &str = "\
name: Albums
principals: {ada: {id: ada, roles: [user]}}
resources: {album: {kind: album, id: a1, attr: {blocked: false}}}
tests:
  - name: viewing
    input: {principals: [ada], resources: [album], actions: [view, edit]}
    expected: [{principal: ada, resource: album, actions: {view: EFFECT_ALLOW}}]
";

fn compiled(files: &[(&str, &str)], args: &[&str], code: i32) -> Value {
    let dir = policies(GOOD);
    files.iter().for_each(|(path, text)| dir.write(path, text));
    let mut all = vec!["compile", "-o", "json", text(dir.path())];
    all.extend(args);
    let output = procura(&all);
    expect(&output, code, &[]);
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

#[test]
fn what_is_wrong_with_files_comes_first_and_alone() {
    let expression = GOOD.replace("resource: album", "resource: photo").replace("R.attr.blocked", "1 +");
    let files = [
        ("bad.yaml", BAD),
        ("again.yaml", GOOD),
        ("deep/scoped.yaml", &GOOD.replace("resource: album", "resource: song\n  scope: acme")),
        ("importing.yaml", &GOOD.replace("resource: album", "resource: film\n  importDerivedRoles: [roles]")),
        ("expression.yaml", &expression),
        ("off.yaml", &format!("disabled: true\n{}", GOOD.replace("resource: album", "resource: off"))),
    ];
    let found = compiled(&files, &[], 3);
    let lint = found["lintErrors"].as_object().unwrap();
    assert!(found.get("compileErrors").is_none());
    assert_eq!(lint["load_failures"][0]["file"], "bad.yaml");
    assert_eq!(lint["load_failures"][0]["error_details"]["kind"], 1);
    assert_eq!(
        lint["load_failures"][0]["error_details"]["position"],
        json!({"line": 5, "column": 3, "path": "$.resourcePolicy.rulez"})
    );
    assert_eq!(lint["duplicate_defs"][0]["policy"], "resource.album.vdefault");
    assert_eq!(lint["duplicate_defs"][0]["other_file"], "again.yaml");
    assert_eq!(lint["missing_imports"][0]["import_kind"], "derived roles");
    assert_eq!(lint["missing_imports"][0]["importing_policy"], "resource.film.vdefault");
    let missing =
        json!({"missing_policy": "resource.song.vdefault", "descendants": ["resource.song.vdefault/acme"]});
    assert_eq!(lint["missing_scope_details"], json!([missing]));
    assert_eq!(lint["disabled_defs"][0]["policy"], "resource.off.vdefault");
}

#[test]
fn files_that_cannot_be_used_are_missing_for_others() {
    let roles = "apiVersion: api.cerbos.dev/v1\nderivedRoles: {name: roles, definitions: []}\n";
    let importing = GOOD.replace("resource: album", "resource: film\n  importDerivedRoles: [roles]");
    let found = compiled(&[("roles.yaml", roles), ("film.yaml", &importing)], &[], 3);
    assert_eq!(found["lintErrors"]["load_failures"][0]["error_details"]["kind"], 2);
    assert_eq!(found["lintErrors"]["missing_imports"][0]["importing_file"], "film.yaml");
}

#[test]
fn errors_of_expressions_are_told_once_for_each_expression() {
    let wrong =
        GOOD.replace("resource: album", "resource: photo").replace("R.attr.blocked", "V.a && V.a && C.b");
    let found = compiled(&[("photo.yaml", &wrong)], &[], 3);
    let errors = found["compileErrors"]["errors"].as_array().unwrap();
    let kinds: Vec<_> = errors.iter().map(|error| error["error"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["undefined variable", "undefined constant"]);
}

#[test]
fn tests_run_and_their_results_have_the_form_of_the_peer() {
    let found = compiled(&[("album_test.yaml", SUITE)], &[], 0);
    assert_eq!(found["summary"]["overallResult"], "RESULT_PASSED");
    assert_eq!(found["summary"]["testsCount"], 2);
    let failing = SUITE.replace("EFFECT_ALLOW", "EFFECT_DENY");
    let found = compiled(&[("album_test.yaml", &failing)], &[], 4);
    assert_eq!(found["suites"][0]["file"], "album_test.yaml");
    assert_eq!(found["summary"]["overallResult"], "RESULT_FAILED");
    assert_eq!(compiled(&[("album_test.yaml", &failing)], &["--skip-tests"], 0), Value::Null);
    let found = compiled(&[("album_test.yaml", &failing)], &["--test-filter=action=edit"], 0);
    assert_eq!(found["summary"]["testsCount"], 1);
}

#[test]
fn flags_of_the_peer_are_taken() {
    let flags = [
        "--ignore-schemas",
        "--skip-batching",
        "--strict-evaluation",
        "--verbose",
        "--color=256",
        "--no-color",
        "--test-output=junit",
    ];
    let dir = policies(GOOD);
    dir.write("album_test.yaml", SUITE);
    let mut args = vec!["compile", text(dir.path())];
    args.extend(flags);
    expect(&procura(&args), 0, &["<testsuites errors=\"0\" failures=\"0\" skipped=\"0\" tests=\"2\">"]);
    let elsewhere = format!("--tests={}", text(dir.path()));
    let other = policies(GOOD);
    expect(&procura(&["compile", text(other.path()), &elsewhere]), 0, &["2 tests executed [2 OK]"]);
    let directory = text(dir.path());
    expect(&procura(&["compile", directory, "--test-filter="]), 0, &["2 tests executed"]);
    expect(&procura(&["compile", directory, "--test-filter=user=ada"]), 1, &["unknown dimension `user`"]);
    expect(&procura(&["compile", directory, "--unknown"]), 80, &["--unknown"]);
}

#[test]
fn switches_of_the_peer_may_have_a_value() {
    let dir = policies(GOOD);
    dir.write("album_test.yaml", SUITE);
    let directory = text(dir.path());
    let skipped = expect(&procura(&["compile", directory, "--skip-tests=true", "--verbose=false"]), 0, &[]);
    assert!(!skipped.contains("executed"), "{skipped}");
    expect(&procura(&["compile", directory, "--skip-tests=false"]), 0, &["2 tests executed"]);
    expect(&procura(&["compile", directory, "--skip-tests=maybe"]), 80, &["--skip-tests"]);
}

#[test]
fn what_has_another_meaning_here_is_said() {
    let dir = policies(GOOD);
    let directory = text(dir.path());
    expect(&procura(&["compile", directory, "--run=view"]), 80, &["write `--test-filter="]);
    expect(&procura(&["compile", directory, "-o", "junit"]), 80, &["write `--test-output junit`"]);
    let told = format!(
        "1 rule may decide differently in the server, whose `engine.onError` is `closed`: \
         procura check --compare-on-error {directory}\n"
    );
    expect(&procura(&["compile", directory]), 0, &[&told]);
    let same = expect(&procura(&["compile", directory, "--on-error=closed"]), 0, &[]);
    assert!(!same.contains("differently"), "{same}");
    let empty = procura_testkit::temp_dir::TempDir::new("cli");
    expect(&procura(&["compile", text(empty.path())]), 0, &["no policy file in"]);
}
