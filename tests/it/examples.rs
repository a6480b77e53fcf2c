//! The examples run as their comments say.

use std::env;
use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use procura_testkit::http::Connection;
use procura_testkit::server::ServerSpec;
use procura_testkit::temp_dir::TempDir;

#[tokio::test(flavor = "multi_thread")]
async fn the_axum_example_enforces_what_the_server_decides() {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/saas_documents");
    let data = TempDir::new("example");
    let pdp = ServerSpec::new(env!("CARGO_BIN_EXE_procura"), policies, data.path()).start().await.unwrap();
    let service = Service::start(pdp.address());
    let asked = [
        ("GET", "D-1", "olga", 200),
        ("GET", "D-1", "eve", 403),
        ("DELETE", "D-1", "amir", 204),
        ("DELETE", "D-4", "olga", 403),
    ];
    for (method, id, user, status) in asked {
        assert_eq!(service.ask(method, id, user).await, status, "{user} {method} {id}");
    }
    drop(pdp);
    assert_eq!(service.ask("GET", "D-1", "olga").await, 503, "without a PDP nothing is allowed");
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
    address: SocketAddr,
    /// Kept open: the service goes on writing to it.
    _log: Lines<BufReader<ChildStderr>>,
}

impl Service {
    fn start(pdp: SocketAddr) -> Self {
        let mut process = Command::new(built_example("pep_axum"))
            .env("PDP_URL", format!("http://{pdp}"))
            .env("LISTEN", "127.0.0.1:0")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = log
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("http://").map(|(_, address)| address.trim().parse()))
            .unwrap();
        Self { process, address: address.unwrap(), _log: log }
    }

    async fn ask(&self, method: &str, id: &str, user: &str) -> u16 {
        let mut connection = Connection::open(self.address).await.unwrap();
        let path = format!("/documents/{id}");
        connection.send(method, &path, &[("x-user", user)], b"").await.unwrap().status
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `cargo test` builds the examples beside the tests; `cargo test --test it` alone does not.
fn built_example(name: &str) -> PathBuf {
    let tests = env::current_exe().unwrap();
    let example = tests.parent().unwrap().parent().unwrap().join("examples").join(name);
    if !example.exists() {
        let built =
            Command::new(env!("CARGO")).args(["build", "--locked", "--example", name]).status().unwrap();
        assert!(built.success(), "`{name}` cannot be built");
    }
    example
}
