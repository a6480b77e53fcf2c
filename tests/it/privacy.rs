//! What is masked is nowhere on the disk, and what stands for it serves the auditor until its key is destroyed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_testkit::http::Connection;
use procura_testkit::server::{Server, ServerSpec};
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

/// Everything personal in the calls of these tests contains this, in capitals or not, or reversed.
const SECRET: &str = "clearvalue";

const POLICY: &str = r#"
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  schemas:
    principalSchema:
      ref: cerbos:///person.json
  rules:
    - actions: [view]
      effect: EFFECT_ALLOW
      roles: [user]
      condition:
        match:
          expr: P.attr.email + 1 > int(R.attr.owner) || timestamp(P.attr.email) > now()
      output:
        when:
          ruleActivated: P.attr.email
          conditionNotMet: "'for ' + P.id.upperAscii() + R.attr.owner.split('v')[0] + request.aux_data.jwt.sub"
    - actions: ["*"]
      effect: EFFECT_ALLOW
      roles: [user]
      output:
        when:
          ruleActivated: int(R.id)
"#;

const SCHEMA: &str = r#"{"type": "object", "additionalProperties": false,
    "properties": {"email": {"type": "string", "maxLength": 3, "pattern": "^a$", "enum": ["x"]}}}"#;

const MASK: &str = "--set=audit.mask=[\
    {path: principal.id, do: pseudonym}, {path: principal.attr, do: hash}, \
    {path: resource.id, do: hash}, {path: resource.attr.owner, do: remove, kinds: [album]}, \
    {path: context, do: hash}, {path: auxData.jwt.sub, do: hash}, \
    {path: call.caller, do: remove}, {path: call.requestId, do: hash}]";

async fn start(top: &TempDir, more: &[&str]) -> Server {
    top.write("policies/album.yaml", POLICY);
    top.write("policies/_schemas/person.json", SCHEMA);
    let mut spec = ServerSpec::new(BINARY, top.path().join("policies"), top.path().join("data"));
    let settings = [
        "schema.enforcement=warn",
        "auxData.jwt.disableVerification=true",
        "log.level=trace",
        "log.format=json",
    ];
    spec.args = settings.map(|setting| format!("--set={setting}")).to_vec();
    spec.args.extend(more.iter().map(|&argument| argument.to_owned()));
    spec.start().await.unwrap()
}

fn check() -> Value {
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let token = format!("{}.{}.AA", part(json!({"alg": "HS256"})), part(json!({"sub": "clearvalue-sub"})));
    let resource = |id: &str| json!({"kind": "album", "id": id, "attr": {"owner": "clearvalue-owner"}});
    json!({
        "requestId": "clearvalue-request",
        "principal": {
            "id": "clearvalue-alice", "roles": ["user"],
            "attr": {"email": "clearvalue@example.org", "home": {"clearvalue-name": 1}},
        },
        "resources": [
            {"actions": ["view", "edit"], "resource": resource("clearvalue-1")},
            {"actions": ["view"], "resource": resource("clearvalue-2")},
        ],
        "context": {"place": {"city": ["clearvalue-city"]}},
        "auxData": {"jwt": {"token": token}},
    })
}

async fn call(connection: &mut Connection, path: &str, body: &Value) -> String {
    let response = connection.post_json(path, body.to_string().as_bytes()).await.unwrap();
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    response.header("procura-call-id").unwrap().to_owned()
}

async fn get(connection: &mut Connection, path: &str) -> Value {
    let response = connection.get(path).await.unwrap();
    assert_eq!(response.status, 200, "{path}: {}", String::from_utf8_lossy(&response.body));
    response.json().unwrap()
}

fn procura(top: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).arg("--data-dir").arg(top.path().join("data"));
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The files below `directory` that hold `SECRET`, and how many files there are.
fn search(directory: &Path, found: &mut Vec<String>) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += search(&path, found);
        } else {
            files += 1;
            found.extend(tells(&fs::read(&path).unwrap()).then(|| path.display().to_string()));
        }
    }
    files
}

/// Whether `bytes` hold what is secret, in any of its forms.
fn tells(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let reversed: String = SECRET.chars().rev().collect();
    text.contains(SECRET) || text.contains(&reversed) || text.contains("clear")
}

