//! Reload: brings the policies at the source live, as a whole or not at all.
//!
//! One thread does all of it, so there are never two reloads at once: it reads, compiles, keeps, records and
//! activates. The watch, the slow poll, SIGHUP and the admin API only send it messages.

mod gate;
mod reloader;
mod rollback;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use procura_core::engine::Settings;
use procura_core::limits::COMPILE_STACK_BYTES;
use procura_core::policy::{Compiled, Compiler, Revision, SourceFile};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

pub use self::gate::ChangeGate;
use self::reloader::Reloader;
use super::{Active, Caller, Cause, ReloadOutcome, ReloadStatus};
use crate::ports::{Clock, DecisionLog, Notice, PolicyArchive, PolicySource};
use crate::telemetry::Metrics;

/// Messages that may wait for the reload thread.
const MESSAGES: usize = 64;

/// What reloading needs.
pub struct ReloadParts {
    /// Where policy text comes from.
    pub source: Arc<dyn PolicySource>,
    /// Where sets that went live are kept.
    pub archive: Arc<dyn PolicyArchive>,
    /// Where changes are recorded; `None` if the log is turned off.
    pub log: Option<Arc<dyn DecisionLog>>,
    /// Stamps attempts and records.
    pub clock: Arc<dyn Clock>,
    /// Moved by the events of reloading.
    pub metrics: Arc<Metrics>,
    /// How long, how often.
    pub timing: ReloadTiming,
    /// With which settings the tests beside the policies must pass before a set goes live; `None` if they need not.
    pub tests: Option<Settings>,
    /// What a set may change of recorded decisions; `None` if anything.
    pub gate: Option<ChangeGate>,
    /// Gives memory that was freed back to the system; called after every attempt and when a set was freed.
    pub give_back: fn(),
}

/// How long, how often.
#[derive(Clone, Copy, Debug)]
pub struct ReloadTiming {
    /// A set goes live only when two readings agree across this pause: a change of many files is taken as one as
    /// long as its writer does not pause longer.
    pub quiet: Duration,
    /// Everything is read again this often, whatever the watch says; `None` turns it off.
    pub poll: Option<Duration>,
    /// How long the tests beside the policies may take where they must pass.
    pub tests: Duration,
}

impl Default for ReloadTiming {
    fn default() -> Self {
        let (quiet, poll, tests) =
            (Duration::from_millis(25), Duration::from_secs(30), Duration::from_secs(20));
        Self { quiet, poll: Some(poll), tests }
    }
}

/// Talks to the reload thread, which ends when the last handle is dropped.
#[derive(Clone)]
pub struct ReloadHandle {
    messages: SyncSender<Message>,
    /// Whether a notice of a change waits already; one stands for all.
    change_waits: Arc<AtomicBool>,
    status: Arc<ArcSwap<ReloadStatus>>,
}

/// Compiles one set after another.
trait Compile: Send {
    /// What comes of `files`.
    fn whole(&mut self, files: &[SourceFile]) -> Compiled;

    /// The same if that is soon told and nothing is wrong.
    fn changes(&mut self, files: &[SourceFile]) -> Option<Compiled>;
}

impl Compile for Compiler {
    fn whole(&mut self, files: &[SourceFile]) -> Compiled {
        self.compile(files)
    }

    fn changes(&mut self, files: &[SourceFile]) -> Option<Compiled> {
        self.compile_changes(files)
    }
}

enum Message {
    Notice(Notice),
    Reload(Ask, oneshot::Sender<ReloadOutcome>),
    Rollback(Caller, Option<Revision>, oneshot::Sender<ReloadOutcome>),
}

/// What somebody asks for who asks for a reload.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What led to it.
    pub cause: Cause,
    /// Who asks, if somebody does.
    pub caller: Option<Caller>,
    /// Whether a set goes live whatever recorded decisions it changes.
    pub force: Option<Force>,
}

