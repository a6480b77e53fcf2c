//! Signals: what streams, webhooks and operators say is judged, recorded and kept, and only then acknowledged.
//!
//! | file | what |
//! |---|---|
//! | `settings.rs` | what is configured of a source |
//! | `judge.rs` | a SET: its signature, its rules, what it states |
//! | `keep.rs` | what is stated: into the decision log, into the store |
//! | `source.rs` | what is known of a source while the server runs |
//! | `door.rs` | who may push |
//! | `budget.rs` | how many refusals of a source are recorded one by one |
//! | `report.rs` | how signals look in records |

mod budget;
mod door;
mod judge;
mod keep;
mod report;
mod settings;
mod source;

pub use door::{Door, Pusher};
pub use settings::{SourceKind, SourceSettings, StreamRules};
pub use source::{SourceStatus, StreamState};

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use procura_core::model::{Fact, Timestamp};
use procura_core::signal::Ignored;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use self::keep::{Keeper, Stated};
use self::source::Source;
use super::{Caller, Check, CheckState, Masking};
use crate::ports::{
    Applied, Clock, DecisionLog, FactStore, NotTaken, Quarantine, SetFault, SetIntake, SetVerifier, Taking,
};
use crate::telemetry::{Metrics, SignalPhase};

/// How often it is looked whether counts of refusals are to be recorded.
const LOOK: Duration = Duration::from_secs(1);

/// How old the event of a fact may be that ends by itself: what outweighs it is forgotten after that.
const OLDEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How far the clock of a source may be ahead.
const SKEW: Duration = Duration::from_secs(60);

/// What signals are taken with.
pub struct IntakeParts {
    /// Keeps the facts.
    pub store: Arc<dyn FactStore>,
    /// Knows the keys of the streams.
    pub verifier: Arc<dyn SetVerifier>,
    /// What signatures must not rest on.
    pub quarantine: Arc<dyn Quarantine>,
    /// Where signals are recorded; `None` if the log is turned off.
    pub log: Option<Arc<dyn DecisionLog>>,
    /// What must not stand in records.
    pub masking: Option<Masking>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Takes signals, whoever sends them. There is one way in: judged, recorded, kept, acknowledged.
pub struct Intake {
    sources: BTreeMap<String, Source>,
    /// Who may push over which stream.
    doors: BTreeMap<String, Door>,
    keeper: Arc<Keeper>,
    verifier: Arc<dyn SetVerifier>,
    quarantine: Arc<dyn Quarantine>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    /// Room for signatures that are verified at a time, of all sources: decisions keep the rest of the processors.
    room: Semaphore,
}

/// Why a signal is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHeard {
    /// Because of what it is: it would be refused again.
    #[error("{reason}")]
    Refused {
        /// The class.
        fault: SetFault,
        /// What is wrong with it, without repeating anything of it.
        reason: String,
    },
    /// Its source sends too many.
    #[error("more signals than `maxRate` of this source allows")]
    TooOften {
        /// When there is room for the next.
        wait: Duration,
    },
    /// There is no room for what it states.
    #[error("{0}")]
    NoRoom(String),
    /// It cannot be taken at present.
    #[error("{0}")]
    NotNow(String),
}

/// What became of a signal that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// What it states is known.
    Applied(Applied),
    /// It states nothing that counts here.
    Ignored(Ignored),
}

/// What a webhook or an operator says.
#[derive(Debug)]
pub struct Said {
    /// The source.
    pub source: String,
    /// How it came: `webhook` or `api`.
    pub via: &'static str,
    /// The name of the event, unique for its source.
    pub id: Arc<str>,
    /// What happened, as the source names it.
    pub events: Vec<String>,
    /// What it states or withdraws, of this source and event.
    pub facts: Vec<Fact>,
    /// Who delivered it, if somebody is known to.
    pub caller: Option<Caller>,
}

impl Intake {
    /// Takes signals of `sources`; their names are unique.
    #[must_use]
    pub fn new(parts: IntakeParts, sources: Vec<SourceSettings>) -> Self {
        let IntakeParts { store, verifier, quarantine, log, masking, clock, metrics } = parts;
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let now = clock.now();
        let known = |settings: SourceSettings| {
            let source = Source::new(settings, &metrics, now);
            (source.name().to_owned(), source)
        };
        let sources = sources.into_iter().map(known).collect();
        let keeper = Keeper { store, log, masking, metrics: Arc::clone(&metrics) };
        let room = Semaphore::new((processors / 2).max(1));
        let (keeper, doors) = (Arc::new(keeper), BTreeMap::new());
        Self { sources, doors, keeper, verifier, quarantine, clock, metrics, room }
    }

