//! A page of a query that is being filled.

use std::time::{Duration, Instant};

use super::filter::Matcher;
use crate::ports::{DecisionFilter, DecisionPage, StoredRecord};

/// Bytes of records that one page may hold, unless a single record is larger.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// How long a page looks through the index before it ends early, with a cursor.
const PAGE_TIME: Duration = Duration::from_millis(80);

pub(super) struct Page<'f> {
    /// What is asked for.
    pub(super) filter: &'f DecisionFilter,
    /// The same, ready to be used.
    pub(super) matcher: Matcher,
    records: Vec<StoredRecord>,
    bytes: usize,
    begun: Instant,
}

impl<'f> Page<'f> {
    pub(super) fn new(filter: &'f DecisionFilter) -> Self {
        let matcher = Matcher::new(filter);
        Self { filter, matcher, records: Vec::new(), bytes: 0, begun: Instant::now() }
    }

    pub(super) fn add(&mut self, record: StoredRecord) {
        self.bytes += record.payload.len();
        self.records.push(record);
    }

    pub(super) fn is_full(&self) -> bool {
        self.room() == 0 || self.bytes >= PAGE_BYTES
    }

    /// How many more records may be added.
    pub(super) fn room(&self) -> usize {
        self.filter.limit.max(1).saturating_sub(self.records.len())
    }

    /// Whether it took so long that it should end.
    pub(super) fn is_late(&self) -> bool {
        self.begun.elapsed() >= PAGE_TIME
    }

    pub(super) fn done(self, next_before_seq: Option<u64>) -> DecisionPage {
        DecisionPage { records: self.records, next_before_seq }
    }
}
