//! Reading the log: a scan from the newest to the oldest, bounded per page, one record by its place, or forwards.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::Duration;

use procura_core::query::Field;
use procura_core::record::ChainHash;

use super::catalog::{Catalog, Dependent, Reach, SegmentInfo};
use super::cursor::{Cursor, Place, read_one};
use super::error::AuditError;
use super::filter::Matcher;
use super::find::{find, read_until_damage};
use super::page::Page;
use super::plain::PlainFiles;
use super::reverse::Reverse;
use super::segment::{Frame, HEADER_BYTES, Header, TimeRange};
use super::tally::Tally;
use crate::ports::{
    DecisionCounts, DecisionFilter, DecisionPage, DecisionQuery, Followed, Follower, LogError, LogFiles,
    StoredRecord,
};

/// Bytes of log that one page may read. A page that reaches it ends early, with a cursor.
const PAGE_SCAN: u64 = 256 * 1024 * 1024;

/// Microseconds by which a call id may differ from the instant of its record, on top of its own resolution.
const ID_SLACK: i64 = 1_000_000;

/// How long a follower waits for records before it is asked whether it still wants them.
const FOLLOW_PAUSE: Duration = Duration::from_millis(500);

/// Reads the log: what is acknowledged, and nothing else.
#[derive(Clone)]
pub struct LogReader {
    pub(super) files: Arc<dyn LogFiles>,
    pub(super) catalog: Arc<Catalog>,
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

    /// From now on `dependent` needs the records from `seq` on, which retention keeps; `None` if it needs none.
    pub fn need_from(&self, dependent: Dependent, seq: Option<u64>) {
        self.catalog.need_from(dependent, seq);
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
        match self.files.reopen(&name) {
            // It was closed, and so synced, and then compressed in this very moment.
            Err(_) if self.reach().synced >= seq => Ok(()),
            opened => opened.and_then(|mut file| file.sync()).map_err(AuditError::io("sync", &name)),
        }
    }

    /// The record that stands at `place`.
    ///
    /// # Errors
    /// If the file cannot be read or no record begins there.
    pub fn at(&self, place: Place) -> Result<StoredRecord, AuditError> {
        read_one(&*self.files, &self.catalog, place, stored)
    }

    /// Adds to `page` what matches among the records of `span`, newest first. Where to go on, if it is full before that.
    pub(super) fn fill(&self, page: &mut Page<'_>, span: Range<u64>) -> Result<Option<u64>, AuditError> {
        let window = window(page.filter);
        self.scan(span, window, |frame| {
            let is_asked = overlaps(TimeRange::EMPTY.with(frame.at), window);
            if is_asked && page.matcher.matches(frame.payload) {
                page.add(stored(frame));
            }
            page.is_full()
        })
    }

    /// Counts what matches among the records of `span`, newest first. Where to go on, if that takes too long.
    pub(super) fn tally(&self, tally: &mut Tally<'_>, span: Range<u64>) -> Result<Option<u64>, AuditError> {
        self.scan(span, window(tally.filter), |frame| {
            tally.add(frame.payload);
            tally.is_over()
        })
    }

    /// Shows records of `span` newest first, those of segments with instants in `window`, until `each` has enough or too
    /// much was read; then the record is returned below which to go on.
    fn scan(
        &self,
        span: Range<u64>,
        window: TimeRange,
        mut each: impl FnMut(&Frame<'_>) -> bool,
    ) -> Result<Option<u64>, AuditError> {
        let mut scanned = 0;
        for segment in self.catalog.segments().iter().rev() {
            if segment.first_seq >= span.end || !overlaps(segment.times, window) {
                continue;
            }
            let mut records = Reverse::new(&*self.files, segment.name(), segment.len);
            loop {
                let frame = match records.next() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    // Deleted in this very moment.
                    Err(_) if self.catalog.is_gone(segment) => break,
                    Err(error) => return Err(error),
                };
                let seq = frame.seq;
                if seq < span.start {
                    return Ok(None);
                }
                if seq < span.end && (each(&frame) || scanned + records.bytes_read >= PAGE_SCAN) {
                    return Ok(Some(seq).filter(|seq| *seq > self.first_seq()));
                }
            }
            scanned += records.bytes_read;
        }
        Ok(None)
    }

    /// The first record of the first segment with an instant in `window`, or else the next record there will be.
    fn first_within(&self, window: TimeRange) -> u64 {
        let segments = self.catalog.segments();
        let within = segments.iter().find(|segment| overlaps(segment.times, window));
        within.map_or(self.reach().last + 1, |segment| segment.first_seq)
    }