    /// The same, where events come in through these `doors`, by the names of the streams.
    #[must_use]
    pub fn with_doors(self, doors: BTreeMap<String, Door>) -> Self {
        Self { doors, ..self }
    }

    /// The facts.
    #[must_use]
    pub fn facts(&self) -> &Arc<dyn FactStore> {
        &self.keeper.store
    }

    /// Whether there is a stream of this name.
    #[must_use]
    pub fn has_stream(&self, name: &str) -> bool {
        self.sources.get(name).is_some_and(|source| source.stream().is_some())
    }

    /// Whether a signal of the source of this name is listened to at all: cheap, and to be asked before anything that is
    /// not. [`Intake::push`] and [`SetIntake::take`] ask themselves.
    ///
    /// # Errors
    /// If there are too many, or if nothing can be taken at present.
    pub fn admit(&self, source: &str) -> Result<(), NotHeard> {
        self.listens(self.source(source)?)
    }

    /// Takes `set`, which a transmitter has pushed over `stream`.
    ///
    /// # Errors
    /// If it is not taken.
    pub async fn push(&self, stream: &str, set: &str, caller: Option<&Caller>) -> Result<Heard, NotHeard> {
        self.take_set(stream, set, ("push", caller)).await
    }

    /// Takes what a webhook or an operator says. What its source may not state changes nothing.
    ///
    /// # Errors
    /// If it is not taken.
    pub async fn state(&self, said: Said) -> Result<Heard, NotHeard> {
        let source = self.source(&said.source)?;
        let (received, caller) = (self.clock.now(), said.caller.clone());
        let stated = self.judge_said(source, said, received);
        self.settle(source, stated, received, caller.as_ref()).await
    }

    /// Counts and records that something that was sent to `source` was refused for `code`, before it was a signal.
    pub async fn refuse(&self, source: &str, code: &'static str, reason: &str, caller: Option<&Caller>) {
        if let Some(source) = self.sources.get(source) {
            self.refused(source, code, reason, caller).await;
        }
    }

    /// How every source fares, in the order of their names.
    #[must_use]
    pub fn status(&self) -> Vec<SourceStatus> {
        let now = self.clock.now();
        self.sources.values().map(|source| source.status(now)).collect()
    }

    /// Whether what policies rely on is heard of: the streams, and the facts that are `demanded`, with how old they may be.
    #[must_use]
    pub fn readiness(&self, demanded: &BTreeMap<&str, Duration>) -> Check {
        let store = self.keeper.store.health().err();
        let now = self.clock.now();
        let unheard = demanded.iter().filter_map(|(name, most)| self.unheard(name, *most, now));
        let troubles = self.status().into_iter().filter_map(|source| source.trouble());
        let troubles: Vec<String> = store.into_iter().chain(troubles).chain(unheard).collect();
        let (state, detail) = if troubles.is_empty() {
            let (count, limit) = (self.keeper.store.count(), self.keeper.store.limit());
            (CheckState::Good, format!("{count} of {limit} facts are held"))
        } else {
            (CheckState::Degraded, troubles.join("; "))
        };
        Check { name: "signals", state, detail }
    }

