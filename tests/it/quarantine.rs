//! `procura quarantine` against a running server, and what becomes of quarantines across restarts.

use std::fs;
use std::process::{Command, Output};

use procura_testkit::server::{Server, ServerSpec};
use procura_testkit::temp_dir::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

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
