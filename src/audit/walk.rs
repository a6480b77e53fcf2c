//! Reading a segment forwards, each record checked against the chain.

use procura_core::record::ChainHash;

use super::segment::{Frame, HEADER_BYTES, TimeRange};

/// The chain up to some record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChainEnd {
    /// The last record; 0 before the first.
    pub(super) seq: u64,
    /// The hash after it.
    pub(super) hash: ChainHash,
}

impl ChainEnd {
    /// The chain before the first record.
    pub(super) const GENESIS: Self = Self { seq: 0, hash: ChainHash::GENESIS };

    /// The chain with one more record.
    pub(super) fn next(&self, at: i64, payload: &[u8]) -> Self {
        let seq = self.seq + 1;
        Self { seq, hash: self.hash.next(seq, at, payload) }
    }
}

/// Where and why a segment cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Break {
    /// Bytes from the start of the segment.
    pub(super) offset: usize,
    /// The record that should stand there.
    pub(super) seq: u64,
    /// What is wrong.
    pub(super) what: &'static str,
}

/// The records of one segment in order. Ends at the end of the segment or after the first [`Break`].
pub(super) struct Walk<'b> {
    bytes: &'b [u8],
    /// The end of the last good record.
    pub(super) offset: usize,
    /// The chain up to the last good record.
    pub(super) end: ChainEnd,
    /// The instants of the good records.
    pub(super) times: TimeRange,
    broken: bool,
}

impl<'b> Walk<'b> {
    /// Walks the segment `bytes`, header included, that continues the chain `start`.
    pub(super) fn new(bytes: &'b [u8], start: ChainEnd) -> Self {
        Self { bytes, offset: HEADER_BYTES, end: start, times: TimeRange::EMPTY, broken: false }
    }

    fn check(&self, rest: &'b [u8]) -> Result<(Frame<'b>, ChainEnd), &'static str> {
        let frame = Frame::parse(rest)?;
        let end = self.end.next(frame.at, frame.payload);
        if frame.seq != end.seq {
            return Err("the record has another sequence number");
        }
        if frame.hash != end.hash {
            return Err("the chain does not continue: this record or one before it was changed");
        }
        Ok((frame, end))
    }
}

impl<'b> Iterator for Walk<'b> {
    type Item = Result<Frame<'b>, Break>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.offset..).filter(|rest| !rest.is_empty() && !self.broken)?;
        match self.check(rest) {
            Ok((frame, end)) => {
                self.offset += frame.len();
                self.end = end;
                self.times = self.times.with(frame.at);
                Some(Ok(frame))
            }
            Err(what) => {
                self.broken = true;
                Some(Err(Break { offset: self.offset, seq: self.end.seq + 1, what }))
            }
        }
    }
}

/// Whether some frame after `offset` proves that record `seq` was once on disk.
///
/// Payloads are JSON and so hold no zero byte; a frame that begins inside a payload would need some. So nothing
/// that a caller sends can pass for a frame.
pub(super) fn was_synced(bytes: &[u8], offset: usize, seq: u64) -> bool {
    let tails = (offset..bytes.len()).filter_map(|at| bytes.get(at..));
    tails.filter(|tail| Frame::may_prove_synced(tail, seq)).any(|tail| Frame::parse(tail).is_ok())
}
