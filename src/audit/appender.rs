//! The file side of the writer: chains records, writes them as one piece, rolls segments, mends after a failure.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use procura_core::record::is_retention;

use super::batch::Batch;
use super::catalog::{Catalog, Reach, SegmentInfo};
use super::error::AuditError;
use super::find::Found;
use super::mark::Marker;
use super::reverse::Reverse;
use super::segment::{HEADER_BYTES, Header, TimeRange, Unsealed, file_name};
use super::walk::ChainEnd;
use crate::ports::{Clock, LogFile, LogFiles};

/// Appends batches of records to the last segment.
pub(super) struct Appender {
    files: Arc<dyn LogFiles>,
    catalog: Arc<Catalog>,
    limits: Limits,
    file: Box<dyn LogFile>,
    segment: SegmentInfo,
    end: ChainEnd,
    /// The last record that a sync covered.
    synced: u64,
    /// A next segment was begun and may exist without a header: nothing may follow in this one.
    must_roll: bool,
    /// The last record of a deletion, 0 if there is none.
    retention: u64,
    marker: Marker,
}

/// When a segment is closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Its size in bytes; a batch is never split, so it may be larger.
    pub(super) bytes: u64,
    /// The age of its oldest record.
    pub(super) age: Option<Duration>,
}

/// What one batch cost.
pub(super) struct Written {
    /// Bytes written.
    pub(super) bytes: u64,
    /// Time that the disk took to make it durable, if it was asked to.
    pub(super) sync: Option<Duration>,
}

/// How the log was made fit to be written again.
pub(super) struct Mended {
    /// Why, as a record of the repair says it.
    pub(super) cause: &'static str,
    /// The segment that it is about, up to its last good record.
    pub(super) segment: SegmentInfo,
}

impl Appender {
    /// Continues the log that was found: cuts a torn end, makes the rest durable, creates the first segment.
    pub(super) fn open(
        files: Arc<dyn LogFiles>,
        catalog: Arc<Catalog>,
        found: &Found,
        limits: Limits,
    ) -> Result<Self, AuditError> {
        let first = Header {
            first_seq: 1,
            previous: ChainEnd::GENESIS.hash,
            previous_times: TimeRange::EMPTY,
            retention: 0,
        };
        let (header, end, len, times) = match &found.tail {
            Some(tail) => (tail.header, tail.end, tail.info.len, tail.info.times),
            None => (first, ChainEnd::GENESIS, 0, TimeRange::EMPTY),
        };
        let name = file_name(header.first_seq);
        let file =
            if len < HEADER_BYTES as u64 { create(&*files, &header)? } else { cut(&*files, &name, len)? };
        files.sync_dir().map_err(AuditError::io("sync the directory of", &name))?;
        let segment = SegmentInfo { first_seq: header.first_seq, len: len.max(HEADER_BYTES as u64), times };
        catalog.publish(segment, Reach { last: end.seq, synced: end.seq });
        let mut marker = Marker::new(Arc::clone(&files), found.mark);
        marker.set(end.seq)?;
        Ok(Self {
            files,
            catalog,
            limits,
            file,
            segment,
            end,
            synced: end.seq,
            must_roll: false,
            retention: found.deleted.map_or(0, |deleted| deleted.seq),
            marker,
        })
    }

    /// Appends the records of `batch`, in one write unless they are many, then syncs if `sync`. On error none of them is
    /// part of the log, and nothing more may be appended before [`Appender::mend`].
    pub(super) fn append(&mut self, batch: &mut Batch, sync: bool) -> Result<Written, AuditError> {
        self.mark_segment()?;
        let is_empty = self.segment.len <= HEADER_BYTES as u64;
        let would_be = self.segment.len + batch.payload_bytes() as u64;
        if self.must_roll || (!is_empty && would_be > self.limits.bytes) {
            self.roll()?;
        }
        let (mut end, mut times, mut len) = (self.end, self.segment.times, self.segment.len);
        let mut retention = self.retention;
        for piece in batch.pieces() {
            let mut left = piece.len();
            let mut rest = &mut *piece;
            while let Some((mut frame, behind)) = Unsealed::split(rest) {
                end = end.next(frame.at(), frame.payload());
                times = times.with(frame.at());
                frame.seal(end.seq, self.synced, end.hash);
                if is_retention(frame.payload()) {
                    retention = end.seq;
                }
                left = behind.len();
                rest = behind;
            }
            if left > 0 {
                let (segment, what) = (self.segment.name(), "what is to be written is no whole frame");
                return Err(AuditError::Damaged { segment, offset: len, seq: end.seq + 1, what });
            }
            self.file.append(piece).map_err(AuditError::io("write", &self.segment.name()))?;
            len += piece.len() as u64;
        }
        let took = if sync { Some(self.sync_file()?) } else { None };
        self.check(len)?;
        // Only now are the records part of the log: a failure above leaves everything as it was.
        if sync {
            self.synced = end.seq;
        }
        (self.end, self.retention) = (end, retention);
        let written = Written { bytes: len - self.segment.len, sync: took };
        self.segment = SegmentInfo { len, times, ..self.segment };
        self.publish();
        Ok(written)
    }

