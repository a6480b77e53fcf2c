//! Finding out what is on disk: the closed segments, and how much of the last one is good.
//!
//! Only the end of the last segment may be torn: every segment is synced before the next one is created, and the
//! header of a segment before its first record. Anything else that does not fit is damage, and is never cut.

use procura_core::record::is_retention;

use super::catalog::{Catalog, Reach, SegmentInfo};
use super::cursor::Cursor;
use super::deleted::Deleted;
use super::error::AuditError;
use super::mark::Mark;
use super::reverse::Reverse;
use super::segment::{HEADER_BYTES, Header, TimeRange, file_name, first_seq_of};
use super::walk::{Break, ChainEnd, Walk, was_synced};
use crate::ports::LogFiles;

/// A log as found on disk.
pub(super) struct Found {
    /// All segments but the last, oldest first.
    pub(super) closed: Vec<SegmentInfo>,
    /// The last segment; `None` in an empty directory.
    pub(super) tail: Option<FoundTail>,
    /// A record that was on disk.
    pub(super) mark: Mark,
    /// The chain before the first record that there is.
    pub(super) beginning: ChainEnd,
    /// The latest instant of the last segment that was deleted.
    pub(super) deleted_until: i64,
    /// The last deletion.
    pub(super) deleted: Option<Deleted>,
}

/// The last segment as found on disk.
pub(super) struct FoundTail {
    /// What is good of it; the length is 0 if not even the header is.
    pub(super) info: SegmentInfo,
    /// The header that it has, or should have.
    pub(super) header: Header,
    /// The chain up to its last good record.
    pub(super) end: ChainEnd,
    /// Bytes after the good ones, left by an interrupted write.
    pub(super) torn: u64,
    /// The last deletion that it records.
    deleted: Option<Deleted>,
}

/// Looks at the headers of all segments and at all of the last one.
pub(super) fn find(files: &dyn LogFiles) -> Result<Found, AuditError> {
    let mark = Mark::read(files)?;
    let mut firsts: Vec<u64> = list(files)?.iter().filter_map(|name| first_seq_of(name)).collect();
    firsts.sort_unstable();
    let Some((tail, closed)) = firsts.split_last() else {
        check_reaches(mark, ChainEnd::GENESIS, 1)?;
        let (beginning, deleted_until) = (ChainEnd::GENESIS, TimeRange::EMPTY.max);
        return Ok(Found { closed: Vec::new(), tail: None, mark, beginning, deleted_until, deleted: None });
    };
    let (beginning, deleted_until) = find_beginning(files, closed.first().copied().unwrap_or(*tail))?;
    let (mut closed, start) = find_closed(files, closed, beginning)?;
    let tail = find_tail(files, *tail, start, &closed, mark)?;
    check_reaches(mark, tail.end, tail.header.first_seq)?;
    set_times(&mut closed, &tail);
    let closed: Vec<_> = closed.into_iter().map(|(_, info)| info).collect();
    let deleted = match tail.deleted {
        None if tail.header.retention > 0 => find_deleted(files, &closed, tail.header.retention)?,
        deleted => deleted,
    };
    check_beginning(beginning, deleted)?;
    Ok(Found { closed, tail: Some(tail), mark, beginning, deleted_until, deleted })
}

/// The names in the directory of the log.
pub(super) fn list(files: &dyn LogFiles) -> Result<Vec<String>, AuditError> {
    files.list().map_err(AuditError::io("list", "the directory of the decision log"))
}

/// Reads the whole of a segment.
pub(super) fn read_all(files: &dyn LogFiles, name: &str) -> Result<Vec<u8>, AuditError> {
    let len = files.len(name).map_err(AuditError::io("read", name))?;
    files.read_at(name, 0, usize::try_from(len).unwrap_or(usize::MAX)).map_err(AuditError::io("read", name))
}

/// Reads a segment, up to the first block that cannot be restored if it is compressed.
pub(super) fn read_until_damage(files: &dyn LogFiles, name: &str) -> Result<Vec<u8>, AuditError> {
    match read_all(files, name) {
        Err(AuditError::Unreadable { offset, .. }) => {
            let readable = usize::try_from(offset).unwrap_or(usize::MAX);
            files.read_at(name, 0, readable).map_err(AuditError::io("read", name))
        }
        read => read,
    }
}

/// The chain before segment `first`, with which the log begins, and the latest instant of what came before it.
fn find_beginning(files: &dyn LogFiles, first: u64) -> Result<(ChainEnd, i64), AuditError> {
    if first == 1 {
        return Ok((ChainEnd::GENESIS, TimeRange::EMPTY.max));
    }
    let name = file_name(first);
    let head = files.read_at(&name, 0, HEADER_BYTES).map_err(AuditError::io("read", &name))?;
    let header = Header::parse(&head).map_err(|what| damaged(first, 0, first, what))?;
    Ok((header.beginning(), header.previous_times.max))
}

/// INVARIANT(deleted_not_lost): a log that does not begin with the first record has a record that says why.
pub(super) fn check_beginning(beginning: ChainEnd, deleted: Option<Deleted>) -> Result<(), AuditError> {
    if beginning == ChainEnd::GENESIS || deleted.is_some_and(|deleted| deleted.explains(beginning)) {
        return Ok(());
    }
    let what = "the records before this segment are missing, and no record says that they were deleted";
    Err(damaged(beginning.seq + 1, 0, 1, what))
}

