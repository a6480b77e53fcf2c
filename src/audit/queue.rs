//! The bounded queue between the calls and the writer, and whether the log accepts records at all.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use procura_core::limits::RECORD_BYTES;
use tokio::sync::oneshot;

use super::batch::Batch;
use crate::ports::{LogError, NewRecord};
use crate::telemetry::Metrics;

/// Tells one caller what became of its record.
pub(super) type Ack = oneshot::Sender<Result<(), LogError>>;

/// Records that wait to be written, and whom to tell.
#[derive(Default)]
pub(super) struct Waiting {
    /// The records.
    pub(super) batch: Batch,
    /// Whether some of them have to be on disk before anybody is told.
    pub(super) sync: bool,
    /// Who waits for one of them.
    acks: Vec<Ack>,
}

impl Waiting {
    /// How many of them somebody waits for.
    pub(super) fn awaited(&self) -> usize {
        self.acks.len()
    }

    /// Tells everybody who waits, and is empty then.
    pub(super) fn tell(&mut self, outcome: &Result<(), LogError>) {
        self.batch.clear();
        self.sync = false;
        for ack in self.acks.drain(..) {
            // Whoever stopped waiting (deadline, closed connection) needs no answer.
            let _ = ack.send(outcome.clone());
        }
    }
}

/// What the writer waits for before it takes what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    /// Until this many records wait; half a full queue is always enough.
    pub(super) records: usize,
    /// At most so long.
    pub(super) time: Duration,
    /// Since when.
    pub(super) since: Since,
}

/// When the patience of the writer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// When it could take the first record.
    First,
    /// At once: while records keep coming that nobody waits for, whoever brings the first one need not wake it. If none
    /// came in the end, the next one is taken as soon as it is there.
    Now,
}

/// The queue. Many threads push, one takes.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    max_records: usize,
    max_bytes: usize,
    /// Told how many records wait, under the lock: else an earlier count could be told after a later one and stay.
    metrics: Arc<Metrics>,
}

struct State {
    waiting: Waiting,
    closed: bool,
    failure: Option<Failure>,
    /// Whoever brings the queue to this many records wakes the writer; `None` while it does not sleep, so that nobody
    /// pays for waking who is awake.
    wake_at: Option<Enough>,
}

/// Why records are refused, and how many were.
struct Failure {
    reason: String,
    refused: u64,
}

/// What the writer sleeps until.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Enough {
    records: usize,
    /// Or until somebody waits for one of them.
    or_asked: bool,
}

impl Queue {
    /// An empty queue of at most this many records and bytes.
    pub(super) fn new(max_records: usize, max_bytes: usize, metrics: Arc<Metrics>) -> Self {
        let state = State { waiting: Waiting::default(), closed: false, failure: None, wake_at: None };
        Self { state: Mutex::new(state), changed: Condvar::new(), max_records, max_bytes, metrics }
    }

