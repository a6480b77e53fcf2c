//! Reload: brings the policies at the source live, as a whole or not at all.
//!
//! One thread does all of it, so there are never two reloads at once: it reads, compiles, keeps, records and
//! activates. The watch, the slow poll, SIGHUP and the admin API only send it messages.

mod reloader;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use procura_core::engine::Settings;
use procura_core::limits::COMPILE_STACK_BYTES;
use procura_core::policy::{Compiled, Compiler, SourceFile};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use self::reloader::Reloader;
use super::{Active, Cause, ReloadOutcome, ReloadStatus};
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
    Reload(Cause, oneshot::Sender<ReloadOutcome>),
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
        };
        let thread = thread::Builder::new().name("policy-reload".into()).stack_size(COMPILE_STACK_BYTES);
        thread.spawn(move || reloader.run(&received))?;
        Ok(Self { messages, change_waits, status })
    }

    /// Reloads and tells what came of it. Requests that wait together share one attempt.
    pub async fn reload(&self, cause: Cause) -> ReloadOutcome {
        let (reply, answer) = oneshot::channel();
        if self.messages.try_send(Message::Reload(cause, reply)).is_err() {
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
