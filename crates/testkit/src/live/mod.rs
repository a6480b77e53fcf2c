//! Signals that reach a real server while it is asked.
//!
//! | file | what is tried |
//! |---|---|
//! | `command.rs` | the trials, as they are asked for |
//! | `linear.rs` | no request that begins after an acknowledgement sees the facts before it |
//! | `latency.rs` | how long a signal takes to be acknowledged, and what of that is the disk |
//! | `flood.rs` | forged signals at full speed beside normal load |
//! | `kill.rs` | a server that is killed in the middle of a stream of events |
//! | `lane.rs` | one of the connections that push that stream |
//! | `held.rs` | what many facts cost: CPU of a decision, start, memory |

pub mod command;
pub mod flood;
pub mod held;
pub mod kill;
pub mod lane;
pub mod latency;
pub mod linear;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::http::{Connection, Response};
use crate::server::{Server, ServerSpec};
use crate::temp_dir::TempDir;
use crate::transmitter::Transmitter;

/// The stream, here and at its transmitter.
const NAME: &str = "idp";

/// Who the events of the stream are for.
pub const AUDIENCE: &str = "https://pdp.test/api/signals/streams/idp";

/// What the transmitter shows.
pub const AUTHORIZATION: &str = "Bearer the-secret-of-the-stream";

/// Where events are pushed.
pub const STREAM: &str = "/api/signals/streams/idp";

/// Where decisions are asked for.
pub const CHECK: &str = "/api/check/resources";

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";

const POLICY: &str = "\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  version: default
  resource: door
  rules:
    - {actions: [open], effect: EFFECT_ALLOW, roles: [user]}
";

/// A server with one stream, which is pushed, and the transmitter of that.
pub struct House {
    /// The server.
    pub server: Server,
    spec: ServerSpec,
    /// Who signs.
    pub transmitter: Arc<Transmitter>,
    /// Where both keep what they keep.
    pub dir: TempDir,
}

impl House {
    /// A house for the server `binary`, whose stream is changed by `change`, with more arguments.
    ///
    /// # Errors
    /// If the server does not start.
    pub async fn open(
        binary: &Path,
        change: impl FnOnce(&mut Value),
        arguments: &[String],
    ) -> anyhow::Result<Self> {
        Self::open_with(binary, "RS256", change, arguments).await
    }

    /// The same, with a transmitter that signs by this algorithm.
    ///
    /// # Errors
    /// If the server does not start.
    pub async fn open_with(
        binary: &Path,
        algorithm: &'static str,
        change: impl FnOnce(&mut Value),
        arguments: &[String],
    ) -> anyhow::Result<Self> {
        let dir = TempDir::new("live");
        dir.write("policies/door.yaml", POLICY);
        let transmitter = Transmitter::start().await;
        if algorithm != "RS256" {
            transmitter.rotate(algorithm, "second");
        }
        transmitter.add_poll_stream(NAME, AUDIENCE);
        let mut stream = json!({
            "name": NAME, "issuer": transmitter.issuer(), "audiences": [AUDIENCE],
            "push": {"authorization": AUTHORIZATION}, "maxRate": 1_000_000, "algorithms": [algorithm],
        });
        change(&mut stream);
        let spec = ServerSpec::new(binary, dir.path().join("policies"), dir.path().join("data"))
            .arg(format!("--set=signals.streams={}", json!([stream])));
        let spec = arguments.iter().fold(spec, |spec, argument| spec.arg(argument.clone()));
        let server = spec.start().await?;
        Ok(Self { server, spec, transmitter: Arc::new(transmitter), dir })
    }

    /// The server once more, after it has ended.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_again(&self) -> anyhow::Result<Server> {
        self.spec.start().await
    }

    /// A SET that says that a session of `user` is revoked.
    #[must_use]
    pub fn revoked(&self, user: &str, session: &str) -> String {
        self.transmitter.sign(&self.claims("session-revoked", &self.session(user, session), &json!({})))
    }

    /// The claims of a CAEP event about `subject`.
    #[must_use]
    pub fn claims(&self, kind: &str, subject: &Value, event: &Value) -> Value {
        self.claims_of(&format!("{CAEP}{kind}"), subject, event)
    }

    /// The claims of any event about `subject`.
    #[must_use]
    pub fn claims_of(&self, kind: &str, subject: &Value, event: &Value) -> Value {
        self.transmitter.claims(NAME, kind, subject, event)
    }

    /// A session of `user`, as the transmitter names it.
    #[must_use]
    pub fn session(&self, user: &str, session: &str) -> Value {
        let user = json!({"format": "iss_sub", "iss": self.transmitter.issuer(), "sub": user});
        json!({"format": "complex", "user": user, "session": {"format": "opaque", "id": session}})
    }

    /// All records of this kind, newest first.
    ///
    /// # Errors
    /// If they are not told.
    pub async fn records(&self, kind: &str) -> anyhow::Result<Vec<Value>> {
        let first = format!("/api/decisions?filter=kind%20%3D%3D%20%22{kind}%22&limit=100");
        let mut connection = self.server.connect().await?;
        let (mut path, mut records) = (first.clone(), Vec::new());
        loop {
            let page = connection.get(&path).await?.json()?;
            let some = page["decisions"].as_array().with_context(|| format!("no page: {page}"))?;
            records.extend(some.iter().map(|entry| entry["record"].clone()));
            let Some(cursor) = page["nextCursor"].as_str() else { return Ok(records) };
            path = format!("{first}&cursor={cursor}");
        }
    }
}

/// Pushes `set` over `connection` as the transmitter does.
///
/// # Errors
/// If there is no answer.
pub async fn push(connection: &mut Connection, set: &str) -> anyhow::Result<Response> {
    let headers = [
        ("content-type", "application/secevent+jwt"),
        ("accept", "application/json"),
        ("authorization", AUTHORIZATION),
    ];
    connection.send("POST", STREAM, &headers, set.as_bytes()).await
}

/// Whether `user` may open the door in `session`.
///
/// # Errors
/// If that is not answered.
pub async fn may_open(connection: &mut Connection, user: &str, session: &str) -> anyhow::Result<bool> {
    let answer = connection.post_json(CHECK, &question(user, session)).await?;
    ensure!(answer.status == 200, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(answer.json()?["results"][0]["actions"]["open"] == "EFFECT_ALLOW")
}

/// The body that asks whether `user` may open the door in `session`.
#[must_use]
pub fn question(user: &str, session: &str) -> Vec<u8> {
    json!({
        "principal": {"id": user, "roles": ["user"], "attr": {"sessionId": session}},
        "resources": [{"actions": ["open"], "resource": {"kind": "door", "id": "front"}}],
    })
    .to_string()
    .into_bytes()
}
