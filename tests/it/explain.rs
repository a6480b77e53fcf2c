//! Explanations through the server and the command line.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use procura_core::engine::{decide, explain};
use procura_core::model::Timestamp;
use procura_core::policy::compile;
use procura_testkit::corpus;
use procura_testkit::server::ServerSpec;
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

const POLICY: &str = "\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: order
  version: default
  constants: {local: {limit: 1000}}
  rules:
    - name: small
      actions: [pay]
      roles: [user]
      effect: EFFECT_ALLOW
      condition:
        match:
          all:
            of:
              - expr: R.attr.amount < C.limit
              - expr: R.attr.owner == P.id
    - {name: staff, actions: [pay], roles: [admin], effect: EFFECT_ALLOW}
    - {name: reads, actions: [view], roles: ['*'], effect: EFFECT_ALLOW}
";

fn request() -> Value {
    json!({
        "requestId": "r1",
        "principal": {"id": "ada", "roles": ["user"]},
        "resources": [{"actions": ["pay"], "resource": {"kind": "order", "id": "1", "attr": {"amount": 1200, "owner": "ada"}}}],
    })
}

fn policies(text: &str) -> TempDir {
    let directory = TempDir::new("explain");
    directory.write("order.yaml", text);
    directory
}

const SUITE: &str = "\
name: Orders
principals: {ada: {id: ada, roles: [user]}}
resources: {large: {id: '1', kind: order, attr: {amount: 1200, owner: ada}}}
tests:
  - name: paying
    input: {principals: [ada], resources: [large], actions: [pay, view]}
    expected:
      - {principal: ada, resource: large, actions: {pay: EFFECT_ALLOW, view: EFFECT_ALLOW}}
";

/// What `procura test` prints about [`POLICY`] and `suite`, on both channels, and its exit code.
fn tested(suite: &str, args: &[&str]) -> (String, Option<i32>) {
    let directory = policies(POLICY);
    directory.write("order_test.yaml", suite);
    let output = Command::new(BINARY).arg("test").arg(directory.path()).args(args).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.code())
}

fn on_command_line(directory: &TempDir, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("explain").arg(directory.path()).args(args).stdin(Stdio::piped());
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that refuses its policies does not read its input.
    let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
    process.wait_with_output().unwrap()
}

