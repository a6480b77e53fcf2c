//! A transmitter of security events as the Shared Signals Framework 1.0 describes it, which can misbehave: it signs SETs,
//! publishes its metadata and keys, lets streams be managed, hands events out by poll (RFC 8936) and pushes them (RFC 8935).

mod manage;
mod poll;
mod serve;
mod streams;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::http::{Connection, Response};
use crate::issuer::{SigningKey, jwks};
pub use serve::{Misconduct, Place};
pub use streams::{State, Stream};

/// How long something is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A transmitter on a port of loopback; it ends when this is dropped. What it knows outlives [`Transmitter::go_down`].
pub struct Transmitter {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

struct Shared {
    /// Its name and URL.
    issuer: String,
    state: Mutex<State>,
    /// How often anything has changed.
    changes: watch::Sender<u64>,
}

impl Transmitter {
    /// Starts it; its URL has a path, as that of one tenant among several.
    pub async fn start() -> Self {
        Self::start_below("/acme").await
    }

    /// Starts it at this path of its server: empty, or with a slash in front.
    pub async fn start_below(path: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared {
            issuer: format!("http://{address}{path}"),
            state: Mutex::new(State::new(SigningKey::generate("RS256", "first"))),
            changes: watch::channel(0).0,
        };
        let mut transmitter = Self { address, shared: Arc::new(shared), task: None };
        transmitter.listen(listener);
        transmitter
    }

    /// Its name, which is its URL as well.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// Where its keys are.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("{}/jwks", self.shared.issuer)
    }

    /// Where the events of the stream `id` are polled.
    #[must_use]
    pub fn poll_url(&self, id: &str) -> String {
        self.shared.poll_url(id)
    }

    /// Changes what it knows, and tells those that wait.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.shared.change(change)
    }

    /// A stream that was set up by hand for `audience`, whose events are polled.
    pub fn add_poll_stream(&self, id: &str, audience: &str) {
        let config = json!({
            "stream_id": id, "iss": self.shared.issuer, "aud": audience,
            "delivery": {"method": "urn:ietf:rfc:8936", "endpoint_url": self.poll_url(id)},
        });
        self.change(|state| state.streams.insert(id.to_owned(), Stream::new(config)));
    }

    /// From now on a new key signs; the old ones are published still.
    pub fn rotate(&self, alg: &'static str, kid: &str) {
        self.change(|state| state.keys.push(SigningKey::generate(alg, kid)));
    }

    /// Publishes no key any more but the one that signs.
    pub fn forget_old_keys(&self) {
        self.change(|state| state.keys.drain(..state.keys.len() - 1).for_each(drop));
    }

    /// The next `times` requests to `place` are treated so.
    pub fn misbehave(&self, place: Place, conduct: Misconduct, times: usize) {
        self.change(|state| state.misconduct.push((place, conduct, times)));
    }

    /// From now on every request is treated as it should be.
    pub fn behave(&self) {
        self.change(|state| state.misconduct.clear());
    }

    /// How many requests have come to `place`.
    #[must_use]
    pub fn requests(&self, place: Place) -> usize {
        self.shared.lock().requests.get(&place).copied().unwrap_or_default()
    }

    /// The stream `id` as it is.
    #[must_use]
    pub fn stream(&self, id: &str) -> Option<Stream> {
        self.shared.lock().streams.get(id).cloned()
    }

    /// The only stream.
    #[must_use]
    pub fn only_stream(&self) -> Stream {
        let state = self.shared.lock();
        let mut streams = state.streams.values();
        streams.next().filter(|_| streams.next().is_none()).cloned().expect("there is one stream")
    }

    /// The claims of a SET for the stream `id`, with a `jti` of its own and made now.
    #[must_use]
    pub fn claims(&self, id: &str, kind: &str, subject: &Value, event: &Value) -> Value {
        self.shared.claims(id, kind, subject, event)
    }

    /// A SET with these claims, signed by the newest key.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        self.shared.lock().sign(claims)
    }

    /// A SET with any header and these claims, signed by the newest key.
    #[must_use]
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        self.shared.lock().key().sign(header, claims.to_string().as_bytes())
    }

    /// Puts any text into the queue of the stream `id` under this `jti`.
    pub fn queue(&self, id: &str, jti: &str, set: &str) {
        self.change(|state| state.stream(id).pending.push((jti.to_owned(), set.to_owned())));
    }

    /// Signs an event and puts it into the queue of the stream `id`, or pushes it. Returns its `jti`.
    pub fn emit(&self, id: &str, kind: &str, subject: &Value, event: &Value) -> String {
        let claims = self.claims(id, kind, subject, event);
        let jti = claims["jti"].as_str().unwrap().to_owned();
        self.shared.deliver(id, jti.clone(), self.sign(&claims));
        jti
    }

    /// Waits until what it knows is as asked for.
    pub async fn until(&self, is_so: impl Fn(&State) -> bool) -> anyhow::Result<()> {
        let mut changes = self.shared.changes.subscribe();
        let wait = changes.wait_for(|_| is_so(&self.shared.lock()));
        let Ok(met) = tokio::time::timeout(PATIENCE, wait).await else {
            let state = self.shared.lock();
            bail!("it never was so; requests {:?}, streams {:#?}", state.requests, state.streams);
        };
        met.map(|_| ()).context("the transmitter has ended")
    }

    /// Waits until the stream `id` is as asked for.
    pub async fn until_stream(&self, id: &str, is_so: impl Fn(&Stream) -> bool) -> anyhow::Result<()> {
        self.until(|state| state.streams.get(id).is_some_and(&is_so)).await
    }

    /// Closes all connections and the port.
    pub async fn go_down(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }

    /// Listens on its port again.
    pub async fn come_up(&mut self) {
        if self.task.is_none() {
            self.listen(TcpListener::bind(self.address).await.unwrap());
        }
    }

    fn listen(&mut self, listener: TcpListener) {
        self.task = Some(tokio::spawn(serve::listen(listener, Arc::clone(&self.shared))));
    }
}

