//! `easyssf-test`, a transmitter that lives in a process, behind a socket of loopback.
//!
//! It says `https://127.0.0.1:PORT/…` of itself; on the wire it is `http://127.0.0.1:PORT/…`, in its issuer too.

use std::net::{SocketAddr, TcpListener, TcpStream};

use easyssf_receiver::http::{SsfHttpClient, SsfHttpRequest};
use easyssf_test::{MetadataLocation, TestTransmitter};
use serde_json::{Map, Value, json};

use crate::http::{self, Message};

/// A transmitter that serves until the process ends.
#[derive(Clone)]
pub struct Transmitter {
    inner: TestTransmitter,
    address: SocketAddr,
}

impl Transmitter {
    /// Starts one, with metadata where the framework wants it.
    ///
    /// # Panics
    /// If there is no port for it.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let inner = TestTransmitter::with_metadata(MetadataLocation::Ssf, Some(&address.to_string()));
        let transmitter = Self { inner, address };
        transmitter.inner.set_stream_issuer(Some(&transmitter.issuer()));
        let served = transmitter.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let transmitter = served.clone();
                std::thread::spawn(move || transmitter.serve(stream));
            }
        });
        transmitter
    }

    /// What it is, for what `easyssf-test` can do.
    pub fn inner(&self) -> &TestTransmitter {
        &self.inner
    }

    /// Its issuer, as everything that it signs and serves says.
    pub fn issuer(&self) -> String {
        self.on_the_wire(self.inner.issuer())
    }

    /// Where its keys are.
    pub fn jwks_uri(&self) -> String {
        self.on_the_wire(&self.inner.jwks_uri())
    }

    /// Where its events are fetched.
    pub fn poll_uri(&self) -> String {
        self.on_the_wire(&self.inner.poll_uri())
    }

    /// The claims of a good SET for `audience` with one event about `subject`.
    pub fn claims(
        &self,
        event: &str,
        subject: Map<String, Value>,
        payload: Value,
        audience: &str,
    ) -> Map<String, Value> {
        let Value::Object(payload) = payload else { panic!("the payload of an event is an object") };
        let mut claims = self.inner.set_claims_with_payload(event, Some(subject), payload);
        claims.insert("iss".to_owned(), self.issuer().into());
        claims.insert("aud".to_owned(), audience.into());
        claims
    }

    /// The claims of a verification event of the stream, with the state that was asked for, if it was.
    pub fn verification(&self, stream: &str, state: Option<&str>, audience: &str) -> Map<String, Value> {
        let event = "https://schemas.openid.net/secevent/ssf/event-type/verification";
        let subject = easyssf_test::subjects::opaque(stream);
        self.claims(
            event,
            subject,
            state.map_or_else(|| json!({}), |state| json!({"state": state})),
            audience,
        )
    }

    /// Signs claims as a SET.
    pub fn sign(&self, claims: &Map<String, Value>) -> String {
        self.inner.sign_set(claims)
    }

    fn serve(&self, mut stream: TcpStream) {
        let Ok(request) = Message::read(&mut stream) else { return };
        let mut words = request.start.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let Ok(url) = url::Url::parse(&format!("https://{}{path}", self.address)) else { return };
        let body = Some(request.text()).filter(|body| !body.is_empty());
        let asked = SsfHttpRequest {
            method: method.to_owned(),
            url,
            headers: request.headers.iter().map(|(name, value)| (canonical(name), value.clone())).collect(),
            body,
            timeout: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let Ok(answer) = runtime.block_on(self.inner.execute(asked)) else { return };
        // Whoever asked may be gone by now.
        let _ = http::answer(&mut stream, answer.status, &answer.headers, &self.on_the_wire(&answer.body));
    }

    fn on_the_wire(&self, text: &str) -> String {
        text.replace(&format!("https://{}/", self.address), &format!("http://{}/", self.address))
    }
}

/// `content-type` as `Content-Type`: some readers of headers mind.
fn canonical(name: &str) -> String {
    let words = name.split('-').map(|word| word[..1].to_ascii_uppercase() + &word[1..]);
    words.collect::<Vec<_>>().join("-")
}
