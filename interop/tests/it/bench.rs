//! A transmitter, a configuration that trusts it, and a directory for the server.

use std::time::{SystemTime, UNIX_EPOCH};

use procura_interop::TempDir;
use procura_interop::server::Server;
use procura_interop::transmitter::Transmitter;
use serde_json::{Map, Value, json};

/// Whom its SETs are for.
pub const AUDIENCE: &str = "https://pdp.example/api/signals/streams/easyssf";

/// What the transmitter shows when it pushes.
pub const AUTHORIZATION: &str = "Bearer Of-The-Stream-7f3a";

/// The stream that is there already, and whom its SETs are for as `easyssf-test` decides.
pub const STREAM: &str = "s-1";

/// Whom the SETs of that stream are for.
pub const MANAGED: &str = "receiver/s-1";

/// What the server shows when it polls and manages streams.
const ACCESS: &str = "Bearer transmitter-access-token";

/// One transmitter and what a server needs to hear it; servers can come and go.
pub struct Bench {
    transmitter: Transmitter,
    data: TempDir,
    configuration: Value,
}

impl Bench {
    /// A transmitter that pushes; `other` is a second stream of it.
    pub fn push() -> Self {
        Self::new(|transmitter, data| {
            let push = json!({"authorization": {"file": data.path().join("authorization")}});
            let stream = |name: &str, audience: &str| {
                json!({"name": name, "issuer": transmitter.issuer(), "audiences": [audience], "push": push,
                    "keys": keys(transmitter)})
            };
            json!({"signals": {"streams": [stream("easyssf", AUDIENCE), stream("other", "https://other.example")]}})
        })
    }

    /// A transmitter that is polled.
    pub fn poll() -> Self {
        Self::new(|transmitter, data| {
            let access = json!({"file": data.path().join("access")});
            json!({"signals": {"streams": [{"name": "easyssf", "issuer": transmitter.issuer(),
                "audiences": [AUDIENCE], "keys": keys(transmitter),
                "poll": {"url": transmitter.poll_uri(), "authorization": access}}]}})
        })
    }

    /// A transmitter with a stream for us, which is found, verified and polled over its management API.
    pub fn managed() -> Self {
        let bench = Self::new(|transmitter, data| {
            let access = json!({"file": data.path().join("access")});
            json!({"signals": {"streams": [{"name": "easyssf", "issuer": transmitter.issuer(),
                "audiences": [MANAGED], "keys": keys(transmitter), "poll": {},
                "transmitter": {"url": transmitter.issuer(), "authorization": access, "create": true}}]}})
        });
        let Value::Object(stream) = json!({"stream_id": STREAM, "delivery": {"method": "urn:ietf:rfc:8936"}})
        else {
            unreachable!("it is an object")
        };
        bench.transmitter.inner().add_stream(&stream);
        bench
    }

    fn new(configuration: impl Fn(&Transmitter, &TempDir) -> Value) -> Self {
        let (transmitter, data) = (Transmitter::start(), TempDir::new());
        std::fs::write(data.path().join("authorization"), AUTHORIZATION).unwrap();
        std::fs::write(data.path().join("access"), ACCESS).unwrap();
        let configuration = configuration(&transmitter, &data);
        Self { transmitter, data, configuration }
    }

    /// The transmitter.
    pub fn transmitter(&self) -> &Transmitter {
        &self.transmitter
    }

    /// Its issuer.
    pub fn issuer(&self) -> String {
        self.transmitter.issuer()
    }

    /// A server that hears the transmitter. One at a time.
    pub fn serve(&self) -> Server {
        Server::start(self.data.path(), &self.configuration)
    }

    /// The claims of a good SET.
    pub fn claims(&self, event: &str, subject: Map<String, Value>, payload: Value) -> Map<String, Value> {
        self.transmitter.claims(event, subject, payload, AUDIENCE)
    }
}

/// Where its keys are; they do not say for which algorithm they are (RFC 7517, section 4.4, does not demand it).
fn keys(transmitter: &Transmitter) -> Value {
    json!({"remote": {"url": transmitter.jwks_uri()}})
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
