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
    it would be allowed if R.attr.amount were < 1000, it is 1200: rule small (order.yaml:15:23)

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
