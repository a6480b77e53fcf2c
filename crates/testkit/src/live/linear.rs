//! No request that begins after the acknowledgement of an event sees the facts before it, whoever asks.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::ensure;
use tokio::task::JoinSet;

use super::{House, may_open, push};

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The server.
    pub binary: &'a Path,
    /// How many events.
    pub events: u64,
    /// How many ask at a time.
    pub callers: u64,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// How many events were acknowledged.
    pub events: u64,
    /// How many requests began after the acknowledgement of the event that they are about.
    pub after: u64,
    /// How many others were asked meanwhile.
    pub meanwhile: u64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, after, meanwhile } = self;
        write!(f, "{events} events; {after} requests after one, all of which knew it; {meanwhile} meanwhile")
    }
}

/// Revokes one session after the other, while callers ask about the last ones and about the one that is being revoked.
///
/// # Errors
/// If a request saw the facts before an event that had been acknowledged when it began, or saw them again after it had seen
/// the event.
pub async fn run(trial: Trial<'_>) -> anyhow::Result<Outcome> {
    let house = House::open(trial.binary, |_| (), &[]).await?;
    // The number of the last event that is acknowledged, and the one before which everything was sent.
    let acknowledged = Arc::new(AtomicU64::new(0));
    let ended = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for number in 0..trial.callers {
        let connection = house.server.connect().await?;
        callers.spawn(ask(connection, number, Arc::clone(&acknowledged), Arc::clone(&ended)));
    }
    let mut transmitter = house.server.connect().await?;
    for event in 1..=trial.events {
        let answer = push(&mut transmitter, &house.revoked("alice", &session(event))).await?;
        ensure!(answer.status == 202, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        acknowledged.store(event, Ordering::SeqCst);
    }
    ended.store(true, Ordering::SeqCst);
    let mut outcome = Outcome { events: trial.events, ..Outcome::default() };
    while let Some(asked) = callers.join_next().await {
        let (after, meanwhile) = asked??;
        outcome.after += after;
        outcome.meanwhile += meanwhile;
    }
    Ok(outcome)
}

/// Asks until everything `ended`: how often after, how often meanwhile.
async fn ask(
    mut connection: crate::http::Connection,
    number: u64,
    acknowledged: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
) -> anyhow::Result<(u64, u64)> {
    let (mut after, mut meanwhile, mut seen) = (0, 0, 0);
    for turn in number.. {
        let last = acknowledged.load(Ordering::SeqCst);
        // The one that is on its way, the one that was just acknowledged, and one that was long ago.
        let event = match turn % 3 {
            0 => last + 1,
            1 => last,
            _ => turn % (last + 1),
        };
        let is_denied = event > 0 && !may_open(&mut connection, "alice", &session(event)).await?;
        if (1..=last).contains(&event) {
            ensure!(
                is_denied,
                "event {event} of {last} was acknowledged, and a request after that did not know it"
            );
            after += 1;
        } else {
            ensure!(is_denied || event == 0 || event > seen, "event {event} was seen, and then not any more");
            seen = if is_denied { seen.max(event) } else { seen };
            meanwhile += 1;
        }
        if ended.load(Ordering::SeqCst) {
            break;
        }
    }
    Ok((after, meanwhile))
}

fn session(event: u64) -> String {
    format!("s-{event}")
}
