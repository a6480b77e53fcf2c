//! Keys at a URL: one task for each set fetches them, by itself now and then, and when somebody misses a key.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::fetch::{FetchError, Fetcher, FindError};
use super::key_set::Shelf;
use super::keys::KeyError;
use crate::discovery::TransmitterPlace;
use crate::outgoing::jittered;

/// When remote keys are fetched, besides the interval of each set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteTiming {
    /// How long one attempt may take.
    pub deadline: Duration,
    /// The shortest pause between two attempts, however many tokens miss a key: a stranger who invents key names must
    /// not be able to flood the issuer.
    pub pause: Duration,
    /// The longest pause after failures.
    pub longest_retry: Duration,
}

impl Default for RemoteTiming {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(3),
            pause: Duration::from_secs(5),
            longest_retry: Duration::from_secs(60),
        }
    }
}

/// Asks the task of one key set for fresh keys. The task ends when this is dropped.
pub(super) struct Remote {
    wanted: Arc<Notify>,
    state: watch::Receiver<State>,
    timing: RemoteTiming,
    task: JoinHandle<()>,
}

/// Where keys are.
pub(super) enum KeyPlace {
    /// At this URL.
    Url(String),
    /// Where the metadata of this transmitter say.
    Transmitter(TransmitterPlace),
}

/// How far the task is.
#[derive(Clone, Copy)]
struct State {
    /// How many attempts have ended.
    ended: u64,
    /// Whether the last of them got keys.
    succeeded: bool,
    /// When the last of them ended; `None` while another is under way.
    idle_since: Option<Instant>,
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("cannot fetch `{0}`")]
    Fetch(String, #[source] FetchError),
    #[error("cannot find out where the keys are")]
    Find(#[from] FindError),
    #[error("`{0}`")]
    Keys(String, #[source] KeyError),
}

impl Remote {
    /// Starts to fetch the keys at `place` onto `shelf`, at once and then about every `interval`.
    pub(super) fn start(
        place: KeyPlace,
        interval: Duration,
        timing: RemoteTiming,
        fetcher: Fetcher,
        shelf: Arc<Shelf>,
    ) -> Self {
        let wanted = Arc::new(Notify::new());
        let (tell, state) = watch::channel(State { ended: 0, succeeded: false, idle_since: None });
        let refresher =
            Refresher { place, interval, timing, fetcher, shelf, wanted: Arc::clone(&wanted), tell };
        Self { wanted, state, timing, task: tokio::spawn(refresher.run()) }
    }

    /// Waits until the attempt that is under way has ended, or a new one if the last is long enough ago. Whether keys were
    /// fetched that are no older than this question: those of an attempt that was under way may be.
    pub(super) async fn refresh(&self) -> bool {
        let mut state = self.state.clone();
        let before = *state.borrow_and_update();
        if before.idle_since.is_some_and(|since| since.elapsed() < self.timing.pause) {
            return false;
        }
        let is_new = before.idle_since.is_some();
        if is_new {
            self.wanted.notify_one();
        }
        // An error means that the task has ended; then there is nothing to wait for.
        let after = state.wait_for(|state| state.ended > before.ended).await;
        is_new && after.is_ok_and(|state| state.succeeded)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Refresher {
    place: KeyPlace,
    interval: Duration,
    timing: RemoteTiming,
    fetcher: Fetcher,
    shelf: Arc<Shelf>,
    wanted: Arc<Notify>,
    tell: watch::Sender<State>,
}

impl Refresher {
    async fn run(self) {
        let (mut ended, mut failures) = (0, 0_u32);
        loop {
            self.tell.send_replace(State { ended, succeeded: false, idle_since: None });
            match self.attempt().await {
                Ok(()) => failures = 0,
                Err(error) => {
                    self.shelf.failed(&error);
                    failures += 1;
                }
            }
            ended += 1;
            let idle_since = Instant::now();
            self.tell.send_replace(State { ended, succeeded: failures == 0, idle_since: Some(idle_since) });
            tokio::select! {
                () = tokio::time::sleep(self.until_next(failures)) => {}
                () = self.wanted_after(idle_since + self.timing.pause) => {}
            }
        }
    }

    /// Resolves when somebody asks for keys after `earliest`. Who asked before has been served by the last attempt.
    async fn wanted_after(&self, earliest: Instant) {
        loop {
            self.wanted.notified().await;
            if Instant::now() >= earliest {
                return;
            }
        }
    }

    async fn attempt(&self) -> Result<(), RefreshError> {
        let url = match &self.place {
            KeyPlace::Url(url) => url.clone(),
            KeyPlace::Transmitter(transmitter) => {
                self.fetcher.find(transmitter, self.timing.deadline).await?
            }
        };
        // A query may hold a secret.
        let shown = || url.split('?').next().unwrap_or_default().to_owned();
        let fetched = self.fetcher.get(&url, self.timing.deadline).await;
        let text = fetched.map_err(|error| RefreshError::Fetch(shown(), error))?;
        self.shelf.put(text.to_vec()).map_err(|error| RefreshError::Keys(shown(), error))
    }

    /// The interval, or after failures a pause that doubles; never the same twice, so that many servers do not ask the
    /// issuer at the same moment.
    fn until_next(&self, failures: u32) -> Duration {
        let pause = match failures {
            0 => self.interval,
            _ => {
                let doubled = self.timing.pause.saturating_mul(2_u32.saturating_pow(failures - 1));
                doubled.min(self.timing.longest_retry).min(self.interval)
            }
        };
        jittered(pause)
    }
}