    /// Looks after the counts of refusals, on the current runtime, until the task is aborted.
    pub fn look_after(self: &Arc<Self>) -> JoinHandle<()> {
        let intake = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                intake.keeper.show();
                tokio::time::sleep(LOOK).await;
                intake.record_counts(false);
            }
        })
    }

    /// Records the counts of refusals that are not recorded yet, before the log is closed.
    pub fn close(&self) {
        self.record_counts(true);
    }

    /// Why a fact called `name` will not be fresh, if none of those who may state it has been heard for as long as `most` or
    /// as it may be silent. What only operators may state is theirs to look after.
    fn unheard(&self, name: &str, most: Duration, now: Timestamp) -> Option<String> {
        let stating = || {
            let may_state =
                |source: &&Source| source.is_automatic() && source.trust.entitlement.allows_name(name);
            self.sources.values().filter(may_state)
        };
        let is_silent = |source: &Source| {
            let status = source.status(now);
            status.silent > status.max_silence.unwrap_or(most)
        };
        let names: Vec<String> = stating().map(|source| format!("`{}`", source.name())).collect();
        (!names.is_empty() && stating().all(is_silent)).then(|| {
            let names = names.join(" and ");
            format!("capabilities demand `{name}`, and {names} said nothing for too long")
        })
    }

    fn source(&self, name: &str) -> Result<&Source, NotHeard> {
        self.sources.get(name).ok_or_else(|| NotHeard::Refused {
            fault: SetFault::InvalidRequest,
            reason: "there is no such source".to_owned(),
        })
    }

    fn listens(&self, source: &Source) -> Result<(), NotHeard> {
        source.admit().map_err(|wait| {
            source.shed(self.clock.now());
            NotHeard::TooOften { wait }
        })?;
        self.keeper.can_take()
    }

    async fn take_set(
        &self,
        stream: &str,
        set: &str,
        (via, caller): (&'static str, Option<&Caller>),
    ) -> Result<Heard, NotHeard> {
        let source = self.source(stream)?;
        self.listens(source)?;
        let received = self.clock.now();
        let begun = Instant::now();
        let stated = self.judge_set(source, set, received).await;
        self.metrics.signal_phase(SignalPhase::Verify, begun.elapsed());
        let stated = stated.map(|stated| Stated { via, ..stated });
        self.settle(source, stated, received, caller).await
    }

    /// Keeps what was `stated`, or counts why not.
    async fn settle(
        &self,
        source: &Source,
        stated: Result<Stated, NotHeard>,
        received: Timestamp,
        caller: Option<&Caller>,
    ) -> Result<Heard, NotHeard> {
        let heard = match stated {
            Ok(stated) => self.keep(source, stated, received, caller).await,
            Err(not_heard) => Err(not_heard),
        };
        match &heard {
            Ok(heard) => source.heard(heard, received),
            Err(NotHeard::Refused { fault, reason }) => {
                self.refused(source, fault.code(), reason, caller).await;
            }
            Err(NotHeard::TooOften { .. } | NotHeard::NoRoom(_) | NotHeard::NotNow(_)) => source.not_now(),
        }
        heard
    }

    async fn keep(
        &self,
        source: &Source,
        stated: Stated,
        received: Timestamp,
        caller: Option<&Caller>,
    ) -> Result<Heard, NotHeard> {
        if self.keeper.store.has_taken(source.name(), &stated.id) {
            return Ok(Heard::Applied(Applied::Repeated));
        }
        let (ignored, at) = (stated.ignored, stated.at);
        // Whoever sent it may go away; what was begun is finished.
        let (keeper, caller) = (Arc::clone(&self.keeper), caller.cloned());
        let kept = tokio::spawn(async move { keeper.keep(stated, received, caller.as_ref()).await });
        let applied = kept.await.map_err(|_| NotHeard::NotNow("it was not finished".to_owned()))??;
        source.lags(at, received);
        Ok(ignored.map_or(Heard::Applied(applied), Heard::Ignored))
    }

    async fn refused(&self, source: &Source, code: &'static str, reason: &str, caller: Option<&Caller>) {
        let now = self.clock.now();
        let (alone, counted) = source.refused(code, now);
        if let Some(counted) = counted {
            self.keeper.record_counted(source.name(), counted, now);
        }
        if alone {
            self.keeper.record_refused(source.name(), (code, reason), now, caller).await;
        }
    }

    fn record_counts(&self, all: bool) {
        let now = self.clock.now();
        for source in self.sources.values() {
            if let Some(counted) = source.counted(now, all) {
                self.keeper.record_counted(source.name(), counted, now);
            }
        }
    }
}

impl SetIntake for Intake {
    fn take<'a>(&'a self, stream: &'a str, set: &'a str) -> Taking<'a> {
        Box::pin(async move {
            match self.take_set(stream, set, ("poll", None)).await {
                Ok(_) => Ok(()),
                Err(NotHeard::Refused { fault, reason }) => Err(NotTaken::Refused { fault, reason }),
                Err(passing) => Err(NotTaken::NotNow(passing.to_string())),
            }
        })
    }

    fn expect_verification(&self, stream: &str, state: String) {
        if let Some(stream) = self.sources.get(stream).and_then(Source::stream) {
            stream.expect(state);
        }
    }

    fn awaits_verification(&self, stream: &str, state: &str) -> bool {
        let stream = self.sources.get(stream).and_then(Source::stream);
        stream.is_some_and(|stream| stream.awaits(state))
    }

    fn named(&self, stream: &str, id: Option<&str>) {
        if let Some(stream) = self.sources.get(stream).and_then(Source::stream) {
            stream.is_called(id);
        }
    }

    fn connection(&self, stream: &str, trouble: Option<String>) {
        if let Some(stream) = self.sources.get(stream).and_then(Source::stream) {
            stream.connected(trouble);
        }
    }
}
