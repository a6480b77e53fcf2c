//! The policy sets that calls are decided with, compiled once each and kept as long as there is room.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use procura_core::policy::{self, Revision, Severity, Snapshot};
use procura_core::replay::DecidedBy;

use crate::pap::Archive;
use crate::ports::PolicyArchive;

/// Compiled sets that are kept: a log goes through its revisions one after the other.
const KEPT: usize = 4;

/// Most revisions whose failure is told.
const FAILURES: usize = 1000;

/// The sets.
pub(super) struct Sets {
    archive: Archive,
    /// Decides every call, whatever decided it before.
    candidate: Option<Arc<Snapshot>>,
    /// The last ones that were asked for, newest last.
    kept: Mutex<Vec<(String, Compiling)>>,
    failures: Mutex<BTreeMap<String, String>>,
}

/// A set that whoever asks first compiles, while the others wait.
type Compiling = Arc<OnceLock<Option<Arc<Snapshot>>>>;

impl Sets {
    /// The sets of `archive`, or the `candidate` in the place of each of them.
    pub(super) fn new(archive: Archive, candidate: Option<Arc<Snapshot>>) -> Self {
        Self { archive, candidate, kept: Mutex::default(), failures: Mutex::default() }
    }

    /// Whether calls are decided by the set of their day.
    pub(super) fn decided_by(&self) -> DecidedBy {
        if self.candidate.is_some() { DecidedBy::AnotherSet } else { DecidedBy::ItsOwnSet }
    }

    /// The set that decides a call of this revision; `None` if it cannot be had.
    pub(super) fn deciding(&self, revision: &str) -> Option<Arc<Snapshot>> {
        self.candidate.clone().or_else(|| self.of_revision(revision))
    }

    /// The archived set of this revision; `None` if it cannot be had. Call it on a thread of
    /// [`thread`](super::run::thread).
    pub(super) fn of_revision(&self, revision: &str) -> Option<Arc<Snapshot>> {
        let cell = self.cell(revision);
        let compiled = cell.get_or_init(|| {
            let compiled = self.compile(revision);
            compiled.map_err(|reason| self.fail(revision, reason)).ok()
        });
        compiled.clone()
    }

    /// The revisions that could not be had, and why.
    pub(super) fn failures(&self) -> BTreeMap<String, String> {
        lock(&self.failures).clone()
    }

    fn cell(&self, revision: &str) -> Compiling {
        let mut kept = lock(&self.kept);
        let known = kept.iter().position(|(known, _)| known == revision);
        let entry = known.map_or_else(|| (revision.to_owned(), Compiling::default()), |at| kept.remove(at));
        let cell = Arc::clone(&entry.1);
        kept.push(entry);
        if kept.len() > KEPT {
            kept.remove(0);
        }
        cell
    }

    fn compile(&self, revision: &str) -> Result<Arc<Snapshot>, String> {
        let revision = Revision::parse(revision).ok_or_else(|| "that is no revision".to_owned())?;
        let files = self.archive.load(&revision).map_err(|error| error.to_string())?;
        let compiled = policy::compile(&files);
        compiled.snapshot.map(Arc::new).ok_or_else(|| {
            let mut errors = compiled.diagnostics.iter().filter(|found| found.severity == Severity::Error);
            let first = errors.next().map(|found| format!("{}: {}", found.position, found.message));
            format!("it has errors for this release: {}", first.unwrap_or_default())
        })
    }

    fn fail(&self, revision: &str, reason: String) {
        let mut failures = lock(&self.failures);
        if failures.len() < FAILURES {
            failures.insert(revision.chars().take(64).collect(), reason);
        }
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
