//! Following a log that another process writes: what has been added to its files since they were looked at.

use super::catalog::{Reach, SegmentInfo};
use super::error::AuditError;
use super::query::LogReader;
use super::segment::{Frame, HEADER_BYTES, TimeRange, file_name};

/// Bytes that are read at once, unless one record is larger.
const WINDOW: u64 = 1024 * 1024;

impl LogReader {
    /// Looks for records that were added. For a log that was opened by [`LogReader::open`]; they are shown as soon as they
    /// are written, which may be before they are acknowledged.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn refresh(&self) -> Result<(), AuditError> {
        loop {
            let next = self.reach().last + 1;
            let newest = self.catalog.segments().last().copied();
            let grown = match newest {
                Some(segment) => self.grow(segment)?,
                None => false,
            };
            let is_new = newest.is_none_or(|segment| segment.first_seq < next || segment.len == 0);
            let more = grown || is_new && self.begin(next)?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Takes in the whole records that follow in `segment`; whether there are any.
    fn grow(&self, mut segment: SegmentInfo) -> Result<bool, AuditError> {
        let name = segment.name();
        let io = |source| AuditError::Io { action: "read", name: name.clone(), source };
        let len = self.files.len(&name).map_err(io)?;
        let mut reach = self.reach();
        let start = segment.len.max(HEADER_BYTES as u64);
        let mut window =
            self.files.read_at(&name, start, bytes(len.saturating_sub(start).min(WINDOW))).map_err(io)?;
        if let Some(large) = window.first_chunk().and_then(|length| super::segment::frame_len(*length))
            && large > window.len()
            && start + large as u64 <= len
        {
            window = self.files.read_at(&name, start, large).map_err(io)?;
        }
        let (mut rest, mut end) = (&window[..], start);
        while let Ok(frame) = Frame::parse(rest)
            && frame.seq == reach.last + 1
        {
            end += frame.len() as u64;
            reach = Reach { last: frame.seq, synced: frame.synced.max(reach.synced) };
            segment.times = segment.times.with(frame.at);
            rest = rest.get(frame.len()..).unwrap_or_default();
        }
        if end == start {
            return Ok(false);
        }
        segment.len = end;
        self.catalog.publish(segment, reach);
        Ok(true)
    }

    /// Takes in the segment that begins with record `first_seq`; whether there is one with a record.
    fn begin(&self, first_seq: u64) -> Result<bool, AuditError> {
        let name = file_name(first_seq);
        let list = self.files.list().map_err(AuditError::io("list", "the directory of the decision log"))?;
        if !list.contains(&name) {
            return Ok(false);
        }
        self.grow(SegmentInfo { first_seq, len: HEADER_BYTES as u64, times: TimeRange::EMPTY })
    }
}

fn bytes(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
