//! What is known of a source while the server runs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use procura_core::model::Timestamp;
use procura_core::signal::{SubjectRules, Trust};
use tokio::sync::Semaphore;

use super::Heard;
use super::budget::{Counted, Refusals};
use super::settings::{SourceKind, SourceSettings, StreamRules};
use crate::ports::Applied;
use crate::rate::Rate;
use crate::telemetry::{Metrics, SignalMetrics};

/// Most verifications that are awaited of a stream.
const AWAITED: usize = 16;

/// The code under which signals are counted that nobody has looked at.
const SHED: &str = "rate_limited";

/// A source.
pub(super) struct Source {
    /// What is made of its signals.
    pub(super) trust: Trust,
    /// One signature of it is verified at a time, so that others come as often.
    pub(super) turn: Semaphore,
    kind: &'static str,
    max_silence: Option<Duration>,
    stream: Option<Stream>,
    rate: Rate,
    tally: Mutex<Tally>,
    metrics: SignalMetrics,
}

/// What is known of a source that is a stream.
pub(super) struct Stream {
    /// The issuer of its SETs.
    pub(super) issuer: String,
    /// Who they are for.
    pub(super) audiences: Vec<String>,
    /// Whether the types of SCIM events of earlier drafts count.
    pub(super) scim_drafts: bool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The states of the verification events that are expected.
    awaited: VecDeque<String>,
    /// What its transmitter calls it.
    id: Option<Arc<str>>,
    trouble: Option<String>,
    state: Option<StreamState>,
}

/// What a transmitter says of its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// `enabled`, `paused` or `disabled`.
    pub status: &'static str,
    /// Why, as the transmitter says.
    pub reason: Option<String>,
}

struct Tally {
    started: Timestamp,
    last: Option<Timestamp>,
    lag: Option<SignedDuration>,
    taken: u64,
    ignored: u64,
    repeated: u64,
    refused: BTreeMap<&'static str, u64>,
    window: Refusals,
}

/// How a source fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// Its name.
    pub name: Arc<str>,
    /// `stream`, `webhook` or `operator`.
    pub kind: &'static str,
    /// The tenants that it is of; `None` if it is of none in particular.
    pub tenants: Option<Vec<String>>,
    /// When something of it was last taken, since the start of the server.
    pub last: Option<Timestamp>,
    /// How late the last one was: from the time of the event until it was received.
    pub lag: Option<SignedDuration>,
    /// How many were taken that state something.
    pub taken: u64,
    /// How many were taken that state nothing that counts here.
    pub ignored: u64,
    /// How many had been taken before.
    pub repeated: u64,
    /// How many were refused, by code.
    pub refused: BTreeMap<&'static str, u64>,
    /// What is wrong with the connection to its transmitter.
    pub connection: Option<String>,
    /// What its transmitter says of the stream.
    pub stream: Option<StreamState>,
    /// How long it has been silent.
    pub silent: Duration,
    /// How long it may be.
    pub max_silence: Option<Duration>,
}

impl SourceStatus {
    /// Why policies should not rely on it, if they should not.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let silence = self.max_silence.filter(|most| self.silent > *most).map(|most| {
            format!("has been silent for {} s, and may be for {} s", self.silent.as_secs(), most.as_secs())
        });
        let stopped = self.stream.as_ref().filter(|stream| stream.status != "enabled");
        let stopped = stopped.map(|stream| format!("is {} by its transmitter", stream.status));
        let troubles: Vec<String> =
            self.connection.clone().into_iter().chain(stopped).chain(silence).collect();
        (!troubles.is_empty()).then(|| format!("`{}`: {}", self.name, troubles.join(", ")))
    }
}