    /// The call with this id among the records from `from` on.
    pub(super) fn get_from(&self, call_id: &str, from: u64) -> Result<Option<StoredRecord>, AuditError> {
        let Some(window) = window_of_id(call_id) else { return Ok(None) };
        let matcher = Matcher::new(&call(call_id));
        let is_it = |frame: &Frame<'_>| {
            overlaps(TimeRange::EMPTY.with(frame.at), window) && matcher.matches(frame.payload)
        };
        let segments = self.catalog.segments();
        let behind = segments.partition_point(|segment| segment.first_seq <= from).saturating_sub(1);
        let mut damage = None;
        for segment in segments.iter().skip(behind).rev().filter(|s| overlaps(s.times, window)) {
            match self.find_in(segment, from, is_it) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(_) if self.catalog.is_gone(segment) => {}
                Err(error) => damage = Some(error),
            }
        }
        damage.map_or(Ok(None), Err)
    }

    /// What there is to say of a call that is not in the log: it may have been deleted with what was old.
    pub(super) fn absent(&self, call_id: &str) -> Result<Option<StoredRecord>, LogError> {
        match (window_of_id(call_id), self.catalog.deleted_until()) {
            (Some(window), Some(until)) if window.min + ID_SLACK <= until => {
                Err(LogError::Deleted { before: self.first_seq() })
            }
            _ => Ok(None),
        }
    }

    /// One record of a segment, at or after `from`. If that is damaged, the record may still be found before the damage;
    /// if not, it may be in it, so that is an error.
    fn find_in(
        &self,
        segment: &SegmentInfo,
        from: u64,
        is_it: impl Fn(&Frame<'_>) -> bool,
    ) -> Result<Option<StoredRecord>, AuditError> {
        let mut records = Reverse::new(&*self.files, segment.name(), segment.len);
        let damage = loop {
            match records.next() {
                Ok(Some(frame)) if frame.seq < from => return Ok(None),
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
        let mut page = Page::new(filter);
        let next = self.fill(&mut page, 1..filter.before_seq.unwrap_or(u64::MAX)).map_err(unreadable)?;
        Ok(page.done(next))
    }

    fn get(&self, call_id: &str) -> Result<Option<StoredRecord>, LogError> {
        let found = self.get_from(call_id, 1).map_err(unreadable)?;
        found.map_or_else(|| self.absent(call_id), |found| Ok(Some(found)))
    }

    fn count(&self, filter: &DecisionFilter, by: &[Field]) -> Result<DecisionCounts, LogError> {
        let mut tally = Tally::new(filter, by);
        let next = self.tally(&mut tally, 1..filter.before_seq.unwrap_or(u64::MAX)).map_err(unreadable)?;
        tally.done(next)
    }

    fn follow(&self, filter: &DecisionFilter, after: u64, each: Follower<'_>) -> Result<(), LogError> {
        let (matcher, window) = (Matcher::new(filter), window(filter));
        let mut cursor = self.cursor(after.saturating_add(1).max(self.first_within(window)));
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() {
            let reach = self.reach();
            let read = cursor.read(|entry| {
                let is_asked = overlaps(TimeRange::EMPTY.with(entry.at), window);
                if flow.is_continue() && is_asked && matcher.matches(entry.payload) {
                    let (hash, payload) = (entry.hash.to_string(), entry.payload.to_vec());
                    flow = each(Followed::Record(StoredRecord { seq: entry.seq, hash, payload }));
                }
            });
            if read.map_err(unreadable)? == 0 {
                let _ = self.wait_beyond(reach, FOLLOW_PAUSE);
            }
            if flow.is_continue() {
                flow = each(Followed::Reached(cursor.next_seq() - 1));
            }
        }
        Ok(())
    }

    fn last_seq(&self) -> u64 {
        self.reach().last
    }

    fn unindexed(&self) -> u64 {
        self.reach().last
    }
}

/// The filter that asks for one call.
pub(super) fn call(call_id: &str) -> DecisionFilter {
    DecisionFilter { call_id: Some(call_id.to_owned()), limit: 1, ..DecisionFilter::default() }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn unreadable(error: AuditError) -> LogError {
    LogError::Unreadable(error.with_causes())
}

fn stored(frame: &Frame<'_>) -> StoredRecord {
    StoredRecord { seq: frame.seq, hash: frame.hash.to_string(), payload: frame.payload.to_vec() }
}

/// The instants that can match, rounded outwards to microseconds.
fn window(filter: &DecisionFilter) -> TimeRange {
    let condition = filter.whole_condition();
    TimeRange {
        min: condition.earliest().map_or(i64::MIN, |since| since.as_microsecond().saturating_sub(1)),
        max: condition.end().map_or(i64::MAX, |until| until.as_microsecond().saturating_add(1)),
    }
}

/// When the call with this id was made: a UUIDv7 begins with milliseconds since 1970. `None` for any other id.
pub(super) fn window_of_id(call_id: &str) -> Option<TimeRange> {
    let uuid = uuid::Uuid::try_parse(call_id).ok()?;
    let (seconds, nanos) = uuid.get_timestamp()?.to_unix();
    let at = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?.checked_add(i64::from(nanos / 1000))?;
    Some(TimeRange { min: at.checked_sub(ID_SLACK)?, max: at.checked_add(ID_SLACK + 1000)? })
}

fn overlaps(a: TimeRange, b: TimeRange) -> bool {
    a.min <= b.max && b.min <= a.max
}
