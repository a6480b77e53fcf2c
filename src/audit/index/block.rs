//! A block of the index: consecutive records, and for each value of each field the decisions that have it.

use std::collections::HashMap;
use std::ops::Range;

use procura_core::query::{Facts, Field};

use super::bits::{Bits, put_varint, take_varint};
use super::columns::{Columns, IndexError};
use crate::audit::cursor::{Entry, Place};

/// Where a record stands, and what finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// Position in the chain.
    pub(super) seq: u64,
    /// Where in the log.
    pub(super) place: Place,
    /// Its instant, in nanoseconds since 1970.
    pub(super) at: i64,
    /// Of its call id.
    pub(super) tag: u32,
    /// Its first decision is this row of the block.
    pub(super) first_row: u32,
}

/// A block in memory.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The records, in order.
    pub(super) spots: Vec<Spot>,
    /// How many decisions they have.
    pub(super) rows: u32,
    /// By number of the field and by value: the rows that have it, ascending.
    pub(super) postings: [HashMap<Box<str>, Vec<u32>>; Field::ALL.len()],
    /// The earliest and the latest instant, in nanoseconds since 1970.
    pub(super) times: (i64, i64),
    /// Chain hash after the last record.
    pub(super) hash: String,
    /// Bytes of the values, and of the rows that have them.
    value_bytes: usize,
}

/// Bytes of values and their rows at which a block is full: neither long names nor many roles must take much memory.
const VALUE_BYTES: usize = 32 * 1024 * 1024;

impl Block {
    /// Takes in the next record; one without facts is in it, and never found.
    pub(super) fn add(&mut self, entry: &Entry<'_>, facts: Option<&Facts<'_>>) {
        let tag = facts.and_then(Facts::call_id).map_or(0, tag_of);
        let at = facts.map_or(entry.at.saturating_mul(1000), |facts| nanoseconds(facts.at()));
        let spot = Spot { seq: entry.seq, place: entry.place, at, tag, first_row: self.rows };
        self.times = match self.spots.is_empty() {
            true => (at, at),
            false => (self.times.0.min(at), self.times.1.max(at)),
        };
        self.spots.push(spot);
        for row in facts.into_iter().flat_map(Facts::rows) {
            let number = self.rows;
            for (field, postings) in Field::ALL.into_iter().zip(&mut self.postings) {
                row.any(field, |value| {
                    self.value_bytes += put(postings, value, number);
                    false
                });
            }
            self.rows += 1;
        }
        self.hash = entry.hash.to_string();
    }

    /// Whether it has so many decisions, or otherwise enough.
    pub(super) fn is_full(&self, rows: u32) -> bool {
        // Records without decisions count too.
        self.rows >= rows || self.spots.len() >= rows as usize || self.value_bytes >= VALUE_BYTES
    }

    /// The records in it: from the first to before the last number.
    pub(super) fn range(&self) -> Range<u64> {
        match (self.spots.first(), self.spots.last()) {
            (Some(first), Some(last)) => first.seq..last.seq + 1,
            _ => 0..0,
        }
    }
}

/// How many bytes of values that adds.
fn put(postings: &mut HashMap<Box<str>, Vec<u32>>, value: &str, row: u32) -> usize {
    match postings.get_mut(value) {
        // A value that a record names twice.
        Some(rows) if rows.last() == Some(&row) => 0,
        Some(rows) => {
            rows.push(row);
            size_of::<u32>()
        }
        None => {
            postings.insert(value.into(), vec![row]);
            value.len() + size_of::<u32>()
        }
    }
}

impl Columns for Block {
    fn rows(&self) -> u32 {
        self.rows
    }

    fn is(&self, field: Field, value: &str) -> Result<Bits, IndexError> {
        let mut bits = Bits::none(self.rows);
        let rows = self.postings.get(field as usize).and_then(|postings| postings.get(value));
        rows.into_iter().flatten().for_each(|row| bits.set(*row));
        Ok(bits)
    }

    fn starts_with(&self, field: Field, prefix: &str) -> Result<Bits, IndexError> {
        let mut bits = Bits::none(self.rows);
        self.each_value(field, &mut |value, rows| {
            if value.starts_with(prefix) {
                rows.iter().for_each(|row| bits.set(*row));
            }
        })?;
        Ok(bits)
    }

    fn each_value(&self, field: Field, each: &mut dyn FnMut(&str, &[u32])) -> Result<(), IndexError> {
        let postings = self.postings.get(field as usize);
        postings.into_iter().flatten().for_each(|(value, rows)| each(value, rows));
        Ok(())
    }

    fn spots(&self) -> Result<&[Spot], IndexError> {
        Ok(&self.spots)
    }

    fn times(&self) -> (i64, i64) {
        self.times
    }
}

