//! Finding records: a scan from the newest to the oldest, bounded per page.

use std::sync::Arc;
use std::time::Duration;

use procura_core::record::ChainHash;

use super::catalog::{Catalog, Reach, SegmentInfo};
use super::cursor::{Cursor, Place, read_one};
use super::error::AuditError;
use super::filter::Matcher;
use super::find::{find, read_until_damage};
use super::plain::PlainFiles;
use super::reverse::Reverse;
use super::segment::{Frame, HEADER_BYTES, Header, TimeRange};
use crate::ports::{DecisionFilter, DecisionPage, DecisionQuery, LogError, LogFiles, StoredRecord};

/// Bytes of log that one page may read. A page that reaches it ends early, with a cursor.
const PAGE_SCAN: u64 = 256 * 1024 * 1024;

/// Bytes of records that one page may hold, unless a single record is larger.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Microseconds by which a call id may differ from the instant of its record, on top of its own resolution.
const ID_SLACK: i64 = 1_000_000;

/// Reads the log: what is acknowledged, and nothing else.
#[derive(Clone)]
pub struct LogReader {
    files: Arc<dyn LogFiles>,
    catalog: Arc<Catalog>,
}

impl LogReader {
    /// Reads a log that nobody, or another process, is writing: what is in it now.
    pub fn open(files: Arc<dyn LogFiles>) -> Result<Self, AuditError> {
        let files: Arc<dyn LogFiles> = Arc::new(PlainFiles::new(files));
        let found = find(&*files)?;
        let last = found.tail.as_ref().map_or(0, |tail| tail.end.seq);
        let tail = found.tail.map(|tail| tail.info);
        let reach = Reach { last, synced: found.mark.seq };
        let catalog = Catalog::new(found.closed.into_iter().chain(tail).collect(), reach);
        let catalog = catalog.with_deleted(found.deleted_until);
        Ok(Self { files, catalog: Arc::new(catalog) })
    }

    /// Reads what `catalog` says is acknowledged.
    pub(super) fn new(files: Arc<dyn LogFiles>, catalog: Arc<Catalog>) -> Self {
        Self { files, catalog }
    }

