//! Reading a segment backwards, newest record first, through a window of bounded size.

use super::error::AuditError;
use super::segment::{Frame, HEADER_BYTES, frame_len};
use crate::ports::LogFiles;

/// Bytes read at once: first, and at most unless one record is larger. Doubled from read to read, as most queries
/// need the newest records only.
const FIRST_WINDOW: u64 = 16 * 1024;
const LAST_WINDOW: u64 = 512 * 1024;

const HEADER: u64 = HEADER_BYTES as u64;

/// The records of one segment, newest first.
pub(super) struct Reverse<'f> {
    files: &'f dyn LogFiles,
    name: String,
    /// The end of the records not yet read.
    end: u64,
    window: Vec<u8>,
    window_start: u64,
    window_size: u64,
    /// Bytes read from the file so far.
    pub(super) bytes_read: u64,
}

impl<'f> Reverse<'f> {
    /// Reads the first `len` bytes of the segment `name` backwards.
    pub(super) fn new(files: &'f dyn LogFiles, name: String, len: u64) -> Self {
        Self {
            files,
            name,
            end: len,
            window: Vec::new(),
            window_start: len,
            window_size: FIRST_WINDOW,
            bytes_read: 0,
        }
    }

    /// The next older record; `None` at the start of the segment.
    pub(super) fn next(&mut self) -> Result<Option<Frame<'_>>, AuditError> {
        if self.end <= HEADER {
            return Ok(None);
        }
        let end = self.end;
        let trailer = self.bytes(end.saturating_sub(4), end)?.first_chunk().copied();
        let start = trailer
            .and_then(frame_len)
            .and_then(|len| end.checked_sub(len as u64))
            .filter(|start| *start >= HEADER)
            .ok_or_else(|| self.unreadable(end, "the length at the end of the record is impossible"))?;
        self.end = start;
        let name = self.name.clone();
        Frame::parse(self.bytes(start, end)?).map(Some).map_err(|what| AuditError::Unreadable {
            segment: name,
            offset: start,
            what,
        })
    }

    fn bytes(&mut self, start: u64, end: u64) -> Result<&[u8], AuditError> {
        if start < self.window_start {
            let from = end.saturating_sub(self.window_size).min(start);
            (self.window_start, self.window) = match self.read(from, end) {
                // Of a compressed segment a part may be lost before what is asked for.
                Err(AuditError::Unreadable { .. }) => (start, self.read(start, end)?),
                window => (from, window?),
            };
            self.window_size = (self.window_size * 2).min(LAST_WINDOW);
            self.bytes_read += end - from;
        }
        let range = usize::try_from(start - self.window_start).unwrap_or(usize::MAX)
            ..usize::try_from(end - self.window_start).unwrap_or(usize::MAX);
        self.window.get(range).ok_or_else(|| self.unreadable(start, "the segment is shorter than before"))
    }

    fn read(&self, from: u64, end: u64) -> Result<Vec<u8>, AuditError> {
        let len = usize::try_from(end - from).unwrap_or(usize::MAX);
        self.files.read_at(&self.name, from, len).map_err(AuditError::io("read", &self.name))
    }

    fn unreadable(&self, offset: u64, what: &'static str) -> AuditError {
        AuditError::Unreadable { segment: self.name.clone(), offset, what }
    }
}
