//! How the threads are told to come to an end.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Tells the threads to stop.
pub(super) struct Stop(watch::Sender<Option<Instant>>);

/// Hears it.
#[derive(Clone)]
pub(super) struct StopSignal(watch::Receiver<Option<Instant>>);

impl Stop {
    pub(super) fn new() -> (Self, StopSignal) {
        let (tell, hear) = watch::channel(None);
        (Self(tell), StopSignal(hear))
    }

    /// Tells the threads to stop, `patience` from now at the latest. The first word counts.
    pub(super) fn within(&self, patience: Duration) {
        self.0.send_if_modified(|over| {
            let is_first = over.is_none();
            over.get_or_insert_with(|| Instant::now() + patience);
            is_first
        });
    }
}

impl StopSignal {
    /// Whether the thread should stop once it has sent what there is.
    pub(super) fn is_asked(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Whether the time for that is over.
    pub(super) fn is_over(&self) -> bool {
        self.0.borrow().is_some_and(|over| over <= Instant::now())
    }

    /// Resolves when the thread should stop.
    pub(super) async fn asked(&self) -> Instant {
        let mut heard = self.0.clone();
        // Whoever could tell is gone: nobody waits any more.
        heard.wait_for(Option::is_some).await.ok().and_then(|over| *over).unwrap_or_else(Instant::now)
    }

    /// Resolves when the time for stopping is over.
    pub(super) async fn over(&self) {
        let over = self.asked().await;
        tokio::time::sleep_until(over).await;
    }
}
