//! Rollback: an archived set goes live again, and stays until the policies at the source change or are asked for.

use procura_core::policy::{Compiled, Revision, Severity};

use super::reloader::{LoadError, Reloader, Tried};
use crate::pdp::settle::Settled;
use crate::pdp::{ReloadOutcome, RolledBack};
use crate::ports::ArchiveError;

impl Reloader {
    /// Brings the set of revision `wanted` live, or the one that was live before this one.
    pub(super) fn roll_back(
        &mut self,
        tried: &mut Tried,
        wanted: Option<Revision>,
    ) -> Result<ReloadOutcome, LoadError> {
        let not_archived = |reason| Ok(ReloadOutcome::NotArchived { reason });
        let Some(revision) = wanted.or_else(|| self.before.clone()) else {
            return not_archived(
                "no other set was live since the server started: name a `revision` of the archive".to_owned(),
            );
        };
        tried.revision = Some(revision.clone());
        if self.live_revision().as_ref() == Some(&revision) {
            return Ok(ReloadOutcome::Unchanged);
        }
        let files = match self.parts.archive.load(&revision) {
            Ok(files) => files,
            Err(error @ (ArchiveError::Missing(_) | ArchiveError::Damaged { .. })) => {
                return not_archived(error.to_string());
            }
            Err(error @ ArchiveError::Unreadable { .. }) => return Err(LoadError::Unarchived(error)),
        };
        let Compiled { snapshot, diagnostics, .. } = self.compile.whole(&files);
        let Some(snapshot) = snapshot else {
            return Ok(ReloadOutcome::Rejected { diagnostics });
        };
        let warnings = diagnostics.into_iter().filter(|found| found.severity != Severity::Error).collect();
        let refused = self.refused.take();
        let outcome = self.activate(tried, &Settled { revision, files }, snapshot, warnings)?;
        self.refused = refused;
        (self.tests, self.fewer_tests) = (None, None);
        self.rolled_back = self.source.clone().map(|source| RolledBack { source, since: tried.at });
        Ok(outcome)
    }
}
