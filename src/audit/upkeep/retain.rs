//! Deleting the oldest segments, as configured.
//!
//! One segment at a time: a record says which one, with its hashes; when that record is on disk the segment is removed,
//! and when the removal is durable the next one may follow. So whenever this ends in the middle, the last record says
//! what is gone or should be.

use procura_core::model::Timestamp;
use procura_core::record::{Record, Retention};
use tokio::sync::oneshot;

use super::Upkeep;
use crate::audit::catalog::SegmentInfo;
use crate::audit::compressed::compressed_name;
use crate::audit::error::AuditError;
use crate::audit::segment::{HEADER_BYTES, Header, file_name};
use crate::ports::{LogError, NewRecord};
use crate::telemetry::events::SegmentDeleted;

impl Upkeep {
    /// Deletes what there is too much of, oldest first; never the segment that is written, nor what is still needed.
    pub(super) fn retain(&mut self) -> Result<(), AuditError> {
        if let Some(segment) = self.doomed {
            self.remove(&segment)?;
        }
        while !self.catalog.is_closed() {
            let segments = self.catalog.segments();
            let [oldest, next, ..] = segments.as_slice() else { return Ok(()) };
            if self.catalog.needs(next.first_seq - 1) {
                return Ok(());
            }
            let Some(cause) = self.excess(&segments, oldest)? else { return Ok(()) };
            self.record_deletion(oldest, next.first_seq, cause)?;
            self.doomed = Some(*oldest);
            self.remove(oldest)?;
        }
        Ok(())
    }

    /// What there is too much of, if there is.
    fn excess(
        &self,
        segments: &[SegmentInfo],
        oldest: &SegmentInfo,
    ) -> Result<Option<&'static str>, AuditError> {
        let limits = self.settings.retention;
        if limits.hold {
            return Ok(None);
        }
        if let Some(age) = limits.age {
            let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
            if oldest.times.max < self.clock.now().as_microsecond().saturating_sub(age) {
                return Ok(Some("age"));
            }
        }
        let Some(most) = limits.bytes else { return Ok(None) };
        let sizes = segments.iter().map(|segment| self.size(segment));
        let size = sizes.sum::<Result<u64, AuditError>>()?;
        Ok((size > most).then_some("bytes"))
    }

    /// Bytes that `segment` takes on the disk, whichever way it is there.
    fn size(&self, segment: &SegmentInfo) -> Result<u64, AuditError> {
        let names = [segment.name(), compressed_name(segment.first_seq)];
        let mut sizes = names.iter().filter_map(|name| self.files.len(name).ok()).peekable();
        if sizes.peek().is_none() {
            // Says what is wrong with it.
            return self.files.len(&segment.name()).map_err(AuditError::io("read", &segment.name()));
        }
        Ok(sizes.sum())
    }

    /// Writes the record of the deletion of `segment`, which `next` follows, and waits until it is on disk.
    fn record_deletion(&self, segment: &SegmentInfo, next: u64, cause: &str) -> Result<(), AuditError> {
        let (header, following) = (self.header(segment.first_seq)?, self.header(next)?);
        let instant = |micros| Timestamp::from_microsecond(micros).unwrap_or_default();
        let at = self.clock.now();
        let record = Retention {
            at,
            cause: cause.into(),
            segment: segment.name().into(),
            first: segment.first_seq,
            last: next - 1,
            records: next - segment.first_seq,
            earliest: instant(segment.times.min),
            latest: instant(segment.times.max),
            hash_before: header.previous.to_string().into(),
            hash_after: following.previous.to_string().into(),
            bytes: self.size(segment)?,
        };
        // A few short strings: far below every limit of a record.
        let payload = Record::Retention(record).encode().unwrap_or_default();
        let (ack, done) = oneshot::channel();
        let pushed = self.queue.push(&NewRecord { at, payload }, true, Some(ack));
        let stopped = || LogError::Unavailable("its writer has stopped".to_owned());
        pushed
            .and_then(|()| done.blocking_recv().unwrap_or_else(|_| Err(stopped())))
            .map_err(AuditError::Unrecorded)
    }

    fn header(&self, first_seq: u64) -> Result<Header, AuditError> {
        let name = file_name(first_seq);
        let bytes = self.plain.read_at(&name, 0, HEADER_BYTES).map_err(AuditError::io("read", &name))?;
        let unreadable = |what| AuditError::Unreadable { segment: name.clone(), offset: 0, what };
        let header = Header::parse(&bytes).map_err(unreadable)?;
        if header.first_seq == first_seq { Ok(header) } else { Err(unreadable("it is another segment")) }
    }

    /// Removes `segment`, durably, after its deletion was recorded.
    fn remove(&mut self, segment: &SegmentInfo) -> Result<(), AuditError> {
        self.catalog.forget(segment);
        let there = self.files.list().map_err(AuditError::io("list", "the directory of the decision log"))?;
        for name in [segment.name(), compressed_name(segment.first_seq)] {
            if there.contains(&name) {
                self.files.remove(&name).map_err(AuditError::io("remove", &name))?;
            }
        }
        self.files.sync_dir().map_err(AuditError::io("sync the directory of", &segment.name()))?;
        self.doomed = None;
        SegmentDeleted { segment: &segment.name() }.emit(&self.metrics);
        Ok(())
    }
}
