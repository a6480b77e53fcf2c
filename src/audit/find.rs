//! Finding out what is on disk: the closed segments, and how much of the last one is good.
//!
//! Only the end of the last segment may be torn: every segment is synced before the next one is created, and the
//! header of a segment before its first record. Anything else that does not fit is damage, and is never cut.

use super::catalog::SegmentInfo;
use super::error::AuditError;
use super::reverse::Reverse;
use super::segment::{HEADER_BYTES, Header, TimeRange, file_name, first_seq_of};
use super::walk::{ChainEnd, Walk, was_synced};
use crate::ports::LogFiles;

/// A log as found on disk.
pub(super) struct Found {
    /// All segments but the last, oldest first.
    pub(super) closed: Vec<SegmentInfo>,
    /// The last segment; `None` in an empty directory.
    pub(super) tail: Option<FoundTail>,
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
}

/// Looks at the headers of all segments and at all of the last one.
pub(super) fn find(files: &dyn LogFiles) -> Result<Found, AuditError> {
    let mut firsts: Vec<u64> = list(files)?
        .iter()
        .filter_map(|name| first_seq_of(name))
        .collect();
    firsts.sort_unstable();
    let Some((tail, closed)) = firsts.split_last() else {
        return Ok(Found {
            closed: Vec::new(),
            tail: None,
        });
    };
    let mut closed = closed
        .iter()
        .map(|first| closed_segment(files, *first))
        .collect::<Result<Vec<_>, _>>()?;
    let start = closed
        .last()
        .map_or(Ok(ChainEnd::GENESIS), |last| end_of(files, last))?;
    let oldest = closed.first().map_or(*tail, |(_, info)| info.first_seq);
    if oldest != 1 {
        return Err(damaged(
            oldest,
            0,
            oldest,
            "the segments before this one are missing",
        ));
    }
    let tail = find_tail(files, *tail, start, &closed)?;
    set_times(&mut closed, &tail);
    Ok(Found {
        closed: closed.into_iter().map(|(_, info)| info).collect(),
        tail: Some(tail),
    })
}

/// The names in the directory of the log.
pub(super) fn list(files: &dyn LogFiles) -> Result<Vec<String>, AuditError> {
    files
        .list()
        .map_err(AuditError::io("list", "the directory of the decision log"))
}

/// Reads the whole of a segment.
pub(super) fn read_all(files: &dyn LogFiles, name: &str) -> Result<Vec<u8>, AuditError> {
    let len = files.len(name).map_err(AuditError::io("read", name))?;
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    files.read_at(name, 0, len).map_err(AuditError::io("read", name))
}

fn closed_segment(files: &dyn LogFiles, first_seq: u64) -> Result<(Header, SegmentInfo), AuditError> {
    let name = file_name(first_seq);
    let len = files.len(&name).map_err(AuditError::io("read", &name))?;
    let head = files
        .read_at(
            &name,
            0,
            usize::try_from(len).unwrap_or(usize::MAX).min(HEADER_BYTES),
        )
        .map_err(AuditError::io("read", &name))?;
    let header = Header::parse(&head).map_err(|what| damaged(first_seq, 0, first_seq, what))?;
    if header.first_seq != first_seq {
        return Err(damaged(
            first_seq,
            0,
            first_seq,
            "the header is that of another segment",
        ));
    }
    Ok((
        header,
        SegmentInfo {
            first_seq,
            len,
            times: TimeRange::EMPTY,
        },
    ))
}

/// The chain up to the end of a closed segment, read from its last record.
fn end_of(files: &dyn LogFiles, (_, info): &(Header, SegmentInfo)) -> Result<ChainEnd, AuditError> {
    let mut records = Reverse::new(files, info.name(), info.len);
    match records.next()? {
        Some(frame) => Ok(ChainEnd {
            seq: frame.seq,
            hash: frame.hash,
        }),
        None => Err(damaged(
            info.first_seq,
            info.len,
            info.first_seq,
            "the segment has lost its records",
        )),
    }
}

fn find_tail(
    files: &dyn LogFiles,
    first_seq: u64,
    start: ChainEnd,
    closed: &[(Header, SegmentInfo)],
) -> Result<FoundTail, AuditError> {
    let bytes = read_all(files, &file_name(first_seq))?;
    if first_seq != start.seq + 1 {
        return Err(damaged(
            first_seq,
            0,
            start.seq + 1,
            "the segment does not continue the one before it",
        ));
    }
    let header = match Header::parse(&bytes) {
        Ok(header) => header,
        Err(what) if bytes.len() > HEADER_BYTES => return Err(damaged(first_seq, 0, first_seq, what)),
        Err(_) => return torn_header(files, &bytes, start, closed),
    };
    if header.first_seq != first_seq || header.previous != start.hash {
        return Err(damaged(
            first_seq,
            0,
            first_seq,
            "the segment does not continue the one before it",
        ));
    }
    let mut walk = Walk::new(&bytes, start);
    let broken = walk.by_ref().find_map(Result::err);
    if let Some(broken) = broken.filter(|broken| was_synced(&bytes, broken.offset, broken.seq)) {
        return Err(damaged(first_seq, broken.offset as u64, broken.seq, broken.what));
    }
    let torn = (bytes.len() - walk.offset) as u64;
    let info = SegmentInfo {
        first_seq,
        len: walk.offset as u64,
        times: walk.times,
    };
    Ok(FoundTail {
        info,
        header,
        end: walk.end,
        torn,
    })
}

/// A segment that was being created when the power went: it holds no record.
fn torn_header(
    files: &dyn LogFiles,
    bytes: &[u8],
    start: ChainEnd,
    closed: &[(Header, SegmentInfo)],
) -> Result<FoundTail, AuditError> {
    let mut times = TimeRange::EMPTY;
    if let Some((_, last)) = closed.last() {
        let mut records = Reverse::new(files, last.name(), last.len);
        while let Some(frame) = records.next()? {
            times = times.with(frame.at);
        }
    }
    let first_seq = start.seq + 1;
    let header = Header {
        first_seq,
        previous: start.hash,
        previous_times: times,
    };
    let info = SegmentInfo {
        first_seq,
        len: 0,
        times: TimeRange::EMPTY,
    };
    Ok(FoundTail {
        info,
        header,
        end: start,
        torn: bytes.len() as u64,
    })
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
    AuditError::Damaged {
        segment: file_name(first_seq),
        offset,
        seq,
        what,
    }
}