impl Source {
    /// A source that nobody has heard of yet, at `now`.
    pub(super) fn new(settings: SourceSettings, metrics: &Metrics, now: Timestamp) -> Self {
        let SourceSettings { name, kind, entitlement, max_rate, max_silence } = settings;
        let kind_name = kind.as_str();
        let metrics = metrics.signals_of(&name);
        let (stream, subjects, ttl) = match kind {
            SourceKind::Stream(StreamRules { issuer, audiences, subjects, scim_drafts, ttl }) => {
                (Some(Stream { issuer, audiences, scim_drafts, known: Mutex::default() }), subjects, ttl)
            }
            SourceKind::Webhook | SourceKind::Operator => (None, SubjectRules::defaults(""), Vec::new()),
        };
        Self {
            trust: Trust { source: name.into(), subjects, entitlement, ttl },
            turn: Semaphore::new(1),
            kind: kind_name,
            max_silence,
            stream,
            // As many as may come in a second may come at once.
            rate: Rate::new(max_rate, max_rate),
            tally: Mutex::new(Tally {
                started: now,
                last: None,
                lag: None,
                taken: 0,
                ignored: 0,
                repeated: 0,
                refused: BTreeMap::new(),
                window: Refusals::default(),
            }),
            metrics,
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.trust.source
    }

    /// What is known of it as a stream, if it is one.
    pub(super) const fn stream(&self) -> Option<&Stream> {
        self.stream.as_ref()
    }

    /// Whether it speaks by itself, and not only when somebody has something to say.
    pub(super) fn is_automatic(&self) -> bool {
        self.kind != SourceKind::Operator.as_str()
    }

    /// Takes one signal out of its rate, or says how long to wait.
    pub(super) fn admit(&self) -> Result<(), Duration> {
        self.rate.take()
    }

    /// Counts a signal that nobody has looked at.
    pub(super) fn shed(&self, now: Timestamp) {
        let mut tally = lock(&self.tally);
        *tally.refused.entry(SHED).or_default() += 1;
        tally.window.count_unseen(SHED, now);
        self.metrics.outcome(SHED);
    }

    /// Counts a refusal: whether it is recorded by itself, and what is recorded of the window that has ended.
    pub(super) fn refused(&self, code: &'static str, now: Timestamp) -> (bool, Option<Counted>) {
        let mut tally = lock(&self.tally);
        *tally.refused.entry(code).or_default() += 1;
        self.metrics.outcome(code);
        tally.window.count(code, now)
    }

    /// What is to be recorded of a window that has ended.
    pub(super) fn counted(&self, now: Timestamp, anyway: bool) -> Option<Counted> {
        lock(&self.tally).window.ended(now, anyway)
    }

    /// Counts a signal that was taken.
    pub(super) fn heard(&self, heard: &Heard, received: Timestamp) {
        let mut tally = lock(&self.tally);
        tally.last = tally.last.max(Some(received));
        let (count, outcome) = match heard {
            Heard::Applied(Applied::Repeated) => (&mut tally.repeated, "repeated"),
            Heard::Applied(Applied::Changed { .. } | Applied::Unchanged) => (&mut tally.taken, "taken"),
            Heard::Ignored(_) => (&mut tally.ignored, "ignored"),
        };
        *count += 1;
        self.metrics.outcome(outcome);
        self.metrics.heard(received.as_duration().as_secs_f64());
    }

    /// Counts a signal that could not be taken for what is wrong here.
    pub(super) fn not_now(&self) {
        self.metrics.outcome("not_now");
    }

    /// Notes how late a signal was.
    pub(super) fn lags(&self, at: Option<Timestamp>, received: Timestamp) {
        let Some(lag) = at.map(|at| received.duration_since(at)) else { return };
        lock(&self.tally).lag = Some(lag);
        self.metrics.lag(lag.as_secs_f64());
    }

    /// How it fares at `now`.
    pub(super) fn status(&self, now: Timestamp) -> SourceStatus {
        let tally = lock(&self.tally);
        let known = self.stream.as_ref().map(|stream| lock(&stream.known));
        let silent_since = tally.last.unwrap_or(tally.started);
        SourceStatus {
            name: Arc::clone(&self.trust.source),
            kind: self.kind,
            tenants: self.trust.entitlement.tenants.clone(),
            last: tally.last,
            lag: tally.lag,
            taken: tally.taken,
            ignored: tally.ignored,
            repeated: tally.repeated,
            refused: tally.refused.clone(),
            connection: known.as_ref().and_then(|known| known.trouble.clone()),
            stream: known.as_ref().and_then(|known| known.state.clone()),
            silent: Duration::try_from(now.duration_since(silent_since)).unwrap_or_default(),
            max_silence: self.max_silence,
        }
    }
}

impl Stream {
    /// Expects a verification event with this state; the oldest is given up if there are too many.
    pub(super) fn expect(&self, state: String) {
        let mut known = lock(&self.known);
        if known.awaited.len() >= AWAITED {
            known.awaited.pop_front();
        }
        known.awaited.push_back(state);
    }

    /// Whether one with this state is expected.
    pub(super) fn awaits(&self, state: &str) -> bool {
        lock(&self.known).awaited.iter().any(|awaited| awaited == state)
    }

    /// Notes that it has come.
    pub(super) fn verified(&self, state: &str) {
        lock(&self.known).awaited.retain(|awaited| awaited != state);
    }

    /// What its transmitter calls it, if that is known.
    pub(super) fn id(&self) -> Option<Arc<str>> {
        lock(&self.known).id.clone()
    }

    /// Notes what its transmitter calls it.
    pub(super) fn is_called(&self, id: Option<&str>) {
        lock(&self.known).id = id.map(Arc::from);
    }

    /// Notes how the connection to the transmitter is.
    pub(super) fn connected(&self, trouble: Option<String>) {
        lock(&self.known).trouble = trouble;
    }

    /// Notes what the transmitter says of the stream.
    pub(super) fn updated(&self, state: StreamState) {
        lock(&self.known).state = Some(state);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
