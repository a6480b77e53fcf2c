//! One of several connections that push a made-up stream of events, each about its own users and in its own order, so that
//! it is known what every event must change.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;

use super::{CAEP, NAME, push};
use crate::http::Connection;
use crate::rng::Rng;
use crate::transmitter::Transmitter;

/// How many users the events are about.
pub const USERS: u64 = 4096;

/// How late an event may come, in events.
const LATEST: usize = 20_000;

/// What a user is called.
#[must_use]
pub fn user(number: u64) -> String {
    format!("u-{number}")
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub number: u64,
    /// Whom it is about.
    pub user: u64,
    /// When it happened, in seconds since 1970.
    pub at: i64,
    /// Whether it is pushed once more after it was acknowledged.
    pub again: bool,
}

impl Event {
    /// Its `jti`.
    #[must_use]
    pub fn id(&self) -> String {
        Self::id_of(self.number)
    }

    /// The `jti` of the event of this number.
    #[must_use]
    pub fn id_of(number: u64) -> String {
        format!("e-{number:08}")
    }

    /// What decides between two that are about the same.
    #[must_use]
    pub fn weight(&self) -> (i64, u64) {
        (self.at, self.number)
    }
}

/// One connection and its share of the events.
#[derive(Debug)]
pub struct Lane {
    number: u64,
    lanes: u64,
    seed: u64,
    /// When the first event of all happened.
    begin: i64,
    /// The next event.
    next: u64,
    /// The end of all events.
    end: u64,
    /// The next event as it is pushed, if it was pushed before.
    set: Option<String>,
    /// Whom the last event was about that was acknowledged.
    pub last: Option<u64>,
    /// How many were pushed once more.
    pub repeated: u64,
}

impl Lane {
    /// The lane `number` of so many, for the events that `seed` chooses.
    #[must_use]
    pub fn new(number: u64, lanes: u64, seed: u64, begin: i64, end: u64) -> Self {
        Self { number, lanes, seed, begin, next: number, end, set: None, last: None, repeated: 0 }
    }

    /// The event that was pushed and not acknowledged.
    #[must_use]
    pub fn unclear(&self) -> Option<Event> {
        self.set.as_ref().map(|_| self.event(self.next))
    }

    /// Pushes events until the connection breaks or none is left, and tells of each that is acknowledged.
    pub async fn push(
        mut self,
        mut connection: Connection,
        transmitter: Arc<Transmitter>,
        told: UnboundedSender<()>,
    ) -> anyhow::Result<(Self, Vec<Event>)> {
        let mut acknowledged = Vec::new();
        while self.next < self.end {
            let event = self.event(self.next);
            let set = self.set.take().unwrap_or_else(|| sign(&transmitter, &event));
            if !is_taken(&mut connection, &set).await? {
                self.set = Some(set);
                break;
            }
            (self.last, self.next) = (Some(event.user), self.next + self.lanes);
            acknowledged.push(event);
            // Nobody may listen any more.
            let _ = told.send(());
            if event.again {
                if !is_taken(&mut connection, &set).await? {
                    break;
                }
                self.repeated += 1;
            }
        }
        Ok((self, acknowledged))
    }

    fn event(&self, number: u64) -> Event {
        let mut rng = Rng::new(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number);
        let of_lane = rng.below((USERS / self.lanes) as usize) as u64;
        let late = if rng.below(4) == 0 { rng.below(LATEST) as i64 } else { 0 };
        let again = rng.below(10) == 0;
        Event {
            number,
            user: self.number + self.lanes * of_lane,
            at: self.begin + number as i64 - late,
            again,
        }
    }
}

fn sign(transmitter: &Transmitter, event: &Event) -> String {
    let subject = json!({"format": "iss_sub", "iss": transmitter.issuer(), "sub": user(event.user)});
    let said = json!({"principal": "USER", "current_level": "HIGH", "event_timestamp": event.at});
    let mut claims = transmitter.claims(NAME, &format!("{CAEP}risk-level-change"), &subject, &said);
    claims["jti"] = json!(event.id());
    transmitter.sign(&claims)
}

/// Pushes `set` until it is acknowledged; `false` if the connection breaks.
async fn is_taken(connection: &mut Connection, set: &str) -> anyhow::Result<bool> {
    loop {
        let Ok(answer) = push(connection, set).await else { return Ok(false) };
        match answer.status {
            202 => return Ok(true),
            // It is said that this may come again.
            503 | 429 => tokio::time::sleep(Duration::from_millis(20)).await,
            other => bail!("an event is answered with {other}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}