    /// A cursor before record `next_seq`.
    #[must_use]
    pub fn cursor(&self, next_seq: u64) -> Cursor<'_> {
        Cursor::new(&*self.files, &self.catalog, next_seq)
    }

    /// The first record that there is: those before it were deleted.
    #[must_use]
    pub fn first_seq(&self) -> u64 {
        self.catalog.first_seq()
    }

    /// How far the log reaches at this moment.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.catalog.reach()
    }

    /// Waits until the log reaches beyond `seen`, at most `timeout`; how far it reaches then. Blocking.
    #[must_use]
    pub fn wait_beyond(&self, seen: Reach, timeout: Duration) -> Reach {
        self.catalog.wait_beyond(seen, timeout)
    }

    /// The files that are read.
    pub(super) fn files(&self) -> &dyn LogFiles {
        &*self.files
    }

    /// The chain hash before record `seq`, which is there.
    pub(super) fn hash_before(&self, seq: u64) -> Result<ChainHash, AuditError> {
        let Some(segment) = self.catalog.segment_with(seq) else { return Ok(ChainHash::GENESIS) };
        let name = segment.name();
        let unreadable = AuditError::unreadable(&name, 0);
        if segment.first_seq == seq {
            let header = self.files.read_at(&name, 0, HEADER_BYTES).map_err(AuditError::io("read", &name))?;
            return Header::parse(&header).map(|header| header.previous).map_err(unreadable);
        }
        let mut hash = None;
        self.cursor(seq - 1).read(|entry| {
            if entry.seq + 1 == seq {
                hash = Some(entry.hash);
            }
        })?;
        hash.ok_or_else(|| unreadable("the record before it is missing"))
    }

    /// Sees to it that the records up to `seq`, which are acknowledged, are on disk. What the writer knows stays as it is.
    pub(super) fn sync_through(&self, seq: u64) -> Result<(), AuditError> {
        // A segment is synced before the next one is begun: only in the last one can there be more to do.
        let segment = self.catalog.segment_with(seq).filter(|_| self.reach().synced < seq);
        let Some(segment) = segment else { return Ok(()) };
        let name = segment.name();
        // To open a segment that was removed would create another.
        self.files.len(&name).map_err(AuditError::io("find", &name))?;
        let file = self.files.open_append(&name);
        file.and_then(|mut file| file.sync()).map_err(AuditError::io("sync", &name))
    }

    /// The record that stands at `place`.
    ///
    /// # Errors
    /// If the file cannot be read or no record begins there.
    pub fn at(&self, place: Place) -> Result<StoredRecord, AuditError> {
        read_one(&*self.files, &self.catalog, place, stored)
    }

    /// Newest first; stops at the limit of `filter` or of the page.
    fn scan(&self, filter: &DecisionFilter) -> Result<DecisionPage, AuditError> {
        let matcher = Matcher::new(filter);
        let window = window(filter);
        let mut page = Page { filter, records: Vec::new(), bytes: 0, scanned: 0 };
        for segment in self.catalog.segments().iter().rev() {
            let is_newer = filter.before_seq.is_some_and(|before| segment.first_seq >= before);
            if is_newer || !overlaps(segment.times, window) {
                continue;
            }
            match self.scan_segment(segment, &matcher, &mut page) {
                Ok(None) => {}
                Ok(next) => return Ok(DecisionPage { records: page.records, next_before_seq: next }),
                // Deleted in this very moment.
                Err(_) if self.catalog.is_gone(segment) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(DecisionPage { records: page.records, next_before_seq: None })
    }

    /// Where to go on, if the page is full before the segment ends.
    fn scan_segment(
        &self,
        segment: &SegmentInfo,
        matcher: &Matcher<'_>,
        page: &mut Page<'_>,
    ) -> Result<Option<u64>, AuditError> {
        let window = window(page.filter);
        let mut records = Reverse::new(&*self.files, segment.name(), segment.len);
        while let Some(frame) = records.next()? {
            let seq = frame.seq;
            let is_asked = page.filter.before_seq.is_none_or(|before| seq < before)
                && overlaps(TimeRange::EMPTY.with(frame.at), window);
            if is_asked && matcher.matches(frame.payload) {
                page.add(&frame);
            }
            if page.is_full(records.bytes_read) {
                return Ok(Some(seq).filter(|seq| *seq > 1));
            }
        }
        page.scanned += records.bytes_read;
        Ok(None)
    }

    /// One record of a segment. If that is damaged, the record may still be found before the damage; if not, it may
    /// be in it, so that is an error.
    fn find_in(
        &self,
        segment: &SegmentInfo,
        is_it: impl Fn(&Frame<'_>) -> bool,
    ) -> Result<Option<StoredRecord>, AuditError> {
        let mut records = Reverse::new(&*self.files, segment.name(), segment.len);
        let damage = loop {
            match records.next() {
                Ok(Some(frame)) if is_it(&frame) => return Ok(Some(stored(&frame))),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(error @ AuditError::Unreadable { .. }) => break error,
                Err(error) => return Err(error),
            }
        };
        let bytes = read_until_damage(&*self.files, &segment.name())?;
        let readable = bytes.len().min(usize::try_from(segment.len).unwrap_or(usize::MAX));
        let mut rest = bytes.get(HEADER_BYTES..readable).unwrap_or_default();
        while let Ok(frame) = Frame::parse(rest) {
            if is_it(&frame) {
                return Ok(Some(stored(&frame)));
            }
            rest = rest.get(frame.len()..).unwrap_or_default();
        }
        Err(damage)
    }
}

impl DecisionQuery for LogReader {
    fn find(&self, filter: &DecisionFilter) -> Result<DecisionPage, LogError> {
        self.scan(filter).map_err(|error| unreadable(&error))
    }

    fn get(&self, call_id: &str) -> Result<Option<StoredRecord>, LogError> {
        let Some(window) = window_of_id(call_id) else {
            return Ok(None);
        };
        let filter =
            DecisionFilter { call_id: Some(call_id.to_owned()), limit: 1, ..DecisionFilter::default() };
        let matcher = Matcher::new(&filter);
        let mut damage = None;
        for segment in self.catalog.segments().iter().rev().filter(|s| overlaps(s.times, window)) {
            let is_it = |frame: &Frame<'_>| {
                overlaps(TimeRange::EMPTY.with(frame.at), window) && matcher.matches(frame.payload)
            };
            match self.find_in(segment, is_it) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(_) if self.catalog.is_gone(segment) => {}
                Err(error) => damage = Some(error),
            }
        }
        match (damage, self.catalog.deleted_until()) {
            (Some(error), _) => Err(unreadable(&error)),
            (None, Some(until)) if window.min + ID_SLACK <= until => {
                Err(LogError::Deleted { before: self.first_seq() })
            }
            _ => Ok(None),
        }
    }
}

fn unreadable(error: &AuditError) -> LogError {
    LogError::Unreadable(error.with_causes())
}

/// A page that is being filled.
struct Page<'f> {
    filter: &'f DecisionFilter,
    records: Vec<StoredRecord>,
    bytes: usize,
    scanned: u64,
}

impl Page<'_> {
    fn add(&mut self, frame: &Frame<'_>) {
        self.bytes += frame.payload.len();
        self.records.push(stored(frame));
    }

    fn is_full(&self, scanned_in_segment: u64) -> bool {
        self.records.len() >= self.filter.limit.max(1)
            || self.bytes >= PAGE_BYTES
            || self.scanned + scanned_in_segment >= PAGE_SCAN
    }
}

fn stored(frame: &Frame<'_>) -> StoredRecord {
    StoredRecord { seq: frame.seq, hash: frame.hash.to_string(), payload: frame.payload.to_vec() }
}

/// The instants that can match, rounded outwards to microseconds.
fn window(filter: &DecisionFilter) -> TimeRange {
    TimeRange {
        min: filter.since.map_or(i64::MIN, |since| since.as_microsecond().saturating_sub(1)),
        max: filter.until.map_or(i64::MAX, |until| until.as_microsecond().saturating_add(1)),
    }
}

/// When the call with this id was made: a UUIDv7 begins with milliseconds since 1970. `None` for any other id.
fn window_of_id(call_id: &str) -> Option<TimeRange> {
    let uuid = uuid::Uuid::try_parse(call_id).ok()?;
    let (seconds, nanos) = uuid.get_timestamp()?.to_unix();
    let at = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?.checked_add(i64::from(nanos / 1000))?;
    Some(TimeRange { min: at.checked_sub(ID_SLACK)?, max: at.checked_add(ID_SLACK + 1000)? })
}

fn overlaps(a: TimeRange, b: TimeRange) -> bool {
    a.min <= b.max && b.min <= a.max
}
