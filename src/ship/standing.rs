//! How far a destination is: what its thread notes, and status, metrics and events show.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bookmark::Bookmark;
use super::failure::Failure;
use super::needs::Needs;
use crate::audit::LogReader;
use crate::ports::{Clock, DestinationStatus};
use crate::telemetry::ShipMetrics;
use crate::telemetry::events::{RecordsShipped, ShipAttemptFailed, ShipRestarted, chain};

/// How often the metrics are brought up to date while nothing else does it.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// Most sorts of failures that are told during one outage.
const MOST_TOLD: usize = 32;

/// How far one destination is.
pub(super) struct Standing {
    parts: Parts,
    state: Mutex<State>,
}

/// What a destination is followed with.
pub(super) struct Parts {
    /// Its name.
    pub(super) name: String,
    /// The log that is shipped.
    pub(super) reader: LogReader,
    /// Tells how long records wait.
    pub(super) clock: Arc<dyn Clock>,
    /// Its metrics.
    pub(super) metrics: ShipMetrics,
    /// Whom it tells which records it has.
    pub(super) needs: Arc<Needs>,
    /// Its place there.
    pub(super) place: usize,
}

#[derive(Default)]
struct State {
    /// The last record that is confirmed, or that the destination does not get; 0 before the first.
    shipped: u64,
    /// The last record of which that is on disk.
    kept: u64,
    /// The instant of the oldest record that waits, in microseconds since 1970, if it was read already.
    oldest: Option<i64>,
    outage: Option<Outage>,
}

struct Outage {
    since: Instant,
    error: String,
    told: Vec<(&'static str, u16)>,
}

impl Standing {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, state: Mutex::default() }
    }

    /// The log that is shipped.
    pub(super) fn reader(&self) -> &LogReader {
        &self.parts.reader
    }

    /// The destination goes on behind `at`, which is on disk.
    pub(super) fn begun(&self, at: Option<Bookmark>) {
        let seq = at.map_or(0, |at| at.seq);
        let mut state = self.lock();
        (state.shipped, state.kept, state.oldest) = (seq, seq, None);
        drop(state);
        self.parts.needs.kept(self.parts.place, seq);
        self.note();
    }

    /// The destination was at `was_at`, and begins again with the first record of the log.
    pub(super) fn restarted(&self, was_at: u64, reason: &str) {
        let next_seq = self.parts.reader.first_seq();
        ShipRestarted { destination: &self.parts.name, reason, was_at, next_seq }.emit();
    }

    /// The oldest record that waits is of the instant `oldest`.
    pub(super) fn waits(&self, oldest: Option<i64>) {
        self.lock().oldest = oldest;
        self.note();
    }

    /// `records` more are confirmed, and the destination is at `at`.
    pub(super) fn confirmed(&self, records: usize, at: Option<Bookmark>, oldest: Option<i64>) {
        let mut state = self.lock();
        state.shipped = at.map_or(state.shipped, |at| at.seq);
        state.oldest = oldest;
        let outage = if records > 0 { state.outage.take() } else { None };
        let last_seq = state.shipped;
        drop(state);
        if records > 0 {
            let (records, outage) = (records as u64, outage.map(|outage| outage.since.elapsed()));
            RecordsShipped { destination: &self.parts.name, records, last_seq, outage }
                .emit(&self.parts.metrics);
        }
        self.note();
    }

    /// That the destination is at `at` is on disk.
    pub(super) fn keeps(&self, at: Bookmark) {
        self.lock().kept = at.seq;
        self.parts.needs.kept(self.parts.place, at.seq);
    }

    /// The last record of which it is on disk that the destination has it.
    pub(super) fn kept(&self) -> u64 {
        self.lock().kept
    }

    /// An attempt failed.
    pub(super) fn failed(&self, failure: &Failure) {
        let mut state = self.lock();
        let next_seq = state.shipped + 1;
        let new = || Outage { since: Instant::now(), error: String::new(), told: Vec::new() };
        let outage = state.outage.get_or_insert_with(new);
        outage.error = chain(failure);
        let sort = failure.sort();
        let is_news = !outage.told.contains(&sort) && outage.told.len() < MOST_TOLD;
        if is_news {
            outage.told.push(sort);
        }
        drop(state);
        ShipAttemptFailed { destination: &self.parts.name, error: failure, next_seq, is_news }
            .emit(&self.parts.metrics);
        self.note();
    }

    /// What is known at this moment.
    pub(super) fn status(&self) -> DestinationStatus {
        let last = self.parts.reader.reach().last;
        let skipped = self.parts.reader.first_seq() - 1;
        let now = self.parts.clock.now().as_microsecond();
        let state = self.lock();
        let behind = last.saturating_sub(state.shipped.max(skipped));
        let waited = state.oldest.filter(|_| behind > 0).map_or(0, |oldest| now.saturating_sub(oldest));
        DestinationStatus {
            name: self.parts.name.clone(),
            shipped: state.shipped,
            kept: state.kept,
            behind,
            behind_for: Duration::from_micros(u64::try_from(waited).unwrap_or(0)),
            outage: state.outage.as_ref().map(|outage| outage.error.clone()),
        }
    }

    /// Brings the metrics up to date, again and again.
    pub(super) async fn note_on(&self) -> Infallible {
        loop {
            tokio::time::sleep(NOTE_EVERY).await;
            self.note();
        }
    }

    fn note(&self) {
        let status = self.status();
        self.parts.metrics.lag(status.behind, status.behind_for);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
