//! The examples run as their comments say.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use procura_testkit::http::Connection;
use procura_testkit::server::Server;

#[test]
fn the_axum_example_enforces_what_the_server_decides() {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/saas_documents");
    let pdp = Server::start(
        env!("CARGO_BIN_EXE_procura"),
        &[&format!("--set=storage.disk.directory={}", policies.display())],
    );
    let service = Service::start(&pdp.url());
    let status = |method: &str, id: &str, user: &str| {
        let mut connection = Connection::open(&service.address);
        connection.request(method, &format!("/documents/{id}"), &[("x-user", user)], b"").status
    };
    assert_eq!(status("GET", "D-1", "olga"), 200);
    assert_eq!(status("GET", "D-1", "eve"), 403);
    assert_eq!(status("DELETE", "D-1", "amir"), 204);
    assert_eq!(status("DELETE", "D-4", "olga"), 403);
    drop(pdp);
    assert_eq!(status("GET", "D-1", "olga"), 503);
}

#[test]
fn the_walkthrough_runs_to_its_end() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/walkthrough.sh");
    let out = Command::new("bash").arg(script).arg(env!("CARGO_BIN_EXE_procura")).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}\n{}", String::from_utf8_lossy(&out.stderr));
    let denied = text.find(r#""pay":"EFFECT_DENY""#).unwrap();
    let allowed = text.find(r#""pay":"EFFECT_ALLOW""#).unwrap();
    assert!(denied < allowed, "{text}");
}

/// The example's process, stopped on drop.
struct Service {
    process: Child,
    address: String,
}

impl Service {
    fn start(pdp: &str) -> Self {
        let mut process = Command::new(built_example("pep_axum"))
            .env("PDP_URL", pdp)
            .env("LISTEN", "127.0.0.1:0")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_once("http://").map(|(_, address)| address.trim().to_owned()))
            .unwrap();
        Self { process, address }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Cargo builds the examples beside the tests.
fn built_example(name: &str) -> PathBuf {
    let tests = env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples").join(name)
}
