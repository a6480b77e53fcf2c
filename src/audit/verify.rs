//! Verifying the whole log offline: every header, checksum and hash, from the first record to the last.

use std::collections::BTreeMap;

use procura_core::record::{Record, is_retention, kind_of};

use super::deleted::Deleted;
use super::error::AuditError;
use super::find::{check_beginning, check_continues, check_reaches, list, read_all};
use super::mark::Mark;
use super::plain::PlainFiles;
use super::segment::{HEADER_BYTES, Header, TimeRange, file_name, first_seq_of};
use super::walk::{ChainEnd, Walk, was_synced};
use crate::ports::LogFiles;

/// What was found in a log that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many segments there are.
    pub segments: usize,
    /// The first record: those before it were deleted by retention, as a record says.
    pub first_seq: u64,
    /// The last record; 0 in an empty log. Completeness is proven up to here and no further: that nothing came after
    /// it can only be told by a copy of its hash that is kept elsewhere.
    pub last_seq: u64,
    /// The chain hash after it.
    pub last_hash: String,
    /// How many records there are of each kind.
    pub kinds: BTreeMap<String, u64>,
    /// How many repairs the log records, by cause.
    pub repairs: BTreeMap<String, u64>,
    /// Bytes after the last record that are no record: most likely of a write that was interrupted or is under way;
    /// the next start of the server cuts them.
    pub torn_bytes: u64,
    /// The last segment, if it has not even a header: a crash while it was begun, or its content was removed.
    pub empty_segment: Option<String>,
}

/// Verifies the whole log, or names the first record that is not what was written.
///
/// `progress` is told how many of how many segments are done.
pub fn verify(files: &dyn LogFiles, progress: impl FnMut(usize, usize)) -> Result<Verified, AuditError> {
    verify_each(files, progress, &mut |_| Ok(()))
}

/// The same, and shows the chain after each good record to `each`.
pub(super) fn verify_each(
    files: &dyn LogFiles,
    mut progress: impl FnMut(usize, usize),
    each: &mut dyn FnMut(ChainEnd) -> Result<(), AuditError>,
) -> Result<Verified, AuditError> {
    let files = &PlainFiles::new(files);
    let mark = Mark::read(files)?;
    let mut firsts: Vec<u64> = list(files)?.iter().filter_map(|name| first_seq_of(name)).collect();
    firsts.sort_unstable();
    let mut state = State::new(mark);
    for (done, first_seq) in firsts.iter().enumerate() {
        progress(done, firsts.len());
        state.segment(files, *first_seq, done + 1 == firsts.len(), each)?;
    }
    check_beginning(state.beginning, state.deleted)?;
    if let Some(last) = firsts.last().filter(|last| files.is_compressed(**last)) {
        let (segment, offset, seq) = (file_name(*last), 0, state.end.seq + 1);
        let what = "it is compressed, so the segment that followed it is missing";
        return Err(AuditError::Damaged { segment, offset, seq, what });
    }
    check_reaches(mark, state.end, firsts.last().copied().unwrap_or(1))?;
    Ok(Verified {
        segments: firsts.len(),
        first_seq: state.beginning.seq + 1,
        last_seq: state.end.seq,
        last_hash: state.end.hash.to_string(),
        kinds: state.kinds,
        repairs: state.repairs,
        torn_bytes: state.torn,
        empty_segment: state.empty,
    })
}

/// What the segments so far amount to.
struct State {
    mark: Mark,
    /// Where the log begins.
    beginning: ChainEnd,
    /// The last deletion.
    deleted: Option<Deleted>,
    end: ChainEnd,
    /// Instants of the segment before.
    times: TimeRange,
    kinds: BTreeMap<String, u64>,
    repairs: BTreeMap<String, u64>,
    torn: u64,
    empty: Option<String>,
}

impl State {
    fn new(mark: Mark) -> Self {
        Self {
            mark,
            beginning: ChainEnd::GENESIS,
            deleted: None,
            end: ChainEnd::GENESIS,
            times: TimeRange::EMPTY,
            kinds: BTreeMap::new(),
            repairs: BTreeMap::new(),
            torn: 0,
            empty: None,
        }
    }

    fn segment(
        &mut self,
        files: &dyn LogFiles,
        first_seq: u64,
        is_last: bool,
        each: &mut dyn FnMut(ChainEnd) -> Result<(), AuditError>,
    ) -> Result<(), AuditError> {
        let name = file_name(first_seq);
        let expected = self.end.seq + 1;
        let damaged = |offset: usize, seq, what| {
            Err(AuditError::Damaged { segment: name.clone(), offset: offset as u64, seq, what })
        };
        let bytes = read_all(files, &name)?;
        match Header::parse(&bytes) {
            Ok(header) => {
                if self.end == ChainEnd::GENESIS && first_seq > 1 {
                    (self.beginning, self.times) = (header.beginning(), header.previous_times);
                    self.end = self.beginning;
                }
                check_continues(first_seq, &header, self.end)?;
                if self.deleted.is_some_and(|deleted| deleted.seq != header.retention) {
                    return damaged(0, expected, "the header states another deletion than the records do");
                }
                if header.previous_times != self.times {
                    return damaged(0, expected, "the header states other instants than the records have");
                }
            }
            Err(_) if is_last && bytes.len() <= HEADER_BYTES => {
                self.torn = bytes.len() as u64;
                self.empty = Some(name);
                return Ok(());
            }
            Err(what) => return damaged(0, expected, what),
        }
        let mut walk = Walk::new(&bytes, self.end);
        while let Some(step) = walk.next() {
            match step {
                Ok(frame) => {
                    each(walk.end)?;
                    self.count(frame.seq, frame.payload);
                }
                Err(broken)
                    if is_last
                        && self.mark.seq < broken.seq
                        && !was_synced(&bytes, broken.offset, broken.seq) =>
                {
                    self.torn = (bytes.len() - walk.offset) as u64;
                }
                Err(broken) => return damaged(broken.offset, broken.seq, broken.what),
            }
        }
        (self.end, self.times) = (walk.end, walk.times);
        Ok(())
    }

    fn count(&mut self, seq: u64, payload: &[u8]) {
        if is_retention(payload) {
            self.deleted = Deleted::of(seq, payload);
        }
        let kind = kind_of(payload).unwrap_or_else(|_| "unknown".to_owned());
        if kind == "log_repair"
            && let Ok(Record::LogRepair(repair)) = Record::decode(payload)
        {
            *self.repairs.entry(repair.cause.into_owned()).or_default() += 1;
        }
        *self.kinds.entry(kind).or_default() += 1;
    }
}
