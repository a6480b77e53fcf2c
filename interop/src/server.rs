//! The real server, as a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{self, Message};

/// How long it may take to start.
const START: Duration = Duration::from_secs(60);

/// A running server; it is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    address: SocketAddr,
}

/// The binary under test: `PROCURA_BIN`, else that of the debug build beside this workspace.
pub fn binary() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let built = || target.unwrap_or_else(beside).join("debug/procura");
    std::env::var_os("PROCURA_BIN").map_or_else(built, PathBuf::from)
}

impl Server {
    /// Starts it with the policies of this crate, its state in `data`, and `configuration` besides.
    ///
    /// # Panics
    /// If it does not say that it listens.
    pub fn start(data: &Path, configuration: &Value) -> Self {
        let file = data.join("procura.json");
        std::fs::write(&file, configuration.to_string()).unwrap();
        let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
        let mut process = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(file)
            .arg(format!("--set=storage.disk.directory={}", policies.display()))
            .arg("--data-dir")
            .arg(data.join("state"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", binary().display()));
        let (found, address) = mpsc::channel();
        listen(process.stdout.take().unwrap(), found.clone());
        listen(process.stderr.take().unwrap(), found);
        let mut server = Self { process, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        server.address = address.recv_timeout(START).expect("the server says that it listens");
        server
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills it at once, as `kill -9` does.
    pub fn kill(mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// What it answers to a GET request.
    pub fn get(&self, path: &str) -> Message {
        http::ask(self.address, "GET", path, &[], b"").unwrap()
    }

    /// What it answers to a SET that is pushed as RFC 8935 says, with this `Authorization`.
    pub fn push(&self, stream: &str, authorization: Option<&str>, set: &str) -> Message {
        let mut headers = vec![("content-type", "application/secevent+jwt"), ("accept", "application/json")];
        headers.extend(authorization.map(|authorization| ("authorization", authorization)));
        let path = format!("/api/signals/streams/{stream}");
        http::ask(self.address, "POST", &path, &headers, set.as_bytes()).unwrap()
    }

    /// Whether `principal` may open the console, from a session and a device.
    pub fn may_open(&self, principal: &str, session: &str, device: &str) -> bool {
        let answer = self.check(principal, session, device);
        match answer["results"][0]["actions"]["open"].as_str() {
            Some("EFFECT_ALLOW") => true,
            Some("EFFECT_DENY") => false,
            _ => panic!("no answer: {answer}"),
        }
    }

    /// The whole answer to that question.
    pub fn check(&self, principal: &str, session: &str, device: &str) -> Value {
        let call = json!({
            "principal": {"id": principal, "roles": ["admin"], "attr": {"sessionId": session, "deviceId": device}},
            "resources": [{"actions": ["open"], "resource": {"kind": "console", "id": "main"}}],
        });
        self.ask(&call)
    }

    /// What it answers to a call of its check API.
    pub fn ask(&self, call: &Value) -> Value {
        let json = [("content-type", "application/json")];
        let path = "/api/check/resources";
        http::ask(self.address, "POST", path, &json, call.to_string().as_bytes()).unwrap().json()
    }

    /// The records of one kind, newest first.
    pub fn records(&self, kind: &str) -> Vec<Value> {
        let filter = format!("/api/decisions?filter=kind%20%3D%3D%20%22{kind}%22&limit=100");
        let found = self.get(&filter).json();
        let records = found["decisions"].as_array().unwrap_or_else(|| panic!("no page: {found}"));
        records.iter().map(|entry| entry["record"].clone()).collect()
    }
}

/// Passes on what the server prints, and finds the address in it.
fn listen(output: impl Read + Send + 'static, found: Sender<SocketAddr>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            eprintln!("{line}");
            let address = line.split_once("listening on http://").map(|(_, rest)| rest);
            let address = address.and_then(|rest| rest.split([' ', '"', '/']).next());
            // Nobody waits any more for a second one.
            let _ = address.and_then(|address| address.parse().ok()).map(|address| found.send(address));
        }
    });
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
