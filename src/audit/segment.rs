//! The binary format of a segment: a header, then frames, each holding one record.
//!
//! All numbers are little-endian. `docs/reference/log-format.md` has the layout as tables.
//!
//! Besides the chain hash, which proves that nothing was changed, a frame carries what recovery needs: a checksum
//! that is cheap to test, its length at both ends so that it can be read backwards, and `synced`, the last record
//! known to be on disk when the frame was written. `synced` tells a torn write from damage: if a later frame says
//! that a record was on disk, and the record cannot be read, then it was not torn, it was lost.

use std::ops::Range;

use procura_core::limits::RECORD_BYTES;
use procura_core::record::ChainHash;

use super::walk::ChainEnd;
use crate::ports::NewRecord;

/// Bytes of a segment header.
pub(super) const HEADER_BYTES: usize = 80;

/// Bytes of a frame besides its payload.
pub(super) const FRAME_BYTES: usize = HEAD_BYTES + TRAILER_BYTES;

/// `length, checksum, seq, at, synced, hash`.
const HEAD_BYTES: usize = HASH.end;

/// Where the parts of a frame stand that are behind its length.
const CHECKSUM: Range<usize> = 4..8;
const SEQ: Range<usize> = 8..16;
const AT: Range<usize> = 16..24;
const SYNCED: Range<usize> = 24..32;
const HASH: Range<usize> = 32..32 + ChainHash::LEN;

/// `length` again.
const TRAILER_BYTES: usize = 4;

const MAGIC: [u8; 8] = *b"PROCURAL";
const VERSION: u32 = 1;

/// What a segment says about itself and about the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Sequence number of its first record.
    pub(super) first_seq: u64,
    /// Chain hash after the last record of the segment before it.
    pub(super) previous: ChainHash,
    /// Earliest and latest instant in the segment before it.
    pub(super) previous_times: TimeRange,
    /// The last record of a deletion before this segment, 0 if there is none.
    pub(super) retention: u64,
}

/// One record as it stands in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// Position in the chain, from 1.
    pub(super) seq: u64,
    /// Instant of the record, in microseconds since 1970.
    pub(super) at: i64,
    /// The last record known to be on disk when this one was written.
    pub(super) synced: u64,
    /// Chain hash after this record.
    pub(super) hash: ChainHash,
    /// The encoded record.
    pub(super) payload: &'a [u8],
}

/// The earliest and latest instant of some records, in microseconds since 1970; instants need not be in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeRange {
    pub(super) min: i64,
    pub(super) max: i64,
}

impl TimeRange {
    /// The range of no records.
    pub(super) const EMPTY: Self = Self { min: i64::MAX, max: i64::MIN };

    /// The range with `at` added.
    pub(super) fn with(self, at: i64) -> Self {
        Self { min: self.min.min(at), max: self.max.max(at) }
    }
}

/// The file name of the segment that begins with record `first_seq`.
pub(super) fn file_name(first_seq: u64) -> String {
    format!("log-{first_seq:020}.seg")
}

/// The first record of the segment called `name`; `None` if `name` is no segment's.
pub(super) fn first_seq_of(name: &str) -> Option<u64> {
    let first_seq = name.strip_prefix("log-")?.strip_suffix(".seg")?.parse().ok()?;
    (file_name(first_seq) == name).then_some(first_seq)
}

impl Header {
    /// The chain before this segment.
    pub(super) fn beginning(&self) -> ChainEnd {
        ChainEnd { seq: self.first_seq.saturating_sub(1), hash: self.previous }
    }

    /// Appends the header to `out`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.first_seq.to_le_bytes());
        out.extend_from_slice(self.previous.as_bytes());
        out.extend_from_slice(&self.previous_times.min.to_le_bytes());
        out.extend_from_slice(&self.previous_times.max.to_le_bytes());
        out.extend_from_slice(&self.retention.to_le_bytes());
        let checksum = crc32fast::hash(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&checksum.to_le_bytes());
    }

    /// Reads the header at the start of `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let (header, _) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or("the header is incomplete")?;
        let (covered, checksum) = header.split_last_chunk::<4>().ok_or("the header is incomplete")?;
        if crc32fast::hash(covered) != u32::from_le_bytes(*checksum) {
            return Err("the checksum of the header does not match");
        }
        let mut rest = covered;
        if take(&mut rest) != Some(MAGIC) {
            return Err("this is not a segment of a decision log");
        }
        if take(&mut rest).map(u32::from_le_bytes) != Some(VERSION) {
            return Err("the segment has a format that this release does not know");
        }
        let fields = (|| {
            Some(Self {
                first_seq: u64::from_le_bytes(take(&mut rest)?),
                previous: ChainHash::from_bytes(take(&mut rest)?),
                previous_times: TimeRange {
                    min: i64::from_le_bytes(take(&mut rest)?),
                    max: i64::from_le_bytes(take(&mut rest)?),
                },
                retention: u64::from_le_bytes(take(&mut rest)?),
            })
        })();
        fields.ok_or("the header is incomplete")
    }
}