#[test]
fn every_decision_of_the_corpus_is_explained_as_it_is_made() {
    for behaviour in corpus::behaviours() {
        let snapshot = compile(&behaviour.files()).snapshot.unwrap();
        for case in &behaviour.cases {
            let (body, settings) = (case.body(), case.settings());
            let request = case.core_request(&body);
            let explanation = explain(&snapshot, &request, &settings, Timestamp::UNIX_EPOCH);
            let decided = decide(&snapshot, &request, &settings, Timestamp::UNIX_EPOCH);
            assert_eq!(explanation.evaluation, decided, "{}: {}", behaviour.name, case.name);
            for (explained, decided) in explanation.results.iter().zip(&decided.resources) {
                for (explained, decided) in explained.actions.iter().zip(&decided.actions) {
                    assert_eq!((explained.effect, explained.reason), (decided.effect, decided.reason.code()));
                    let by = explained.decided_by.as_ref().and_then(|decider| decider.rule.as_deref());
                    assert_eq!(by, decided.rule.as_deref(), "{}: {}", behaviour.name, case.name);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_explains_as_the_command_line_does_and_records_nothing() {
    let directory = policies(POLICY);
    let data = TempDir::new("explain-data");
    let server = ServerSpec::new(BINARY, directory.path(), data.path()).start().await.unwrap();
    let mut connection = server.connect().await.unwrap();
    let body = request().to_string();

    let response = connection.post_json("/api/explain", body.as_bytes()).await.unwrap();
    assert_eq!(response.status, 200);
    assert!(response.header("procura-policy-revision").is_some());
    assert_eq!(response.header("procura-call-id"), None, "an explanation is no decision");
    let explained = response.json().unwrap();
    let action = &explained["results"][0]["actions"][0];
    assert_eq!(action["effect"], "EFFECT_DENY");
    assert_eq!(
        action["opposite"],
        json!([{
            "rule": "small", "expr": "R.attr.amount < C.limit", "position": "order.yaml:15:23", "needed": true,
            "attribute": "R.attr.amount", "actual": "1200", "wanted": "< 1000",
        }])
    );
    let output = on_command_line(&directory, &["-o", "json"], &body);
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), explained);

    let log = connection.get("/api/decisions").await.unwrap().json().unwrap();
    assert_eq!(log["decisions"], json!([]));
    let response = connection.post_json("/api/explain", b"{\"principal\": 1}").await.unwrap();
    assert_eq!((response.status, response.json().unwrap()["code"].clone()), (400, json!("invalid_request")));
    assert_eq!(connection.get("/api/explain").await.unwrap().status, 405);
}

#[test]
fn tree_shows_what_was_asked_what_it_read_and_what_would_do() {
    let output = on_command_line(&policies(POLICY), &[], &request().to_string());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = "\
order 1
  policies of version default, scopes: the root
  roles: user

  pay: denied, no_rule_matched
    resource.order.vdefault
      small [allow] does not apply for user: its condition is false (order.yaml:7:7)
        false: all of
          false: R.attr.amount < C.limit (order.yaml:15:23)
            R.attr.amount = 1200
            C.limit = 1000
          not needed: R.attr.owner == P.id (order.yaml:16:23)
      staff [allow] is not for this principal: it needs role admin (order.yaml:17:7)
      not about pay: reads
    it would be allowed if R.attr.amount < C.limit were true (R.attr.amount is 1200): rule small (order.yaml:15:23)

";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn exit_codes_are_those_of_decide() {
    let bad = policies("apiVersion: api.cerbos.dev/v1\nresourcePolicy: {}\n");
    assert_eq!(on_command_line(&bad, &[], &request().to_string()).status.code(), Some(3));
    let good = policies(POLICY);
    assert_eq!(on_command_line(&good, &[], "{").status.code(), Some(1));
    assert_eq!(on_command_line(&good, &["-o", "pdf"], "").status.code(), Some(2));
}

#[test]
fn what_comes_from_a_request_cannot_disturb_the_terminal() {
    let mut request = request();
    request["resources"][0]["resource"]["id"] = json!("1\u{1b}[2J\nhere: allowed");
    request["resources"][0]["resource"]["attr"]["amount"] = json!("\u{1b}[31m");
    let output = on_command_line(&policies(POLICY), &[], &request.to_string());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(text.starts_with("order 1\\u{1b}[2J here: allowed\n"), "{text:?}");
}

#[test]
fn failing_expectation_is_traced_in_every_output() {
    let tree = "\
        └─┬pay [FAILED]
          ├──OUTCOME: expected: EFFECT_ALLOW, actual: EFFECT_DENY
          └──TRACE:
              pay: denied, no_rule_matched
                resource.order.vdefault
                  small [allow] does not apply for user: its condition is false (order.yaml:7:7)
";
    let reason = "it would be allowed if R.attr.amount &lt; C.limit were true (R.attr.amount is 1200)";
    for (output, expected) in [
        ("tree", tree),
        ("junit", "<trace>pay: denied, no_rule_matched&#xA;"),
        ("junit", reason),
        ("sarif", "expected allow, but it is deny\\npay: denied, no_rule_matched\\n"),
    ] {
        let (text, code) = tested(SUITE, &["--output", output]);
        assert!(text.contains(expected), "{output}: {text}");
        assert_eq!(code, Some(4));
    }
    let trace = |args: &[&str]| {
        let report: Value = serde_json::from_str(&tested(SUITE, args).0).unwrap();
        let actions = &report["suites"][0]["testCases"][0]["principals"][0]["resources"][0]["actions"];
        assert_eq!(actions[1]["trace"], Value::Null, "what passes is not explained");
        actions[0]["trace"].clone()
    };
    assert_eq!(trace(&["-o", "json"]), Value::Null, "the report is the peer's");
    assert_eq!(trace(&["-o", "json", "--trace"])["actions"][0]["opposite"][0]["wanted"], "< 1000");
}

#[test]
fn coverage_names_what_no_test_has_met() {
    let gaps = "\
  order.yaml: 1 of 3 rules, 1 of 4 outcomes of conditions
    order.yaml:7:7: rule `small` applies in no test
    order.yaml:15:23: `R.attr.amount < C.limit` of `small` is true in no test
    order.yaml:16:23: `R.attr.owner == P.id` of `small` is true in no test
    order.yaml:16:23: `R.attr.owner == P.id` of `small` is false in no test
    order.yaml:17:7: no test asks rule `staff`
28 % covered: 1 of 3 rules, 1 of 4 outcomes of conditions
";
    let passing = SUITE.replace("pay: EFFECT_ALLOW", "pay: EFFECT_DENY");
    for output in ["tree", "list", "junit"] {
        let (text, code) = tested(&passing, &["--coverage", "-o", output]);
        assert!(text.ends_with(gaps), "{output}: {text}");
        assert_eq!(code, Some(0));
    }
    let (text, _) = tested(&passing, &["--coverage", "-o", "sarif"]);
    assert!(text.contains("no test asks rule `staff`") && text.contains("\"note\""), "{text}");
    let (text, _) = tested(&passing, &["--coverage", "-o", "json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["coverage"]["rules"], json!({"covered": 1, "total": 3}));
    assert_eq!(
        report["coverage"]["files"][0]["gaps"][1],
        json!({"position": "order.yaml:15:23", "of": "small", "expr": "R.attr.amount < C.limit", "missing": "true"})
    );
    let (text, code) = tested(&passing, &["--coverage-min", "29"]);
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains("the tests cover 28 %, less than the 29 % asked for"), "{text}");
    assert_eq!(tested(&passing, &["--coverage-min", "28"]).1, Some(0));
    assert_eq!(tested(&passing, &["--coverage-min", "101"]).1, Some(2));
    assert!(!tested(&passing, &["-o", "json"]).0.contains("coverage"));
}