/// Which set goes live whatever recorded decisions it changes. Errors and failing tests keep it from that all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Force {
    /// The one that is found at the source.
    Any,
    /// This one, if it is found there.
    Only(Revision),
}

/// How many of the recorded decisions a set may change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxChanged {
    /// So many.
    Decisions(u64),
    /// So many of a hundred.
    Percent(f64),
}

impl MaxChanged {
    /// Whether `changed` of `all` are few enough.
    #[must_use]
    pub fn allows(self, changed: u64, all: u64) -> bool {
        match self {
            MaxChanged::Decisions(most) => changed <= most,
            MaxChanged::Percent(most) => changed as f64 * 100.0 <= most * all as f64,
        }
    }
}

impl From<Cause> for Ask {
    fn from(cause: Cause) -> Self {
        Self { cause, caller: None, force: None }
    }
}

impl ReloadHandle {
    /// Starts the reload thread, which stores what it activates in `active`. Nothing is loaded yet: the server asks
    /// for the first set with [`Cause::Start`] and serves only if that went live. Call it within a tokio runtime.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(parts: ReloadParts, active: Arc<ArcSwapOption<Active>>) -> io::Result<Self> {
        Self::start_with(parts, active, Box::new(Compiler::default()))
    }

    fn start_with(
        parts: ReloadParts,
        active: Arc<ArcSwapOption<Active>>,
        compile: Box<dyn Compile>,
    ) -> io::Result<Self> {
        let (messages, received) = sync_channel(MESSAGES);
        let status = Arc::new(ArcSwap::from_pointee(ReloadStatus::of(parts.source.location())));
        let change_waits = Arc::new(AtomicBool::new(false));
        let reloader = Reloader {
            parts,
            active,
            status: Arc::clone(&status),
            change_waits: Arc::clone(&change_waits),
            runtime: Handle::current(),
            compile,
            refused: None,
            retired: Vec::new(),
            source: None,
            before: None,
            rolled_back: None,
            tests: None,
            fewer_tests: None,
        };
        let thread = thread::Builder::new().name("policy-reload".into()).stack_size(COMPILE_STACK_BYTES);
        thread.spawn(move || reloader.run(&received))?;
        Ok(Self { messages, change_waits, status })
    }

    /// Reloads and tells what came of it. Requests that wait together share one attempt.
    pub async fn reload(&self, ask: impl Into<Ask>) -> ReloadOutcome {
        let ask = ask.into();
        self.ask(|reply| Message::Reload(ask, reply)).await
    }

    /// Brings the archived set `wanted` live, or the one that was live before this one, as `caller` asks.
    pub async fn roll_back(&self, caller: Caller, wanted: Option<Revision>) -> ReloadOutcome {
        self.ask(|reply| Message::Rollback(caller, wanted, reply)).await
    }

    async fn ask(&self, message: impl FnOnce(oneshot::Sender<ReloadOutcome>) -> Message) -> ReloadOutcome {
        let (reply, answer) = oneshot::channel();
        if self.messages.try_send(message(reply)).is_err() {
            return ReloadOutcome::Failed { reason: "too many reloads are waiting: try again later".into() };
        }
        let stopped = |_| ReloadOutcome::Failed { reason: "the reload thread has stopped".into() };
        answer.await.unwrap_or_else(stopped)
    }

    /// Takes what a watch reports. Never blocks; a notice that finds the queue full is left to the next poll.
    pub fn notice(&self, notice: Notice) {
        let is_change = matches!(notice, Notice::Changed);
        if is_change && self.change_waits.swap(true, Ordering::AcqRel) {
            return;
        }
        let sent = self.messages.try_send(Message::Notice(notice));
        if is_change && sent.is_err() {
            self.change_waits.store(false, Ordering::Release);
        }
    }

    /// The state of reloading now.
    #[must_use]
    pub fn status(&self) -> Arc<ReloadStatus> {
        self.status.load_full()
    }
}

#[cfg(test)]
mod tests;
