//! Frames: how the pieces of journal and snapshot stand in a file, so that what is damaged is noticed.
//!
//! A frame is a mark of four bytes that no text has, the length of its payload, the checksum of length and payload (each
//! four bytes, little-endian), and the payload, which is JSON. A frame without payload says only that everything before
//! it is on disk.

use std::io;
use std::ops::Range;

use memchr::memmem;

use crate::ports::LogFiles;

/// Most bytes of a payload.
pub(super) const PAYLOAD_BYTES: usize = 64 * 1024 * 1024;

/// How every frame begins. The first byte is in no UTF-8 text, so no payload has it.
const MARK: [u8; 4] = [0xFA, b'P', b'F', 0xC1];

/// Bytes before the payload.
const HEAD: usize = 12;

/// Bytes that are read at a time.
const CHUNK: usize = 1024 * 1024;

/// Appends the frame with this payload to `out`.
pub(super) fn encode(payload: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&len);
    out.extend_from_slice(&checksum(len, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// What stands next in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// A frame with this payload.
    Frame(&'a [u8]),
    /// Nothing: the file ends here.
    End,
    /// No frame, or not all of one.
    Broken,
}

/// Reads the frames of a file, one after the other.
pub(super) struct Frames<'a> {
    files: &'a dyn LogFiles,
    name: &'a str,
    /// Bytes of the file.
    len: u64,
    /// Where the next frame begins.
    at: u64,
    /// What was read of the file, and where the next frame begins in it.
    read: Vec<u8>,
    start: usize,
}

impl<'a> Frames<'a> {
    pub(super) fn open(files: &'a dyn LogFiles, name: &'a str) -> io::Result<Self> {
        Ok(Self { files, name, len: files.len(name)?, at: 0, read: Vec::new(), start: 0 })
    }

    /// Where the next frame begins, in bytes from the start of the file.
    pub(super) fn offset(&self) -> u64 {
        self.at
    }

    /// How many bytes stand behind the frames that were read.
    pub(super) fn left(&self) -> u64 {
        self.len.saturating_sub(self.at)
    }

    /// The next frame. What is broken stays so: the reader goes no further.
    pub(super) fn next(&mut self) -> io::Result<Next<'_>> {
        if self.left() == 0 {
            return Ok(Next::End);
        }
        self.fill(HEAD)?;
        let Some(len) = self.rest().and_then(payload_len) else { return Ok(Next::Broken) };
        if (HEAD + len) as u64 > self.left() {
            return Ok(Next::Broken);
        }
        self.fill(HEAD + len)?;
        let Some(payload) = self.rest().and_then(split).map(|found| shift(&found, self.start)) else {
            return Ok(Next::Broken);
        };
        self.start = payload.end;
        self.at += (HEAD + len) as u64;
        Ok(self.read.get(payload).map_or(Next::Broken, Next::Frame))
    }

    /// Whether a whole frame stands anywhere behind the place where the next one should be.
    pub(super) fn is_followed(&self) -> io::Result<bool> {
        let rest =
            self.files.read_at(self.name, self.at, usize::try_from(self.left()).unwrap_or(usize::MAX))?;
        let mut found = memmem::find_iter(&rest, &MARK).filter_map(|at| rest.get(at..));
        Ok(found.any(|frame| split(frame).is_some()))
    }

    fn rest(&self) -> Option<&[u8]> {
        self.read.get(self.start..)
    }

    /// Reads on until `wanted` bytes of the next frame are there, or all that there are.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let there = self.read.len() - self.start;
        let left = usize::try_from(self.left()).unwrap_or(usize::MAX);
        if there >= wanted.min(left) {
            return Ok(());
        }
        self.read.drain(..self.start);
        self.start = 0;
        let more = wanted.max(CHUNK).min(left) - there;
        self.read.extend(self.files.read_at(self.name, self.at + there as u64, more)?);
        Ok(())
    }
}

/// The length that the head of a frame states.
fn payload_len(bytes: &[u8]) -> Option<usize> {
    let len = bytes.strip_prefix(&MARK)?.first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    (len <= PAYLOAD_BYTES).then_some(len)
}

/// Where in `bytes` the payload of the frame is that they begin with, if it is whole.
fn split(bytes: &[u8]) -> Option<Range<usize>> {
    let len = payload_len(bytes)?;
    let stated = bytes.get(8..)?.first_chunk::<4>()?;
    let payload = bytes.get(HEAD..HEAD + len)?;
    let is_whole = checksum(u32::try_from(len).ok()?.to_le_bytes(), payload).to_le_bytes() == *stated;
    is_whole.then_some(HEAD..HEAD + len)
}

fn shift(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

fn checksum(len: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&len);
    hasher.update(payload);
    hasher.finalize()
}