/// The deletion that record `seq` says, in one of the `closed` segments.
fn find_deleted(
    files: &dyn LogFiles,
    closed: &[SegmentInfo],
    seq: u64,
) -> Result<Option<Deleted>, AuditError> {
    let catalog = Catalog::new(closed.to_vec(), Reach::default());
    let mut deleted = None;
    Cursor::new(files, &catalog, seq).read(|entry| {
        if entry.seq == seq {
            deleted = Deleted::of(seq, entry.payload);
        }
    })?;
    Ok(deleted)
}

/// The closed segments, each continuing the one before it, and the chain up to the end of the last one.
fn find_closed(
    files: &dyn LogFiles,
    firsts: &[u64],
    beginning: ChainEnd,
) -> Result<(Vec<(Header, SegmentInfo)>, ChainEnd), AuditError> {
    let mut closed = Vec::with_capacity(firsts.len());
    let mut end = beginning;
    for &first_seq in firsts {
        let name = file_name(first_seq);
        let len = files.len(&name).map_err(AuditError::io("read", &name))?;
        let head_len = usize::try_from(len).unwrap_or(usize::MAX).min(HEADER_BYTES);
        let head = files.read_at(&name, 0, head_len).map_err(AuditError::io("read", &name))?;
        let header = Header::parse(&head).map_err(|what| damaged(first_seq, 0, end.seq + 1, what))?;
        check_continues(first_seq, &header, end)?;
        let mut records = Reverse::new(files, name, len);
        let Some(last) = records.next()? else {
            return Err(damaged(first_seq, len, first_seq, "the segment has lost its records"));
        };
        end = ChainEnd { seq: last.seq, hash: last.hash };
        closed.push((header, SegmentInfo { first_seq, len, times: TimeRange::EMPTY }));
    }
    Ok((closed, end))
}

/// INVARIANT(gap_free): the segments hold every record from the first to the last, in one chain.
pub(super) fn check_continues(first_seq: u64, header: &Header, end: ChainEnd) -> Result<(), AuditError> {
    let expected = end.seq + 1;
    if first_seq != expected {
        return Err(damaged(first_seq, 0, expected, "records before this segment are missing"));
    }
    if header.first_seq != first_seq || header.previous != end.hash {
        return Err(damaged(first_seq, 0, expected, "the segment does not continue the one before it"));
    }
    Ok(())
}

/// INVARIANT(marked): the log reaches the mark; an end before it was not torn, it was lost.
pub(super) fn check_reaches(mark: Mark, end: ChainEnd, last_segment: u64) -> Result<(), AuditError> {
    if mark.seq <= end.seq {
        return Ok(());
    }
    Err(AuditError::Lost { segment: file_name(last_segment), last_seq: end.seq, marked: mark.seq })
}

fn find_tail(
    files: &dyn LogFiles,
    first_seq: u64,
    start: ChainEnd,
    closed: &[(Header, SegmentInfo)],
    mark: Mark,
) -> Result<FoundTail, AuditError> {
    let bytes = read_all(files, &file_name(first_seq))?;
    let header = match Header::parse(&bytes) {
        Ok(header) => header,
        Err(what) if bytes.len() > HEADER_BYTES => return Err(damaged(first_seq, 0, first_seq, what)),
        Err(_) => return torn_header(files, &bytes, first_seq, start, closed),
    };
    check_continues(first_seq, &header, start)?;
    let mut walk = Walk::new(&bytes, start);
    let (mut broken, mut deleted) = (None, None);
    for step in walk.by_ref() {
        match step {
            Ok(frame) if is_retention(frame.payload) => deleted = Deleted::of(frame.seq, frame.payload),
            Ok(_) => {}
            Err(found) => broken = Some(found),
        }
    }
    let was_on_disk =
        |broken: &Break| broken.seq <= mark.seq || was_synced(&bytes, broken.offset, broken.seq);
    if let Some(broken) = broken.filter(was_on_disk) {
        return Err(damaged(first_seq, broken.offset as u64, broken.seq, broken.what));
    }
    let torn = (bytes.len() - walk.offset) as u64;
    let info = SegmentInfo { first_seq, len: walk.offset as u64, times: walk.times };
    Ok(FoundTail { info, header, end: walk.end, torn, deleted })
}

/// A segment that was being created when the power went: it holds no record.
fn torn_header(
    files: &dyn LogFiles,
    bytes: &[u8],
    first_seq: u64,
    start: ChainEnd,
    closed: &[(Header, SegmentInfo)],
) -> Result<FoundTail, AuditError> {
    let mut times = TimeRange::EMPTY;
    let mut deleted = None;
    if let Some((_, last)) = closed.last() {
        let mut records = Reverse::new(files, last.name(), last.len);
        while let Some(frame) = records.next()? {
            times = times.with(frame.at);
            if deleted.is_none() && is_retention(frame.payload) {
                deleted = Deleted::of(frame.seq, frame.payload);
            }
        }
    }
    let before = closed.last().map_or(0, |(header, _)| header.retention);
    let retention = deleted.map_or(before, |deleted| deleted.seq);
    let header = Header { first_seq, previous: start.hash, previous_times: times, retention };
    check_continues(first_seq, &header, start)?;
    let info = SegmentInfo { first_seq, len: 0, times: TimeRange::EMPTY };
    Ok(FoundTail { info, header, end: start, torn: bytes.len() as u64, deleted })
}

/// Each segment knows the instants of the one before it.
fn set_times(closed: &mut [(Header, SegmentInfo)], tail: &FoundTail) {
    let mut following = tail.header.previous_times;
    for (header, info) in closed.iter_mut().rev() {
        info.times = following;
        following = header.previous_times;
    }
}

fn damaged(first_seq: u64, offset: u64, seq: u64, what: &'static str) -> AuditError {
    AuditError::Damaged { segment: file_name(first_seq), offset, seq, what }
}