impl Drop for Transmitter {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let made = change(&mut self.lock());
        self.changes.send_modify(|changes| *changes += 1);
        made
    }

    fn poll_url(&self, id: &str) -> String {
        format!("{}/poll/{id}", self.issuer)
    }

    fn jwks(&self) -> String {
        jwks(&self.lock().keys.iter().map(SigningKey::jwk).collect::<Vec<_>>())
    }

    fn claims(&self, id: &str, kind: &str, subject: &Value, event: &Value) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut state = self.lock();
        let jti = state.next_name("set");
        json!({
            "iss": self.issuer, "aud": state.stream(id).config["aud"], "jti": jti, "iat": now, "txn": format!("txn-{jti}"),
            "sub_id": subject, "events": {kind: event},
        })
    }

    /// Brings `set` to whoever receives the stream `id`.
    fn deliver(&self, id: &str, jti: String, set: String) {
        let endpoint = self.change(|state| {
            let stream = state.stream(id);
            if stream.is_polled() {
                stream.pending.push((jti, set.clone()));
                return None;
            }
            let delivery = &stream.config["delivery"];
            let text = |name: &str| delivery[name].as_str().map(str::to_owned);
            Some((text("endpoint_url").expect("a URL to push to"), text("authorization_header")))
        });
        if let Some((url, authorization)) = endpoint {
            tokio::spawn(async move { push(&url, authorization.as_deref(), &set).await });
        }
    }
}

/// Pushes `set` to `url`, which is one of plain HTTP.
pub async fn push(url: &str, authorization: Option<&str>, set: &str) -> anyhow::Result<Response> {
    let rest = url.strip_prefix("http://").context("not a plain URL")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut connection = Connection::open(host.parse().context("not an address")?).await?;
    let mut headers = vec![("content-type", "application/secevent+jwt"), ("accept", "application/json")];
    headers.extend(authorization.map(|value| ("authorization", value)));
    connection.send("POST", &format!("/{path}"), &headers, set.as_bytes()).await
}
