//! The callers: each asks all the time, and shows what it is told to.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::ensure;

use crate::certificates::{Credential, TlsClient};
use crate::http::{Connection, Response};
use crate::rng::Rng;

const REQUEST: &[u8] = br#"{"requestId": "rotate", "principal": {"id": "ada", "roles": ["user"]},
  "resources": [{"actions": ["view"], "resource": {"kind": "album", "id": "1"}}]}"#;

/// What callers and trial have in common.
pub(super) struct Shared {
    /// Where the server is.
    pub(super) address: SocketAddr,
    /// How each caller is to speak, by its number, and the running number of that.
    wanted: Mutex<(u64, Vec<Wanted>)>,
    /// The running number that each caller has followed.
    pub(super) followed: Vec<AtomicU64>,
    /// Whether callers are to end.
    pub(super) stop: AtomicBool,
    /// Requests that were answered as they should.
    pub(super) answers: AtomicU64,
    /// Connections that were made.
    pub(super) connections: AtomicU64,
    fault: Mutex<Option<String>>,
}

/// How a caller is to speak.
#[derive(Clone)]
pub(super) struct Wanted {
    client: TlsClient,
    /// What it shows.
    pub(super) shown: Shown,
}

/// A credential.
#[derive(Clone)]
pub(super) enum Shown {
    /// A certificate.
    Certificate(Credential),
    /// A token.
    Token(String),
    /// An API key.
    Key {
        /// What finds it in the file.
        id: String,
        /// The key itself.
        text: String,
    },
}

impl Shared {
    /// Callers of the server at `address` that have yet to speak as `wanted` says.
    pub(super) fn new(address: SocketAddr, wanted: Vec<Wanted>) -> Self {
        Self {
            address,
            followed: wanted.iter().map(|_| AtomicU64::new(0)).collect(),
            wanted: Mutex::new((0, wanted)),
            stop: AtomicBool::new(false),
            answers: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            fault: Mutex::new(None),
        }
    }

    /// How callers are to speak.
    pub(super) fn wanted(&self) -> MutexGuard<'_, (u64, Vec<Wanted>)> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What went wrong first, said once.
    pub(super) fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Wanted {
    /// A caller that believes servers of the authorities `house` and shows `shown`.
    pub(super) fn new(house: &str, shown: Shown) -> Self {
        let credential = if let Shown::Certificate(credential) = &shown { Some(credential) } else { None };
        Self { client: TlsClient::new(house, credential), shown }
    }

    /// A new connection of this caller to the server at `address`.
    pub(super) async fn connect(&self, address: SocketAddr) -> anyhow::Result<Connection> {
        Connection::open_tls(address, &self.client).await
    }
}

impl Shown {
    fn headers(&self) -> Vec<(&str, String)> {
        let shown = match self {
            Self::Certificate(_) => None,
            Self::Token(token) => Some(("authorization", format!("Bearer {token}"))),
            Self::Key { text, .. } => Some(("x-api-key", text.clone())),
        };
        shown.into_iter().chain([("content-type", "application/json".to_owned())]).collect()
    }
}

/// One caller: asks over a connection for a while, then over another, and follows what it is told.
pub(super) async fn call(number: usize, shared: Arc<Shared>, mut rng: Rng) {
    while !shared.stop.load(Ordering::SeqCst) {
        let (epoch, wanted) = {
            let wanted = shared.wanted();
            (wanted.0, wanted.1[number].clone())
        };
        let requests = 1 + rng.below(60);
        if let Err(error) = converse(number, &shared, epoch, &wanted, requests).await {
            let mut fault = shared.fault.lock().unwrap_or_else(PoisonError::into_inner);
            fault.get_or_insert_with(|| format!("caller {number}: {error:#}"));
            return;
        }
    }
}

async fn converse(
    number: usize,
    shared: &Shared,
    epoch: u64,
    wanted: &Wanted,
    requests: usize,
) -> anyhow::Result<()> {
    let mut connection = wanted.connect(shared.address).await?;
    shared.connections.fetch_add(1, Ordering::Relaxed);
    // From here on nothing older is shown by this caller.
    shared.followed[number].store(epoch, Ordering::SeqCst);
    for _ in 0..requests {
        ask(&mut connection, &wanted.shown).await?;
        shared.answers.fetch_add(1, Ordering::Relaxed);
        if shared.wanted().0 != epoch || shared.stop.load(Ordering::SeqCst) {
            break;
        }
    }
    Ok(())
}

/// Asks over a connection of its own.
pub(super) async fn ask_once(address: SocketAddr, wanted: &Wanted) -> anyhow::Result<()> {
    ask(&mut wanted.connect(address).await?, &wanted.shown).await
}

/// The status of what a caller that shows `shown` is answered.
pub(super) async fn status(connection: &mut Connection, shown: &Shown) -> anyhow::Result<u16> {
    Ok(answer(connection, shown).await?.status)
}

async fn ask(connection: &mut Connection, shown: &Shown) -> anyhow::Result<()> {
    let answer = answer(connection, shown).await?;
    ensure!(answer.status == 200, "status {}", answer.status);
    let effect = &answer.json()?["results"][0]["actions"]["view"];
    ensure!(effect == "EFFECT_ALLOW", "the answer is {effect}");
    Ok(())
}

async fn answer(connection: &mut Connection, shown: &Shown) -> anyhow::Result<Response> {
    let headers = shown.headers();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    connection.send("POST", "/api/check/resources", &headers, REQUEST).await
}
