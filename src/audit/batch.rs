//! Records that wait to be written, laid out as they will stand in the file: what is queued is copied once, and the
//! writer fills in what only it knows, in place.

use super::segment::{FRAME_BYTES, Unsealed};
use crate::ports::NewRecord;

/// Bytes of a piece, unless a single record is larger: one piece is one write.
const PIECE: usize = 256 * 1024;

/// Most pieces that are kept for later records.
const KEPT_PIECES: usize = 4;

/// Records in the order in which they came, in pieces.
#[derive(Default)]
pub(super) struct Batch {
    pieces: Vec<Vec<u8>>,
    /// Pieces without content.
    spare: Vec<Vec<u8>>,
    records: usize,
    payload_bytes: usize,
}

impl Batch {
    /// A batch of one record.
    pub(super) fn of(record: &NewRecord) -> Self {
        let mut batch = Self::default();
        batch.push(record);
        batch
    }

    /// Adds a record.
    pub(super) fn push(&mut self, record: &NewRecord) {
        let bytes = FRAME_BYTES + record.payload.len();
        let piece = match self.pieces.pop() {
            Some(piece) if piece.len() + bytes <= PIECE => piece,
            full => {
                self.pieces.extend(full);
                let spare = if bytes <= PIECE { self.spare.pop() } else { None };
                spare.unwrap_or_else(|| Vec::with_capacity(bytes.max(PIECE)))
            }
        };
        self.pieces.push(piece);
        if let Some(piece) = self.pieces.last_mut() {
            Unsealed::append(record, piece);
        }
        self.records += 1;
        self.payload_bytes += record.payload.len();
    }

    /// How many records there are.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// Bytes of the records themselves.
    pub(super) fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// The frames, in order; each piece holds whole ones.
    pub(super) fn pieces(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.pieces.iter_mut().map(Vec::as_mut_slice)
    }

    /// Removes all records; keeps memory for those to come, unless there was unusually much.
    pub(super) fn clear(&mut self) {
        for mut piece in self.pieces.drain(..) {
            if self.spare.len() < KEPT_PIECES && piece.capacity() <= PIECE {
                piece.clear();
                self.spare.push(piece);
            }
        }
        (self.records, self.payload_bytes) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use procura_core::model::Timestamp;
    use procura_core::record::ChainHash;

    use super::super::segment::Frame;
    use super::*;

    fn record(number: u64, bytes: usize) -> NewRecord {
        let at = Timestamp::from_microsecond(i64::try_from(number).unwrap()).unwrap();
        NewRecord { at, payload: vec![b'x'; bytes] }
    }

    /// Number and length of each record, from the bytes as they would be written.
    fn written(batch: &mut Batch) -> Vec<(u64, usize)> {
        let mut found = Vec::new();
        for piece in batch.pieces() {
            let mut rest = &mut *piece;
            while let Some((mut frame, behind)) = Unsealed::split(rest) {
                let number = u64::try_from(frame.at()).unwrap();
                frame.seal(number, 0, ChainHash::GENESIS);
                rest = behind;
            }
            let mut rest = &*piece;
            while !rest.is_empty() {
                let frame = Frame::parse(rest).unwrap();
                found.push((frame.seq, frame.payload.len()));
                rest = &rest[frame.len()..];
            }
        }
        found
    }

    #[test]
    fn records_of_any_size_keep_their_order_whole_in_their_pieces() {
        let sizes = [0, 1, PIECE - FRAME_BYTES - 1, 5, PIECE, 3 * PIECE, 7, PIECE / 2, PIECE / 2, 2];
        let mut batch = Batch::default();
        for round in 0..3 {
            let records: Vec<_> = (round..).zip(sizes).collect();
            records.iter().for_each(|(number, bytes)| batch.push(&record(*number, *bytes)));
            assert_eq!((batch.records(), batch.payload_bytes()), (sizes.len(), sizes.iter().sum()));
            assert_eq!(written(&mut batch), records);
            batch.clear();
            assert_eq!((batch.records(), batch.payload_bytes(), batch.pieces().count()), (0, 0, 0));
            assert!(
                batch.spare.len() <= KEPT_PIECES && batch.spare.iter().all(|piece| piece.capacity() <= PIECE)
            );
        }
    }
}
