//! Brings checkpoints to one witness, in a thread of its own: the newest, again and again until it is kept.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use procura_core::proof::{Hash, Note, SignatureLine, consistency};

use super::checkpoints::{self, CheckpointFile};
use super::signed::SignedCheckpoint;
use super::tree_file::StoredNodes;
use super::witness::{Lineage, Witness, WitnessError};
use crate::audit::error::AuditError;
use crate::audit::query::LogReader;
use crate::background::yield_to_others;
use crate::telemetry::events::{WitnessFailed, WitnessKept};
use crate::telemetry::{Metrics, WitnessKind};

/// How long it waits before it tries again; doubled after each failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// Hands checkpoints to the thread of one witness.
pub(super) struct Courier {
    mail: Arc<Mail>,
    kind: WitnessKind,
    metrics: Arc<Metrics>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What is to be brought.
#[derive(Default)]
struct Mail {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    newest: Option<SignedCheckpoint>,
    /// Records under the last checkpoint that is kept, as far as this process knows.
    kept: u64,
    closed: bool,
    ended: bool,
}

impl Courier {
    /// Starts to serve `witness`; proofs for it are made from the tree beside the log of `reader`.
    pub(super) fn start(
        witness: Box<dyn Witness>,
        reader: LogReader,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let mail = Arc::new(Mail::default());
        let kind = witness.kind();
        let mut run = Run { witness, reader, metrics: Arc::clone(&metrics), mail: Arc::clone(&mail) };
        let work = move || {
            yield_to_others();
            run.until_closed();
            run.mail.lock().ended = true;
            run.mail.changed.notify_all();
        };
        let thread = Builder::new().name("log-witness".to_owned()).spawn(work)?;
        Ok(Self { mail, kind, metrics, thread: Mutex::new(Some(thread)) })
    }

    /// Has `signed` brought instead of what still waits.
    pub(super) fn post(&self, signed: &SignedCheckpoint) {
        let mut state = self.mail.lock();
        self.metrics.witness_lag(self.kind, signed.checkpoint.size.saturating_sub(state.kept));
        state.newest = Some(signed.clone());
        drop(state);
        self.mail.changed.notify_all();
    }

    /// Lets what waits be brought once more and ends, at `deadline` at the latest.
    pub(super) fn close(&self, deadline: Instant) {
        let mut state = self.mail.lock();
        state.closed = true;
        self.mail.changed.notify_all();
        let left = deadline.saturating_duration_since(Instant::now());
        let ended = self.mail.changed.wait_timeout_while(state, left, |state| !state.ended);
        let ended = ended.unwrap_or_else(PoisonError::into_inner).0.ended;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread.filter(|_| ended) {
            // One that panicked has been logged.
            let _ = thread.join();
        }
    }
}

impl Mail {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest that waits; `None` once closed.
    fn next(&self) -> Option<SignedCheckpoint> {
        let idle = |state: &mut State| state.newest.is_none() && !state.closed;
        let state = self.changed.wait_while(self.lock(), idle);
        state.unwrap_or_else(PoisonError::into_inner).newest.take()
    }

    /// Waits before another attempt; whether there is to be one.
    fn pause(&self, time: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), time, |state| !state.closed);
        !waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Notes that `size` records are witnessed; how many are signed beyond.
    fn kept(&self, size: u64) -> u64 {
        let mut state = self.lock();
        state.kept = size;
        state.newest.as_ref().map_or(0, |newest| newest.checkpoint.size.saturating_sub(size))
    }

    /// Puts `signed` back unless there is a newer one; how many records are not witnessed.
    fn put_back(&self, signed: SignedCheckpoint) -> u64 {
        let mut state = self.lock();
        let kept = state.kept;
        state.newest.get_or_insert(signed).checkpoint.size.saturating_sub(kept)
    }
}

/// The thread.
struct Run {
    witness: Box<dyn Witness>,
    reader: LogReader,
    metrics: Arc<Metrics>,
    mail: Arc<Mail>,
}

impl Run {
    fn until_closed(&mut self) {
        let mut retry = FIRST_RETRY;
        while let Some(signed) = self.mail.next() {
            let witness = self.witness.kind();
            let size = signed.checkpoint.size;
            match self.bring(&signed) {
                Ok(()) => {
                    let lag = self.mail.kept(size);
                    WitnessKept { witness, size, lag }.emit(&self.metrics);
                    retry = FIRST_RETRY;
                }
                Err(error) => {
                    let lag = self.mail.put_back(signed);
                    WitnessFailed { witness, error: &error, lag }.emit(&self.metrics);
                    if !self.mail.pause(retry) {
                        break;
                    }
                    retry = (retry * 2).min(LAST_RETRY);
                }
            }
        }
    }

    fn bring(&mut self, signed: &SignedCheckpoint) -> Result<(), WitnessError> {
        let cosignatures = self.witness.keep(signed, &TreeOf(&self.reader))?;
        if cosignatures.is_empty() { Ok(()) } else { self.store(signed, cosignatures) }
    }

    /// Keeps what a witness signed in turn beside the log.
    fn store(&self, signed: &SignedCheckpoint, lines: Vec<SignatureLine>) -> Result<(), WitnessError> {
        let files = self.reader.files();
        let signatures = signed.note.signatures.iter().cloned().chain(lines).collect();
        let note = Note { text: signed.note.text.clone(), signatures };
        let end = checkpoints::end(files, checkpoints::COSIGNED)?;
        let mut file = CheckpointFile::open(files, checkpoints::COSIGNED, end)?;
        Ok(file.append(&note)?)
    }
}

/// The tree beside a log.
struct TreeOf<'l>(&'l LogReader);

impl Lineage for TreeOf<'_> {
    fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, AuditError> {
        consistency(&mut StoredNodes::new(self.0.files()), old, new)
    }
}
