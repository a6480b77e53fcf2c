//! The load of the trial, which judges every answer: one of the two sets, and that set alone, must have given it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use procura_core::model::Effect;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::sets::{Sets, kind};
use crate::http::{Connection, Response};
use crate::rng::Rng;
use crate::server::Server;

/// Most resources in one request: the server's default limit.
const BATCH: usize = 50;

/// Requests that run until they are stopped.
pub(super) struct Load {
    shared: Arc<Shared>,
    connections: JoinSet<()>,
}

struct Shared {
    sets: Arc<Sets>,
    stop: AtomicBool,
    round: AtomicU64,
    answers: AtomicU64,
    faults: Mutex<Vec<Fault>>,
}

/// An answer that must not be.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// The round in which its request was sent.
    pub(super) round: u64,
    /// Whether a set answered whole, but one that its writer did not mean.
    pub(super) is_unknown_set: bool,
    /// What is wrong.
    pub(super) what: String,
}

impl Load {
    /// Starts `connections` loops of requests.
    pub(super) async fn start(
        server: &Server,
        sets: &Arc<Sets>,
        connections: usize,
        rng: &mut Rng,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            sets: Arc::clone(sets),
            stop: AtomicBool::new(false),
            round: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            faults: Mutex::new(Vec::new()),
        });
        let mut running = JoinSet::new();
        for _ in 0..connections {
            let connection = server.connect().await?;
            running.spawn(keep_asking(connection, Arc::clone(&shared), Rng::new(rng.next())));
        }
        Ok(Self { shared, connections: running })
    }

    /// Begins the next round; returns its number.
    pub(super) fn next_round(&self) -> u64 {
        self.shared.round.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The faults so far.
    pub(super) fn faults(&self) -> Vec<Fault> {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops all requests; returns how many were answered, and the faults.
    pub(super) async fn stop(mut self) -> (u64, Vec<Fault>) {
        self.shared.stop.store(true, Ordering::SeqCst);
        while self.connections.join_next().await.is_some() {}
        (self.shared.answers.load(Ordering::SeqCst), self.faults())
    }
}

async fn keep_asking(mut connection: Connection, shared: Arc<Shared>, mut rng: Rng) {
    while !shared.stop.load(Ordering::SeqCst) {
        let round = shared.round.load(Ordering::SeqCst);
        let fault = |is_unknown_set, what| Fault { round, is_unknown_set, what };
        let fault = match ask(&mut connection, shared.sets.files(), &mut rng).await {
            Ok(response) => match judge(&response, &shared.sets.whole) {
                Ok(_) => None,
                Err(Wrong::UnknownSet(revision)) => {
                    Some(fault(true, format!("no set has the revision {revision}")))
                }
                Err(Wrong::Answer(what)) => Some(fault(false, what)),
            },
            Err(error) => Some(fault(false, format!("{error:#}"))),
        };
        shared.answers.fetch_add(1, Ordering::SeqCst);
        if let Some(fault) = fault {
            let is_error = !fault.is_unknown_set;
            shared.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
            if is_error {
                return;
            }
        }
    }
}

/// Sends one request about random resources, all of different kinds.
pub(super) async fn ask(
    connection: &mut Connection,
    files: usize,
    rng: &mut Rng,
) -> anyhow::Result<Response> {
    let resources: Vec<Value> = (0..BATCH.min(files))
        .map(|_| rng.below(files))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|number| {
            let resource = json!({"kind": kind(number), "id": "1"});
            json!({"actions": ["view"], "resource": resource})
        })
        .collect();
    let principal = json!({"id": "sam", "roles": ["employee"]});
    let body = json!({"requestId": "storm", "principal": principal, "resources": resources});
    connection.post_json("/api/check/resources", &serde_json::to_vec(&body)?).await
}

/// Why an answer must not be.
#[derive(Debug)]
pub(super) enum Wrong {
    /// It carries a revision that is neither of the two.
    UnknownSet(String),
    /// It is an error, or its effects are not those of its revision.
    Answer(String),
}

/// The effect of the set that gave `response`.
pub(super) fn judge(response: &Response, whole: &[(String, Effect); 2]) -> Result<Effect, Wrong> {
    let text = || String::from_utf8_lossy(&response.body).into_owned();
    if response.status != 200 {
        return Err(Wrong::Answer(format!("status {}: {}", response.status, text())));
    }
    let revision = response.header("procura-policy-revision").unwrap_or_default();
    let Some((_, effect)) = whole.iter().find(|(known, _)| known == revision) else {
        return Err(Wrong::UnknownSet(revision.to_owned()));
    };
    let body = response.json().map_err(|error| Wrong::Answer(error.to_string()))?;
    let results = body["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    let all_agree = results.iter().all(|result| result["actions"]["view"] == effect.wire_name());
    if results.is_empty() || !all_agree {
        return Err(Wrong::Answer(format!(
            "revision {revision} is {}, but answers {}",
            effect.wire_name(),
            text()
        )));
    }
    Ok(*effect)
}