    /// Makes everything appended so far durable, and marks it as that.
    pub(super) fn sync(&mut self) -> Result<(), AuditError> {
        self.sync_file()?;
        self.check(self.segment.len)?;
        self.synced = self.end.seq;
        self.publish();
        self.marker.set(self.synced)
    }

    /// After a failure: opens the segment again and cuts what the failed write may have left. If somebody removed or
    /// changed the segment, that stays as it is, as damage, and the next one is begun.
    ///
    /// The length comes from memory, not from the file: after a failed sync a file can look complete, because the
    /// system may have dropped the changes and still show them.
    pub(super) fn mend(&mut self) -> Result<Mended, AuditError> {
        self.files.check().map_err(AuditError::io("use", "the directory of the decision log"))?;
        let mended = self.segment;
        if self.has_segment()? {
            self.file = cut(&*self.files, &mended.name(), mended.len)?;
            return Ok(Mended { cause: "write_failed", segment: mended });
        }
        self.begin_next()?;
        Ok(Mended { cause: "segment_removed", segment: mended })
    }

    /// How long it is until the segment is as old as it may be; `None` if it never will.
    pub(super) fn left_of_age(&self, clock: &dyn Clock) -> Option<Duration> {
        let most = self.limits.age.filter(|_| self.segment.len > HEADER_BYTES as u64)?;
        let age = clock.now().as_microsecond().saturating_sub(self.segment.times.min);
        Some(most.saturating_sub(Duration::from_micros(u64::try_from(age).unwrap_or(0))))
    }

    /// Closes the segment if it is as old as it may be.
    pub(super) fn roll_if_old(&mut self, clock: &dyn Clock) -> Result<(), AuditError> {
        if self.left_of_age(clock) == Some(Duration::ZERO) { self.roll() } else { Ok(()) }
    }

    /// The last record.
    pub(super) fn last_seq(&self) -> u64 {
        self.end.seq
    }

    /// Closes the segment and begins the next one.
    fn roll(&mut self) -> Result<(), AuditError> {
        self.sync()?;
        self.begin_next()
    }

    /// Begins the next segment, whatever became of this one.
    fn begin_next(&mut self) -> Result<(), AuditError> {
        self.must_roll = true;
        let header = Header {
            first_seq: self.end.seq + 1,
            previous: self.end.hash,
            previous_times: self.segment.times,
            retention: self.retention,
        };
        let file = create(&*self.files, &header)?;
        self.files
            .sync_dir()
            .map_err(AuditError::io("sync the directory of", &file_name(header.first_seq)))?;
        self.file = file;
        self.must_roll = false;
        self.segment =
            SegmentInfo { first_seq: header.first_seq, len: HEADER_BYTES as u64, times: TimeRange::EMPTY };
        self.publish();
        Ok(())
    }

    fn publish(&self) {
        self.catalog.publish(self.segment, Reach { last: self.end.seq, synced: self.synced });
    }

    /// Marks the first durable records of a segment: from then on it is damage if it has none.
    fn mark_segment(&mut self) -> Result<(), AuditError> {
        let is_due = self.marker.seq() < self.segment.first_seq && self.segment.first_seq <= self.synced;
        if is_due { self.marker.set(self.synced) } else { Ok(()) }
    }

    /// INVARIANT(in_place): nothing is acknowledged that went into a file which nobody will find again.
    fn check(&self, len: u64) -> Result<(), AuditError> {
        let checked = self.files.check().and_then(|()| self.file.check(len));
        checked.map_err(AuditError::io("keep", &self.segment.name()))
    }

    /// Whether the segment still holds what was written to it, judged by its last record.
    fn has_segment(&self) -> Result<bool, AuditError> {
        let name = self.segment.name();
        match self.files.len(&name) {
            Ok(len) if len < self.segment.len => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(AuditError::io("read", &name)(error)),
        }
        let mut records = Reverse::new(&*self.files, name.clone(), self.segment.len);
        match records.next() {
            Ok(Some(last)) => Ok(last.seq == self.end.seq && last.hash == self.end.hash),
            Ok(None) => {
                let header = self.files.read_at(&name, 0, HEADER_BYTES);
                Ok(Header::parse(&header.map_err(AuditError::io("read", &name))?).is_ok())
            }
            Err(error @ AuditError::Io { .. }) => Err(error),
            Err(_) => Ok(false),
        }
    }

    fn sync_file(&mut self) -> Result<Duration, AuditError> {
        let start = Instant::now();
        self.file.sync().map_err(AuditError::io("sync", &self.segment.name()))?;
        Ok(start.elapsed())
    }
}

/// Creates a segment with nothing but its header, durable but for its name.
fn create(files: &dyn LogFiles, header: &Header) -> Result<Box<dyn LogFile>, AuditError> {
    let name = file_name(header.first_seq);
    let mut file = cut(files, &name, 0)?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    header.encode(&mut bytes);
    file.append(&bytes).map_err(AuditError::io("write", &name))?;
    file.sync().map_err(AuditError::io("sync", &name))?;
    Ok(file)
}

/// Opens a segment and cuts it to `len` bytes, which are then durable.
fn cut(files: &dyn LogFiles, name: &str, len: u64) -> Result<Box<dyn LogFile>, AuditError> {
    let mut file = files.open_append(name).map_err(AuditError::io("open", name))?;
    file.truncate(len).map_err(AuditError::io("cut", name))?;
    Ok(file)
}
