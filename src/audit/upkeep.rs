//! What is done about closed segments, beside the writer: one thread, which waits for it to close some.

mod compress;
mod retain;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::LogSettings;
use super::catalog::{Catalog, SegmentInfo};
use super::error::AuditError;
use super::queue::Queue;
use super::room::Gauge;
use crate::background::come_last;
use crate::ports::{Clock, LogFiles};
use crate::telemetry::Metrics;
use crate::telemetry::events::LogUpkeepFailed;

/// How often it is looked whether there is something to do, besides when a segment is closed.
const PAUSE: Duration = Duration::from_secs(1);

/// How long nothing is tried after something failed.
const REST: Duration = Duration::from_secs(60);

/// What follows the name of a file that is not finished.
const UNFINISHED: &str = ".tmp";

/// What the thread owns.
pub(super) struct Upkeep {
    /// The files as they are.
    pub(super) files: Arc<dyn LogFiles>,
    /// The same as if none was compressed.
    pub(super) plain: Arc<dyn LogFiles>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) queue: Arc<Queue>,
    /// A segment whose deletion is recorded and which may still be there.
    pub(super) doomed: Option<SegmentInfo>,
    pub(super) settings: LogSettings,
    pub(super) gauge: Arc<Gauge>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
}

impl Upkeep {
    /// Works until the catalog is closed.
    pub(super) fn run(mut self) {
        come_last();
        let (mut next, mut seen, mut rest_until) = (None, 0, None);
        while !self.catalog.is_closed() {
            let looked = self.gauge.look(&*self.files, &self.metrics);
            if rest_until.is_none_or(|until| Instant::now() >= until) {
                let worked = looked.and_then(|_| self.work(&mut next));
                // Once the log is closed it is of no interest any more.
                rest_until = worked.err().filter(|_| !self.catalog.is_closed()).map(|error| {
                    LogUpkeepFailed { error: &error }.emit();
                    Instant::now() + REST
                });
            }
            seen = self.catalog.wait_for_segment(seen, PAUSE);
        }
    }

    /// Does what there is to do; `next` is the first segment that is perhaps not compressed yet, once it was looked.
    fn work(&mut self, next: &mut Option<u64>) -> Result<(), AuditError> {
        let mut from = match *next {
            Some(from) => from,
            None => self.remove_unfinished().map(|()| 0)?,
        };
        let worked = self.retain().and_then(|()| self.compress_closed(&mut from));
        *next = Some(from);
        worked
    }

    /// Compresses the closed segments, from the one that begins with record `next` on.
    fn compress_closed(&self, next: &mut u64) -> Result<(), AuditError> {
        if !self.settings.compress {
            return Ok(());
        }
        let from = *next;
        for segment in self.closed().into_iter().filter(|segment| segment.first_seq >= from) {
            if !self.compress(&segment)? {
                break;
            }
            *next = segment.first_seq + 1;
        }
        Ok(())
    }

    /// All segments but the one that is written.
    fn closed(&self) -> Vec<SegmentInfo> {
        let mut segments = self.catalog.segments();
        segments.pop();
        segments
    }

    /// Whether there is still time and room for work that can wait.
    fn may_go_on(&self) -> Result<bool, AuditError> {
        let room = self.gauge.look(&*self.files, &self.metrics)?;
        Ok(!self.catalog.is_closed() && !room.is_short())
    }

    /// What an end in the middle of the work left.
    fn remove_unfinished(&self) -> Result<(), AuditError> {
        let names = self.files.list().map_err(AuditError::io("list", "the directory of the decision log"))?;
        for name in names.iter().filter(|name| name.starts_with("log-") && name.ends_with(UNFINISHED)) {
            self.files.remove(name).map_err(AuditError::io("remove", name))?;
        }
        Ok(())
    }
}