    /// Adds a record that has to be on disk if `sync`, and whom to tell if somebody waits for it; never waits.
    pub(super) fn push(&self, record: &NewRecord, sync: bool, ack: Option<Ack>) -> Result<(), LogError> {
        let bytes = record.payload.len();
        if bytes > RECORD_BYTES {
            return Err(LogError::TooLarge { bytes, limit: RECORD_BYTES });
        }
        let mut state = self.lock();
        if let Some(failure) = &mut state.failure {
            failure.refused += 1;
        }
        state.health()?;
        let Waiting { batch, acks, sync: syncs } = &mut state.waiting;
        if batch.records() >= self.max_records || batch.payload_bytes() + bytes > self.max_bytes {
            return Err(LogError::Overloaded);
        }
        batch.push(record);
        acks.extend(ack);
        *syncs |= sync;
        self.metrics.log_queue_length(batch.records());
        let wakes = state.wake_at.is_some_and(|enough| self.has(&state, enough));
        if wakes {
            state.wake_at = None;
        }
        drop(state);
        if wakes {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits for a record, at most `longest`, and for more with `patience`; then takes everything that waits into `taken`,
    /// which is empty. `false` if the queue is closed and there is nothing left.
    pub(super) fn take(&self, taken: &mut Waiting, patience: Patience, longest: Duration) -> bool {
        let mut state = self.lock();
        if patience.since == Since::Now {
            state = self.sleep(state, Enough { records: patience.records, or_asked: true }, patience.time);
        }
        state = self.sleep(state, Enough { records: 1, or_asked: false }, longest);
        let is_first = state.waiting.batch.records() > 0 && patience.since == Since::First;
        if is_first && !patience.time.is_zero() {
            state = self.sleep(state, Enough { records: patience.records, or_asked: false }, patience.time);
        }
        std::mem::swap(&mut state.waiting, taken);
        self.metrics.log_queue_length(0);
        !state.closed || taken.batch.records() > 0
    }

    /// How many records wait.
    pub(super) fn len(&self) -> usize {
        self.lock().waiting.batch.records()
    }

    /// Refuses records from now on, for this reason. Returns those that waited.
    pub(super) fn fail(&self, reason: String) -> Waiting {
        let mut state = self.lock();
        let refused = state.refused();
        state.failure = Some(Failure { reason, refused });
        self.metrics.log_queue_length(0);
        std::mem::take(&mut state.waiting)
    }

    /// How many records were refused since the first failure after which none was accepted.
    pub(super) fn refused(&self) -> u64 {
        self.lock().refused()
    }

    /// Accepts records again.
    pub(super) fn recover(&self) {
        self.lock().failure = None;
    }

    /// Refuses records from now on; those that wait are still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits until closed, at most `timeout`; whether it is closed.
    pub(super) fn wait_closed(&self, timeout: Duration) -> bool {
        let state = self.lock();
        let waited = self.changed.wait_timeout_while(state, timeout, |state| !state.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Whether records are accepted.
    pub(super) fn health(&self) -> Result<(), LogError> {
        self.lock().health()
    }

    /// Sleeps until there are enough records, this time is over, or the queue is closed.
    fn sleep<'q>(
        &'q self,
        mut state: MutexGuard<'q, State>,
        enough: Enough,
        time: Duration,
    ) -> MutexGuard<'q, State> {
        state.wake_at = Some(enough);
        let lacks = |state: &mut State| !state.closed && !self.has(state, enough);
        let slept = self.changed.wait_timeout_while(state, time, lacks);
        let (mut state, _) = slept.unwrap_or_else(PoisonError::into_inner);
        state.wake_at = None;
        state
    }

    /// Whether enough records wait, or so many that they should be written.
    fn has(&self, state: &State, enough: Enough) -> bool {
        let Waiting { batch, acks, .. } = &state.waiting;
        let waiting = batch.records();
        let is_asked = enough.or_asked && !acks.is_empty();
        is_asked
            || waiting >= enough.records
            || waiting > self.max_records / 2
            || batch.payload_bytes() > self.max_bytes / 2
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn refused(&self) -> u64 {
        self.failure.as_ref().map_or(0, |failure| failure.refused)
    }

    fn health(&self) -> Result<(), LogError> {
        match &self.failure {
            Some(failure) => Err(LogError::Unavailable(failure.reason.clone())),
            None if self.closed => Err(LogError::Unavailable("it is closed".to_owned())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use procura_core::model::Timestamp;

    use super::*;

    const FOR_EVER: Patience = Patience { records: usize::MAX, time: Duration::MAX, since: Since::First };
    const NO_PATIENCE: Patience = Patience { records: 1, time: Duration::ZERO, since: Since::First };

    fn empty(max_records: usize, max_bytes: usize) -> Queue {
        Queue::new(max_records, max_bytes, Arc::new(Metrics::new().unwrap()))
    }

    fn told_length(queue: &Queue) -> usize {
        let text = queue.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix("procura_log_queue_records "));
        line.unwrap().parse().unwrap()
    }

    fn push(queue: &Queue, bytes: usize) -> Result<(), LogError> {
        let record = NewRecord { at: Timestamp::UNIX_EPOCH, payload: vec![b' '; bytes] };
        queue.push(&record, false, None)
    }

    fn taken(queue: &Queue, patience: Patience) -> usize {
        let mut taken = Waiting::default();
        queue.take(&mut taken, patience, Duration::MAX);
        taken.batch.records()
    }

    #[test]
    fn half_a_full_queue_ends_the_patience_whichever_way_it_is_full() {
        for (max_records, max_bytes) in [(10, 1000), (1000, 60)] {
            let queue = empty(max_records, max_bytes);
            thread::scope(|scope| {
                let writer = scope.spawn(|| taken(&queue, FOR_EVER));
                (0..6).for_each(|_| drop(push(&queue, 6)));
                assert_eq!(writer.join().unwrap(), 6);
            });
        }
    }

    #[test]
    fn patience_ends_with_its_records_its_time_or_the_queue() {
        let queue = empty(100, 100);
        let two = Patience { records: 2, time: Duration::MAX, since: Since::First };
        let (first, second) = thread::scope(|scope| {
            let writer = scope.spawn(|| (taken(&queue, two), taken(&queue, FOR_EVER)));
            (0..2).for_each(|_| drop(push(&queue, 1)));
            while queue.len() > 0 {
                thread::yield_now();
            }
            push(&queue, 1).unwrap();
            queue.close();
            writer.join().unwrap()
        });
        assert_eq!((first, second), (2, 1));
        assert_eq!(taken(&queue, FOR_EVER), 0, "closed and empty");

        let queue = empty(100, 100);
        push(&queue, 1).unwrap();
        let short = Patience { records: 2, time: Duration::from_micros(1), since: Since::First };
        assert_eq!(taken(&queue, short), 1);
        push(&queue, 1).unwrap();
        assert_eq!(taken(&queue, NO_PATIENCE), 1);
    }

    #[test]
    fn patience_from_now_on_takes_what_came_and_after_a_pause_the_next_record_at_once() {
        let queue = empty(100, 100);
        let short = Patience { records: 100, time: Duration::from_micros(1), since: Since::Now };
        (0..3).for_each(|_| drop(push(&queue, 1)));
        assert_eq!(taken(&queue, short), 3);
        thread::scope(|scope| {
            let writer = scope.spawn(|| taken(&queue, short));
            // Nothing came in its time, so it waits for a single record now.
            while queue.lock().wake_at != Some(Enough { records: 1, or_asked: false }) {
                thread::yield_now();
            }
            push(&queue, 1).unwrap();
            assert_eq!(writer.join().unwrap(), 1);
        });
        queue.close();
        assert_eq!(taken(&queue, short), 0, "closed and empty");
    }

    #[test]
    fn what_exceeds_the_queue_is_refused_and_what_was_taken_makes_room() {
        let queue = empty(2, 10);
        push(&queue, 6).unwrap();
        assert!(matches!(push(&queue, 6), Err(LogError::Overloaded)), "bytes");
        push(&queue, 4).unwrap();
        assert!(matches!(push(&queue, 0), Err(LogError::Overloaded)), "records");
        assert_eq!(taken(&queue, NO_PATIENCE), 2);
        push(&queue, 10).unwrap();
    }

    #[test]
    fn the_metric_says_how_many_records_wait_and_ends_at_zero_whoever_comes_last() {
        let queue = empty(1 << 20, 1 << 20);
        (1..=3).for_each(|waiting| {
            push(&queue, 1).unwrap();
            assert_eq!(told_length(&queue), waiting);
        });
        assert_eq!((taken(&queue, NO_PATIENCE), told_length(&queue)), (3, 0));
        push(&queue, 1).unwrap();
        assert_eq!((queue.fail(String::new()).batch.records(), told_length(&queue)), (1, 0));
        queue.recover();
        // The last to push and the writer meet again and again, in either order.
        thread::scope(|scope| {
            let writer = scope.spawn(|| while taken(&queue, NO_PATIENCE) > 0 {});
            for _ in 0..1000 {
                push(&queue, 1).unwrap();
                while queue.len() > 0 {
                    thread::yield_now();
                }
                assert_eq!(told_length(&queue), 0);
            }
            queue.close();
            writer.join().unwrap();
        });
    }
}