impl<'a> Frame<'a> {
    /// Bytes of the whole frame.
    pub(super) fn len(&self) -> usize {
        FRAME_BYTES + self.payload.len()
    }

    /// Reads the frame at the start of `bytes`. Never reads or allocates more than the length allows.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        const INCOMPLETE: &str = "the record is incomplete";
        let mut rest = bytes;
        let length = take::<4>(&mut rest).ok_or(INCOMPLETE)?;
        let expected = u32::from_le_bytes(take(&mut rest).ok_or(INCOMPLETE)?);
        let payload_len = payload_len(length).ok_or("the length of the record is impossible")?;
        let covered = rest.get(..payload_len + FRAME_BYTES - 8).ok_or(INCOMPLETE)?;
        if checksum(length, covered) != expected {
            return Err("the checksum of the record does not match");
        }
        // Whoever reads backwards begins with it.
        if !covered.ends_with(&length) {
            return Err("the length at the end of the record is another than at its start");
        }
        let mut rest = covered;
        let fields = (|| {
            Some(Self {
                seq: u64::from_le_bytes(take(&mut rest)?),
                at: i64::from_le_bytes(take(&mut rest)?),
                synced: u64::from_le_bytes(take(&mut rest)?),
                hash: ChainHash::from_bytes(take(&mut rest)?),
                payload: rest.get(..payload_len)?,
            })
        })();
        fields.ok_or(INCOMPLETE)
    }

    /// Whether `bytes` could begin with a frame of a record after `seq` that was written when `seq` was on disk.
    /// Cheap: no checksum.
    pub(super) fn may_prove_synced(bytes: &[u8], seq: u64) -> bool {
        let mut rest = bytes;
        let fields = (|| {
            let payload_len = payload_len(take(&mut rest)?)?;
            let _checksum = take::<4>(&mut rest)?;
            let found = u64::from_le_bytes(take(&mut rest)?);
            let _at = take::<8>(&mut rest)?;
            let synced = u64::from_le_bytes(take(&mut rest)?);
            Some((payload_len, found, synced))
        })();
        fields.is_some_and(|(payload_len, found, synced)| {
            synced >= seq && found > synced && payload_len + FRAME_BYTES <= bytes.len()
        })
    }
}

/// A frame whose record has no place in the chain yet: all that depends on it is still zero.
pub(super) struct Unsealed<'a>(&'a mut [u8]);

impl<'a> Unsealed<'a> {
    /// Appends the frame of `record` to `out`. The payload is at most [`RECORD_BYTES`] long.
    pub(super) fn append(record: &NewRecord, out: &mut Vec<u8>) {
        const PLACE: [u8; 8 + ChainHash::LEN] = [0; 8 + ChainHash::LEN];
        let length = u32::try_from(record.payload.len()).unwrap_or(u32::MAX).to_le_bytes();
        out.reserve(FRAME_BYTES + record.payload.len());
        out.extend_from_slice(&length);
        out.extend_from_slice(&[0; 4 + 8]);
        out.extend_from_slice(&record.at.as_microsecond().to_le_bytes());
        out.extend_from_slice(&PLACE);
        out.extend_from_slice(&record.payload);
        out.extend_from_slice(&length);
    }

    /// The frame at the start of `bytes`, which were appended, and what is behind it.
    pub(super) fn split(bytes: &'a mut [u8]) -> Option<(Self, &'a mut [u8])> {
        let length = frame_len(*bytes.first_chunk()?)?;
        let (frame, behind) = bytes.split_at_mut_checked(length)?;
        Some((Self(frame), behind))
    }

    /// Instant of the record, in microseconds since 1970.
    pub(super) fn at(&self) -> i64 {
        let at = self.0.get(AT).and_then(|at| at.try_into().ok());
        at.map(i64::from_le_bytes).unwrap_or_default()
    }