/// What tells most calls of one moment apart.
pub(super) fn tag_of(call_id: &str) -> u32 {
    crc32fast::hash(call_id.as_bytes())
}

/// Nanoseconds since 1970, as near as they fit.
pub(super) fn nanoseconds(at: procura_core::model::Timestamp) -> i64 {
    let exact = at.as_nanosecond();
    i64::try_from(exact).unwrap_or(if exact < 0 { i64::MIN } else { i64::MAX })
}

/// `spots` as bytes: how each differs from the one before.
pub(super) fn encode_spots(spots: &[Spot]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(spots.len() * 16);
    let mut before = Before::default();
    for spot in spots {
        put_varint(&mut bytes, spot.place.segment.wrapping_sub(before.segment));
        put_varint(&mut bytes, zigzag(spot.place.offset.wrapping_sub(before.offset).cast_signed()));
        put_varint(&mut bytes, zigzag(spot.at.wrapping_sub(before.at)));
        put_varint(&mut bytes, u64::from(spot.first_row.wrapping_sub(before.first_row)));
        bytes.extend_from_slice(&spot.tag.to_le_bytes());
        before = Before::of(spot);
    }
    bytes
}

/// The spots that [`encode_spots`] wrote, of the records from `first` on; `None` if `bytes` are no such thing.
pub(super) fn decode_spots(mut bytes: &[u8], first: u64, count: usize) -> Option<Vec<Spot>> {
    let mut spots = Vec::with_capacity(count.min(bytes.len()));
    let mut before = Before::default();
    for at in 0..count {
        let seq = first.wrapping_add(at as u64);
        let segment = before.segment.wrapping_add(take_varint(&mut bytes)?);
        let offset = before.offset.wrapping_add(unzigzag(take_varint(&mut bytes)?).cast_unsigned());
        let at = before.at.wrapping_add(unzigzag(take_varint(&mut bytes)?));
        let first_row = before.first_row.wrapping_add(u32::try_from(take_varint(&mut bytes)?).ok()?);
        let (tag, rest) = bytes.split_first_chunk()?;
        bytes = rest;
        let spot =
            Spot { seq, place: Place { segment, offset }, at, tag: u32::from_le_bytes(*tag), first_row };
        before = Before::of(&spot);
        spots.push(spot);
    }
    bytes.is_empty().then_some(spots)
}

#[derive(Default)]
struct Before {
    segment: u64,
    offset: u64,
    at: i64,
    first_row: u32,
}

impl Before {
    fn of(spot: &Spot) -> Self {
        let Place { segment, offset } = spot.place;
        Self { segment, offset, at: spot.at, first_row: spot.first_row }
    }
}

/// Small numbers of either sign as small ones without.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use procura_core::record::ChainHash;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn block_of_decisions_with_very_many_roles_is_soon_full() {
        let roles: Vec<String> = (0..500).map(|number| format!("role-{number}")).collect();
        let decision = json!({"action": "view", "effect": "EFFECT_DENY", "reason": "no_policy"});
        let record = json!({
            "kind": "decision", "at": "2026-11-22T10:00:00Z", "call": {"id": "c", "api": "check_resources"},
            "principal": {"id": "alice", "roles": roles}, "resources": [{"kind": "album", "id": "a1"}],
            "results": [{"policy": "NO_MATCH", "decisions": vec![decision; 50]}],
        });
        let payload = record.to_string().into_bytes();
        let facts = Facts::decode(&payload).unwrap();
        let mut block = Block::default();
        for seq in 1..400 {
            let place = Place { segment: 1, offset: seq };
            let entry = Entry { seq, at: 0, hash: ChainHash::GENESIS, payload: &payload, place };
            block.add(&entry, Some(&facts));
        }
        assert_eq!(block.rows, 399 * 50);
        assert!(block.is_full(u32::MAX));
    }

    proptest! {
        #[test]
        fn spots_are_read_as_they_were_written(
            raw in prop::collection::vec((any::<u64>(), any::<u64>(), any::<i64>(), any::<u32>(), any::<u32>()), 0..20)
        ) {
            let spot = |(seq, (segment, offset, at, tag, first_row))| {
                Spot { seq, place: Place { segment, offset }, at, tag, first_row }
            };
            let mut raw = raw;
            raw.sort_unstable_by_key(|(_, _, _, _, row)| *row);
            let spots: Vec<Spot> = (7..).zip(raw).map(spot).collect();
            prop_assert_eq!(decode_spots(&encode_spots(&spots), 7, spots.len()), Some(spots));
        }

        #[test]
        fn no_bytes_make_reading_spots_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), count in 0usize..9) {
            let _ = decode_spots(&bytes, u64::MAX - 3, count);
        }
    }
}