#[tokio::test]
async fn nothing_masked_reaches_the_disk_or_a_log_line() {
    let top = TempDir::new("privacy");
    let mut server = start(&top, &[MASK, "--set=engine.globals.limit=2.5"]).await;
    let mut connection = server.connect().await.unwrap();
    let id = call(&mut connection, "/api/check/resources", &check()).await;
    call(&mut connection, "/api/check_resource_batch", &{
        let mut body = check();
        body.as_object_mut().unwrap().remove("context");
        body
    })
    .await;
    let evaluation = json!({
        "subject": {"type": "user", "id": "clearvalue-bob", "properties": {"email": "clearvalue@x"}},
        "action": {"name": "view"},
        "resource": {"type": "album", "id": "clearvalue-3", "properties": {"owner": "clearvalue"}},
        "context": {"cerbos.requestId": "clearvalue", "place": "clearvalue"},
    });
    call(&mut connection, "/access/v1/evaluation", &evaluation).await;
    let wrong =
        json!({"principal": {"id": "clearvalue", "roles": ["user"], "attr": "clearvalue"}, "resources": []});
    let refused = connection.post_json("/api/check/resources", wrong.to_string().as_bytes()).await.unwrap();
    assert_eq!(refused.status, 400);

    let record = get(&mut connection, &format!("/api/decisions/{id}")).await["record"].take();
    assert_eq!(record["replay"], "partial");
    assert_eq!(record["masked"].as_array().unwrap().len(), 8, "{record}");
    assert!(record["results"][0]["validationErrors"][0]["message"] == "masked", "{record}");
    assert!(record["results"][0]["decisions"][0]["problems"][0]["message"] == "masked", "{record}");
    assert!(record["results"][0]["decisions"][0]["outputs"][0]["error"] == "masked", "{record}");
    let shown = get(&mut connection, &format!("/api/decisions/{id}/1")).await.to_string();
    assert!(!tells(shown.as_bytes()), "{shown}");
    let entry = connection.get(&format!("/admin/auditlog/list/KIND_DECISION?lookup={id}")).await.unwrap();
    assert!(!tells(&entry.body) && entry.body.len() > 1000);

    server.signal("TERM").await.unwrap();
    server.wait().await.unwrap();
    let mut found = Vec::new();
    let files = search(&top.path().join("data"), &mut found);
    assert!(files > 4 && found.is_empty(), "{found:?}");
    assert!(server.output().contains("call_rejected"), "{}", server.output());
    assert!(!tells(server.output().as_bytes()), "{}", server.output());
    assert!(stdout(&procura(&top, &["audit", "list"])).contains("hmac:"));
    let shown = stdout(&procura(&top, &["audit", "show", &id]));
    for part in [
        "globals    {\"limit\":2.5}\n",
        ", which nobody verified\n",
        "masked     principal.id, principal.attr, ",
        "; the decisions cannot be made again from the record\n",
    ] {
        assert!(shown.contains(part) && !tells(shown.as_bytes()), "`{part}` is not in\n{shown}");
    }
    assert!(stdout(&procura(&top, &["audit", "verify"])).contains("3 decision"));
}

#[tokio::test]
async fn known_name_is_found_by_its_pseudonym_until_the_key_is_destroyed() {
    let top = TempDir::new("privacy");
    let mut server = start(&top, &[MASK, "--set=audit.pseudonyms.period=1s"]).await;
    let mut connection = server.connect().await.unwrap();
    let id = call(&mut connection, "/api/check/resources", &check()).await;
    let record = get(&mut connection, &format!("/api/decisions/{id}")).await["record"].take();
    let at = record["at"].as_str().unwrap();

    let named = ["audit", "pseudonym", "clearvalue-alice", "--at", at];
    let pseudonym = stdout(&procura(&top, &named));
    let pseudonym = pseudonym.trim();
    assert_eq!(record["principal"]["id"], pseudonym);
    let hash = stdout(&procura(&top, &["audit", "pseudonym", "clearvalue-1", "--hash"]));
    assert_eq!(record["resources"][0]["id"], hash.trim());
    let page = get(&mut connection, &format!("/api/decisions?principal={pseudonym}")).await;
    assert_eq!(page["decisions"].as_array().unwrap().len(), 1);

    assert!(!procura(&top, &["audit", "forget", "--before", "2999-01-01"]).status.success());
    until(|| {
        stdout(&procura(&top, &["audit", "forget", "--before", &now(), "--dry-run"])).contains("1 key would")
    })
    .await;
    assert!(stdout(&procura(&top, &["audit", "forget", "--before", &now()])).contains("1 key destroyed"));
    assert!(!procura(&top, &named).status.success(), "nobody can make it again");

    server.signal("TERM").await.unwrap();
    server.wait().await.unwrap();
    let _again = start(&top, &[]).await;
    assert!(stdout(&procura(&top, &["audit", "verify"])).contains("2 pseudonym_key"));
    let mut found = Vec::new();
    search(&top.path().join("data"), &mut found);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn wrong_masks_stop_the_start_and_say_what_is_meant() {
    let top = TempDir::new("privacy");
    for (mask, advice) in [
        ("[{path: principal.email, do: hash}]", "`audit.mask[0].path` is about nothing that a record has"),
        (
            "[{path: principal.id, do: encrypt}]",
            "`audit.mask[0].do` must be `remove` or `hash` or `pseudonym`",
        ),
        ("[{path: principal.id}]", "`audit.mask[0]` is not valid: missing field `do`"),
        ("[{path: principal.id, do: hash, kind: a}]", "unknown field `kind`"),
        ("{path: principal.id}", "`audit.mask` is not valid"),
        ("[{path: context, do: keep}]", "`audit.mask[0].do` `keep` is for `outputs` only"),
    ] {
        let setting = format!("--set=audit.mask={mask}");
        let output = procura(&top, &["serve", &setting]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{mask}: {told}");
        assert!(told.contains(advice), "{mask}: {told}");
    }
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// Waits until `holds`, which time alone brings about.
async fn until(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
