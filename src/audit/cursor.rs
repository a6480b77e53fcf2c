//! Reading the log forwards, in order, from any record on: for everything that follows the log.

use procura_core::record::ChainHash;

use super::catalog::{Catalog, SegmentInfo};
use super::error::AuditError;
use super::segment::{FRAME_BYTES, Frame, HEADER_BYTES, file_name, frame_len};
use crate::ports::LogFiles;

/// Bytes read at once, unless one record is larger.
const WINDOW: u64 = 1024 * 1024;

/// Where a record stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The segment, by its first record.
    pub segment: u64,
    /// Bytes from the start of the segment.
    pub offset: u64,
}

/// A record as a [`Cursor`] meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Position in the chain, from 1.
    pub seq: u64,
    /// Instant of the record, in microseconds since 1970.
    pub at: i64,
    /// Chain hash after this record.
    pub hash: ChainHash,
    /// The encoded record.
    pub payload: &'a [u8],
    /// Where it stands.
    pub place: Place,
}

/// A place between two records, from which the next ones are read; it never reads what is not acknowledged. Before records
/// that were deleted it stands before the first one that is left.
pub struct Cursor<'l> {
    files: &'l dyn LogFiles,
    catalog: &'l Catalog,
    next_seq: u64,
    /// Where the next record stands, if that is known.
    place: Option<Place>,
}

impl<'l> Cursor<'l> {
    /// A cursor before record `next_seq`, from 1.
    pub(super) fn new(files: &'l dyn LogFiles, catalog: &'l Catalog, next_seq: u64) -> Self {
        Self { files, catalog, next_seq: next_seq.max(1), place: None }
    }

    /// The next record that will be read.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Shows the next records to `each`, in order, about a mebibyte of them. Returns how many there were: 0 at the end of
    /// what is acknowledged. Blocking.
    ///
    /// # Errors
    /// If a file cannot be read, or what stands there is not the record that should.
    pub fn read(&mut self, mut each: impl FnMut(&Entry<'_>)) -> Result<usize, AuditError> {
        self.next_seq = self.next_seq.max(self.catalog.first_seq());
        let Some((segment, place)) = self.locate()? else { return Ok(0) };
        let window = match read_window(self.files, &segment, place.offset) {
            // Deleted in this very moment.
            Err(_) if self.catalog.is_gone(&segment) => return self.read(each),
            window => window?,
        };
        let (mut offset, mut rest, mut count) = (place.offset, &window[..], 0);
        while !rest.is_empty() {
            let frame = match Frame::parse(rest) {
                Ok(frame) => frame,
                // Cut by the end of the window.
                Err(_) if count > 0 && offset < segment.len => break,
                Err(what) => return Err(self.damaged(&segment, offset, what)),
            };
            if frame.seq != self.next_seq {
                return Err(self.damaged(&segment, offset, "the record has another sequence number"));
            }
            let Frame { seq, at, hash, payload, .. } = frame;
            each(&Entry { seq, at, hash, payload, place: Place { offset, ..place } });
            (offset, count) = (offset + frame.len() as u64, count + 1);
            rest = rest.get(frame.len()..).unwrap_or_default();
            self.next_seq += 1;
            self.place = Some(Place { offset, ..place });
        }
        Ok(count)
    }

    /// The segment with the next record, and where in it that stands; `None` if it is not there yet.
    fn locate(&mut self) -> Result<Option<(SegmentInfo, Place)>, AuditError> {
        let Some(segment) = self.catalog.segment_with(self.next_seq) else { return Ok(None) };
        let known = self.place.filter(|place| place.segment == segment.first_seq);
        let start = Place { segment: segment.first_seq, offset: HEADER_BYTES as u64 };
        let place = match known {
            Some(place) => place,
            None => Place { offset: self.offset_in(&segment)?, ..start },
        };
        self.place = Some(place);
        Ok((place.offset < segment.len).then_some((segment, place)))
    }

    /// Walks through `segment` to the next record, from length to length.
    fn offset_in(&self, segment: &SegmentInfo) -> Result<u64, AuditError> {
        let (mut offset, mut seq) = (HEADER_BYTES as u64, segment.first_seq);
        while seq < self.next_seq && offset < segment.len {
            let window = read_window(self.files, segment, offset)?;
            let mut rest = &window[..];
            while seq < self.next_seq
                && let Some(len) = whole_frame(rest)
            {
                rest = rest.get(len..).unwrap_or_default();
                (offset, seq) = (offset + len as u64, seq + 1);
            }
            if rest.len() == window.len() {
                return Err(self.damaged(segment, offset, "the length of the record is impossible"));
            }
        }
        Ok(offset)
    }

    fn damaged(&self, segment: &SegmentInfo, offset: u64, what: &'static str) -> AuditError {
        AuditError::Damaged { segment: segment.name(), offset, seq: self.next_seq, what }
    }
}

/// The encoded record at `place` with its sequence number and hash, to be shown to `show`.
pub(super) fn read_one<T>(
    files: &dyn LogFiles,
    catalog: &Catalog,
    place: Place,
    show: impl FnOnce(&Frame<'_>) -> T,
) -> Result<T, AuditError> {
    let unreadable =
        |what| AuditError::Unreadable { segment: file_name(place.segment), offset: place.offset, what };
    let segment = catalog.segment(place.segment).filter(|segment| place.offset < segment.len);
    let segment = segment.ok_or_else(|| unreadable("there is no such segment, or it is shorter"))?;
    let left = usize::try_from(segment.len - place.offset).unwrap_or(usize::MAX);
    let name = segment.name();
    let read =
        |len: usize| files.read_at(&name, place.offset, len.min(left)).map_err(AuditError::io("read", &name));
    // Most records are small: then one read is enough.
    let mut bytes = read(4096)?;
    if let Some(len) = bytes.first_chunk().and_then(|length| frame_len(*length))
        && len > bytes.len()
    {
        bytes = read(len)?;
    }
    Frame::parse(&bytes).map(|frame| show(&frame)).map_err(unreadable)
}

/// Bytes of `segment` from `offset` on: about a mebibyte, and the first record whole.
fn read_window(files: &dyn LogFiles, segment: &SegmentInfo, offset: u64) -> Result<Vec<u8>, AuditError> {
    let name = segment.name();
    let left = segment.len - offset;
    let read = |len: u64| {
        let len = usize::try_from(len.min(left)).unwrap_or(usize::MAX);
        files.read_at(&name, offset, len).map_err(AuditError::io("read", &name))
    };
    let window = read(WINDOW)?;
    match window.first_chunk().and_then(|length| frame_len(*length)) {
        Some(len) if len > window.len() => read(len as u64),
        _ => Ok(window),
    }
}

/// The length of the frame at the start of `bytes`, if all of it is there.
fn whole_frame(bytes: &[u8]) -> Option<usize> {
    let len = frame_len(*bytes.first_chunk()?)?;
    (FRAME_BYTES <= len && len <= bytes.len()).then_some(len)
}
