//! The events that wait for the writer.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::ports::{Applied, Applying, Statements, StoreError};

/// Most events that wait.
const MOST: usize = 4096;

/// An event, and who waits for what becomes of it.
pub(super) struct Waiting {
    pub(super) event: Statements,
    pub(super) told: oneshot::Sender<Result<Applied, StoreError>>,
}

/// What the writer finds.
pub(super) enum Found {
    /// Events wait now.
    Events,
    /// None came in the time.
    Nothing,
    /// None wait, and none will come.
    Closed,
}

/// The queue between those who bring events and the writer.
#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Waiting>,
    /// Why nothing can be kept at present.
    fault: Option<String>,
    is_closed: bool,
}

impl Queue {
    /// Adds `event`.
    pub(super) fn push(&self, event: Statements) -> Applying {
        let (told, result) = oneshot::channel();
        let refused = self.refuse_or_add(Waiting { event, told });
        Box::pin(async move {
            match refused {
                Some(error) => Err(error),
                None => result.await.unwrap_or_else(|_| Err(stopped())),
            }
        })
    }

    fn refuse_or_add(&self, waiting: Waiting) -> Option<StoreError> {
        let mut inner = self.lock();
        if inner.is_closed {
            return Some(stopped());
        }
        if let Some(fault) = &inner.fault {
            return Some(StoreError::Unavailable(fault.clone()));
        }
        if inner.waiting.len() >= MOST {
            return Some(StoreError::Overloaded);
        }
        inner.waiting.push_back(waiting);
        self.changed.notify_one();
        None
    }

    /// Moves all that wait behind `taken`, or waits at most so long for one.
    pub(super) fn take(&self, taken: &mut VecDeque<Waiting>, patience: Duration) -> Found {
        let is_idle = |inner: &mut Inner| inner.waiting.is_empty() && !inner.is_closed;
        let inner = self.lock();
        let (mut inner, _) =
            self.changed.wait_timeout_while(inner, patience, is_idle).unwrap_or_else(PoisonError::into_inner);
        if !inner.waiting.is_empty() {
            taken.append(&mut inner.waiting);
            Found::Events
        } else if inner.is_closed {
            Found::Closed
        } else {
            Found::Nothing
        }
    }

    /// Refuses all that wait and that will come, until [`Queue::recover`].
    pub(super) fn fail(&self, reason: &str) {
        let waiting = {
            let mut inner = self.lock();
            inner.fault = Some(reason.to_owned());
            std::mem::take(&mut inner.waiting)
        };
        refuse(waiting, reason);
    }

    /// Takes events again.
    pub(super) fn recover(&self) {
        self.lock().fault = None;
    }

    /// Why nothing can be kept at present.
    pub(super) fn fault(&self) -> Option<String> {
        self.lock().fault.clone()
    }

    /// Takes no more events.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Waits so long, or until it is closed: whether it is.
    pub(super) fn wait_closed(&self, time: Duration) -> bool {
        let inner = self.lock();
        let (inner, _) = self
            .changed
            .wait_timeout_while(inner, time, |inner| !inner.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        inner.is_closed
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells everybody who waits that nothing was kept.
pub(super) fn refuse(waiting: impl IntoIterator<Item = Waiting>, reason: &str) {
    for waiting in waiting {
        // Who does not listen any more need not be told.
        let _ = waiting.told.send(Err(StoreError::Unavailable(reason.to_owned())));
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the server stops".to_owned())
}
