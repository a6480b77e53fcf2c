//! `procura quarantine` against a running server, and what becomes of quarantines across restarts.

use std::fs;
use std::process::{Command, Output};

use procura_testkit::http::Connection;
use procura_testkit::issuer::{SigningKey, jwks};
use procura_testkit::server::{Server, ServerSpec};
use procura_testkit::temp_dir::TempDir;
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

const CHECK: &str = "/api/check/resources";

const POLICY: &str = "apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules:
    - {actions: [view], roles: [user], effect: EFFECT_ALLOW}
";

fn procura(server: &Server, words: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("quarantine").args(words).args(["--server", &format!("http://{}", server.address())]);
    command.output().unwrap()
}

fn told(output: &Output) -> (Option<i32>, String) {
    let text = [&*output.stdout, &*output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantine_survives_a_restart_and_a_damaged_list_stops_the_start() {
    let dir = TempDir::new("quarantine");
    dir.write("policies/album.yaml", POLICY);
    let (policies, data) = (dir.path().join("policies"), dir.path().join("data"));
    let mut server = ServerSpec::new(BINARY, &policies, &data).start().await.unwrap();
    let add =
        ["add", "--issuer", "https://id.example", "--since", "2026-01-01T00:00:00Z", "--reason", "stolen"];
    let begun = "issuer `https://id.example` suspect since 2026-01-01T00:00:00Z: stolen\n";
    let (code, text) = told(&procura(&server, &[&add[..], &["--id", "one"]].concat()));
    assert_eq!((code, text), (Some(0), format!("begun: one {begun}")));
    assert_eq!(told(&procura(&server, &add)).0, Some(0));
    assert_eq!(told(&procura(&server, &["affected", "one"])), (Some(0), String::new()));
    server.kill().await.unwrap();

    let mut server = ServerSpec::new(BINARY, &policies, &data).start().await.unwrap();
    let (code, text) = told(&procura(&server, &["list"]));
    assert_eq!((code, text.lines().count()), (Some(0), 2), "{text}");
    assert!(text.starts_with(&format!("one {begun}q-")), "{text}");
    assert_eq!(told(&procura(&server, &["lift", "one"])), (Some(0), format!("lifted: one {begun}")));
    let (code, text) = told(&procura(&server, &["lift", "one"]));
    assert_eq!((code, &*text), (Some(1), "error: there is no quarantine `one`\n"));
    assert_eq!(told(&procura(&server, &["list"])).1.lines().count(), 1);
    assert_eq!(told(&procura(&server, &["add", "--reason", "nothing named"])).0, Some(2));
    server.kill().await.unwrap();

    let file = data.join("quarantine.json");
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, whole.replace("id.example", "ok.example")).unwrap();
    let refused = ServerSpec::new(BINARY, &policies, &data).start().await.err().unwrap();
    let refused = format!("{refused:#}");
    assert!(refused.contains("are damaged: put the file back from a copy"), "{refused}");
    fs::write(&file, whole).unwrap();
    ServerSpec::new(BINARY, &policies, &data).start().await.unwrap().kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn token_under_quarantine_is_refused_at_the_next_request_though_it_was_good_before() {
    let dir = TempDir::new("quarantine-token");
    dir.write("policies/album.yaml", POLICY);
    let keys = ["k1", "k2"].map(|id| SigningKey::generate("ES256", id));
    let set = jwks(&keys.each_ref().map(SigningKey::jwk));
    dir.write("keys.json", set);
    let file = dir.path().join("keys.json").display().to_string();
    let jwt = json!({"keySets": [{"id": "staff", "local": {"file": file}}]});
    dir.write("config.yaml", json!({"auxData": {"jwt": jwt}}).to_string());
    let spec = ServerSpec::new(BINARY, dir.path().join("policies"), dir.path().join("data"));
    let server =
        spec.arg(format!("--config={}", dir.path().join("config.yaml").display())).start().await.unwrap();
    let mut connection = server.connect().await.unwrap();
    let tokens = keys
        .each_ref()
        .map(|key| key.token(&json!({"sub": "ada", "iss": "https://id.example", "exp": 4_000_000_000_u64})));
    for (suspect, refused, affected) in [
        (&["--key", "k1"][..], [400, 200], 2),
        (&["--key-set", "staff", "--key", "k2"], [200, 400], 4),
        (&["--issuer", "https://id.example"], [400, 400], 6),
        (&["--issuer", "https://other.example"], [200, 200], 0),
    ] {
        for token in &tokens {
            assert_eq!(check(&mut connection, token).await, 200, "{suspect:?}");
            assert_eq!(check(&mut connection, token).await, 200, "{suspect:?}");
        }
        let add = ["add", "--id", "x", "--reason", "r", "--since", "2020-01-01T00:00:00Z"];
        assert_eq!(told(&procura(&server, &[&add[..], suspect].concat())).0, Some(0));
        let [first, second] = &tokens;
        for path in [CHECK, "/api/explain"] {
            let now = [first, second].map(|token| body(token));
            let now = [ask(&mut connection, path, &now[0]).await, ask(&mut connection, path, &now[1]).await];
            assert_eq!(now, refused, "{suspect:?} {path}");
        }
        let (_, listed) = told(&procura(&server, &["affected", "x"]));
        assert!(
            listed.lines().count() >= affected && (affected > 0) != listed.is_empty(),
            "{suspect:?}: {listed}"
        );
        assert_eq!(told(&procura(&server, &["lift", "x"])).0, Some(0));
    }
}

async fn check(connection: &mut Connection, token: &str) -> u16 {
    ask(connection, CHECK, &body(token)).await
}

async fn ask(connection: &mut Connection, path: &str, body: &str) -> u16 {
    connection.post_json(path, body.as_bytes()).await.unwrap().status
}

fn body(token: &str) -> String {
    json!({
        "principal": {"id": "ada", "roles": ["user"]},
        "resources": [{"actions": ["view"], "resource": {"kind": "album", "id": "a1"}}],
        "auxData": {"jwt": {"token": token}},
    })
    .to_string()
}