    /// The encoded record.
    pub(super) fn payload(&self) -> &[u8] {
        self.0.get(HEAD_BYTES..self.0.len() - TRAILER_BYTES).unwrap_or_default()
    }

    /// Gives the record its place in the chain: the rest of what [`Frame`] says.
    pub(super) fn seal(&mut self, seq: u64, synced: u64, hash: ChainHash) {
        self.put(SEQ, &seq.to_le_bytes());
        self.put(SYNCED, &synced.to_le_bytes());
        self.put(HASH, hash.as_bytes());
        let length = self.0.first_chunk().copied().unwrap_or_default();
        let checksum = checksum(length, self.0.get(CHECKSUM.end..).unwrap_or_default());
        self.put(CHECKSUM, &checksum.to_le_bytes());
    }

    fn put(&mut self, place: Range<usize>, bytes: &[u8]) {
        if let Some(place) = self.0.get_mut(place) {
            place.copy_from_slice(bytes);
        }
    }
}

/// The length of the frame that ends with this trailer; `None` if no frame can.
pub(super) fn frame_len(trailer: [u8; TRAILER_BYTES]) -> Option<usize> {
    payload_len(trailer).map(|len| len + FRAME_BYTES)
}

fn payload_len(length: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(length)).ok().filter(|len| *len <= RECORD_BYTES)
}

/// Covers the frame but for the checksum itself; `rest` is what follows it.
fn checksum(length: [u8; 4], rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(rest);
    hasher.finalize()
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use procura_core::model::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn frame(payload: &[u8]) -> Frame<'_> {
        Frame { seq: 7, at: -5, synced: 3, hash: ChainHash::GENESIS.next(7, -5, payload), payload }
    }

    fn encoded(frame: &Frame<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let at = Timestamp::from_microsecond(frame.at).unwrap();
        Unsealed::append(&NewRecord { at, payload: frame.payload.to_vec() }, &mut bytes);
        let (mut unsealed, behind) = Unsealed::split(&mut bytes).unwrap();
        assert_eq!((unsealed.at(), unsealed.payload(), behind.len()), (frame.at, frame.payload, 0));
        unsealed.seal(frame.seq, frame.synced, frame.hash);
        bytes
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        assert_eq!(file_name(42), "log-00000000000000000042.seg");
        for seq in [0, 1, 42, u64::MAX] {
            assert_eq!(first_seq_of(&file_name(seq)), Some(seq));
        }
        for name in ["LOCK", "log-42.seg", "log-0000000000000000004x.seg", "log-00000000000000000042.seg.gz"]
        {
            assert_eq!(first_seq_of(name), None, "{name}");
        }
    }

    #[test]
    fn any_changed_byte_of_a_header_is_noticed() {
        let times = TimeRange { min: 1, max: 2 };
        let header =
            Header { first_seq: 9, previous: ChainHash::GENESIS, previous_times: times, retention: 3 };
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert_eq!(Header::parse(&bytes), Ok(header));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Header::parse(&changed).is_err(), "byte {at}");
            assert!(Header::parse(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn frame_with_two_lengths_is_refused_though_its_checksum_fits() {
        let mut bytes = encoded(&frame(b"{}"));
        let end = bytes.len();
        bytes[end - TRAILER_BYTES] ^= 1;
        let (mut unsealed, _) = Unsealed::split(&mut bytes).unwrap();
        unsealed.seal(7, 3, frame(b"{}").hash);
        assert!(Frame::parse(&bytes).unwrap_err().contains("at the end of the record"));
    }

    proptest! {
        #[test]
        fn any_changed_byte_of_a_frame_is_noticed(payload in prop::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>()) {
            let mut bytes = encoded(&frame(&payload));
            prop_assert_eq!(Frame::parse(&bytes), Ok(frame(&payload)));
            prop_assert_eq!(bytes.len(), frame(&payload).len());
            prop_assert!(Frame::may_prove_synced(&bytes, 3) && !Frame::may_prove_synced(&bytes, 4));
            let at = at.index(bytes.len());
            prop_assert!(Frame::parse(&bytes[..at]).is_err());
            bytes[at] ^= 0x40;
            prop_assert!(Frame::parse(&bytes).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_parse_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            prop_assert!(Frame::parse(&bytes).is_err());
            prop_assert!(Header::parse(&bytes).is_err());
        }
    }
}
