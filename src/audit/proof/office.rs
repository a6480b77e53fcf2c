//! Where the notary works: one thread beside the writer, and one for each witness. None of them holds up a call.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::bundle;
use super::courier::Courier;
use super::keys::SigningKeys;
use super::notary::{Notary, NotaryError};
use super::witness::Witness;
use crate::audit::catalog::Dependent;
use crate::audit::query::LogReader;
use crate::background::yield_to_others;
use crate::ports::{LogError, LogProofs, RecordProof};
use crate::telemetry::Metrics;
use crate::telemetry::events::{CheckpointFailed, CheckpointSigned, CheckpointsResumed, chain};

/// How long a notary that failed waits before it tries again; doubled after each failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// How long the end may take: signing for the last records, and telling the witnesses.
const CLOSING: Duration = Duration::from_secs(2);

/// The notary at work. Closes when dropped.
pub struct Office {
    reader: LogReader,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread is told, and what it tells.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct State {
    closed: bool,
    failure: Option<String>,
}

impl Office {
    /// Starts the notary of the log that `reader` reads. It signs every `interval` in which there are new records.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(
        reader: LogReader,
        keys: SigningKeys,
        interval: Duration,
        witnesses: Vec<Box<dyn Witness>>,
        metrics: Arc<Metrics>,
    ) -> io::Result<Arc<Self>> {
        let shared = Shared { state: Mutex::default(), changed: Condvar::new(), metrics };
        let shared = Arc::new(shared);
        let couriers = witnesses
            .into_iter()
            .map(|witness| Courier::start(witness, reader.clone(), Arc::clone(&shared.metrics)))
            .collect::<io::Result<Vec<_>>>()?;
        let (followed, keys, told) = (reader.clone(), Arc::new(keys), Arc::clone(&shared));
        let work = move || {
            yield_to_others();
            work(&followed, &keys, interval, &couriers, &told);
        };
        let thread = Builder::new().name("log-notary".to_owned()).spawn(work)?;
        Ok(Arc::new(Self { reader, shared, thread: Mutex::new(Some(thread)) }))
    }

    /// Signs for what the log holds now, hands it to the witnesses, and ends; for a moment at most. Blocking.
    pub fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A notary that panicked has been logged.
            let _ = thread.join();
        }
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.close();
    }
}

impl LogProofs for Office {
    fn prove(&self, call_id: &str) -> Result<Option<RecordProof>, LogError> {
        bundle::prove_call(&self.reader, call_id)
    }

    fn health(&self) -> Result<(), String> {
        self.shared.lock().failure.clone().map_or(Ok(()), Err)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until closed, at most `time`; whether it is closed.
    fn wait_closed(&self, time: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), time, |state| !state.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Whether it had failed already.
    fn failed(&self, error: &NotaryError) -> bool {
        CheckpointFailed { error }.emit(&self.metrics);
        self.lock().failure.replace(chain(error)).is_some()
    }

    fn works(&self) {
        if self.lock().failure.take().is_some() {
            CheckpointsResumed.emit(&self.metrics);
        }
    }
}

/// The thread: lets a notary sign until closed. After a failure it begins anew with another one.
fn work(
    reader: &LogReader,
    keys: &Arc<SigningKeys>,
    interval: Duration,
    couriers: &[Courier],
    shared: &Shared,
) {
    let mut retry = FIRST_RETRY;
    while let Err(error) = sign_until_closed(reader, keys, interval, couriers, shared) {
        // As long as it fails right away it tries less and less often.
        let is_again = shared.failed(&error);
        if matches!(error, NotaryError::Deleted { .. }) {
            // What it needs is gone: to keep the rest would not help it.
            reader.need_from(Dependent::Notary, None);
        }
        retry = if is_again { (retry * 2).min(LAST_RETRY) } else { FIRST_RETRY };
        let is_final = matches!(error, NotaryError::Unsynced(_));
        if shared.wait_closed(if is_final { Duration::MAX } else { retry }) {
            break;
        }
    }
    let deadline = Instant::now() + CLOSING;
    couriers.iter().for_each(|courier| courier.close(deadline));
}

fn sign_until_closed(
    reader: &LogReader,
    keys: &Arc<SigningKeys>,
    interval: Duration,
    couriers: &[Courier],
    shared: &Shared,
) -> Result<(), NotaryError> {
    let mut notary = Notary::open(reader, Arc::clone(keys))?;
    shared.works();
    let has_signed = |size: u64| reader.need_from(Dependent::Notary, Some(size + 1));
    has_signed(notary.last().map_or(0, |last| last.checkpoint.size));
    if let Some(last) = notary.last() {
        couriers.iter().for_each(|courier| courier.post(last));
    }
    loop {
        let closed = shared.wait_closed(interval);
        let deadline = Instant::now() + CLOSING;
        // What comes in meanwhile can wait for the next checkpoint: each takes the disk from the log.
        let goal = reader.reach().last;
        while let Some(signed) = notary.sign()? {
            CheckpointSigned { size: signed.checkpoint.size }.emit(&shared.metrics);
            has_signed(signed.checkpoint.size);
            couriers.iter().for_each(|courier| courier.post(&signed));
            let is_late = Instant::now() > deadline && shared.wait_closed(Duration::ZERO);
            if notary.size() >= goal || is_late {
                break;
            }
        }
        if closed {
            return Ok(());
        }
    }
}
