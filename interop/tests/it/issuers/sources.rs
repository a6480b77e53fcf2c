//! Who sends signals: a transmitter that others wrote, which pushes, and our own, which is polled.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use procura_interop::server::{Server, binary};
use procura_interop::transmitter::Transmitter;
use serde_json::{Value, json};

/// Whom signals are for.
const AUDIENCE: &str = "https://pdp.example/api/signals/streams/source";

const AUTHORIZATION: &str = "Bearer Of-The-Stream-7f3a";

/// Says what happens.
pub trait Source {
    /// The stream, but for its name and what its subjects stand for. Its secrets are put into `data`.
    fn stream(&self, data: &Path) -> Value;
    /// Says that `event`, which is the rest of its URI, happened to `subject`.
    fn say(&self, server: &Server, event: &str, subject: &Value, payload: &Value);
}

/// `easyssf-test`, which pushes.
pub struct Easyssf(Transmitter);

impl Easyssf {
    pub fn start() -> Self {
        Self(Transmitter::start())
    }
}

impl Source for Easyssf {
    fn stream(&self, data: &Path) -> Value {
        let secret = data.join("authorization");
        std::fs::write(&secret, AUTHORIZATION).unwrap();
        json!({"issuer": self.0.issuer(), "audiences": [AUDIENCE], "push": {"authorization": {"file": secret}},
            "keys": {"remote": {"url": self.0.jwks_uri()}}})
    }

    fn say(&self, server: &Server, event: &str, subject: &Value, payload: &Value) {
        let subject = subject.as_object().unwrap().clone();
        let event = format!("https://schemas.openid.net/secevent/{event}");
        let set = self.0.sign(&self.0.claims(&event, subject, payload.clone(), AUDIENCE));
        let answer = server.push("source", Some(AUTHORIZATION), &set);
        assert_eq!(answer.status(), 202, "{}", answer.text());
    }
}

/// Our own transmitter, of the binary `procura-testkit`, which is polled.
pub struct Own {
    process: Child,
    answers: RefCell<Lines<BufReader<ChildStdout>>>,
    told: Value,
}

impl Own {
    /// Starts it; `None`, with a message, where its binary is not built.
    pub fn start() -> Option<Self> {
        let binary = std::env::var_os("TESTKIT_BIN").map_or_else(beside, PathBuf::from);
        if !binary.exists() {
            assert!(std::env::var_os("CI").is_none(), "`{}` is not built", binary.display());
            println!("skipped: `{}` is not built", binary.display());
            return None;
        }
        let mut process = Command::new(binary)
            .args(["transmitter", "--audience", AUDIENCE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap()).lines();
        let told = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        Some(Self { process, answers: RefCell::new(answers), told })
    }
}

/// What is built together with the server.
fn beside() -> PathBuf {
    binary().with_file_name("procura-testkit")
}

impl Source for Own {
    fn stream(&self, data: &Path) -> Value {
        let access = data.join("access");
        std::fs::write(&access, self.told["authorization"].as_str().unwrap()).unwrap();
        json!({"issuer": self.told["issuer"], "audiences": [AUDIENCE],
            "keys": {"remote": {"url": self.told["keys"]}},
            "poll": {"url": self.told["poll"], "authorization": {"file": access}}})
    }

    fn say(&self, _: &Server, event: &str, subject: &Value, payload: &Value) {
        let said = json!({"event": event, "subject": subject, "payload": payload});
        let mut stdin = self.process.stdin.as_ref().unwrap();
        writeln!(stdin, "{said}").unwrap();
        self.answers.borrow_mut().next().expect("it is queued").unwrap();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
