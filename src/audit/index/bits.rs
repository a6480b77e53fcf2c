//! Sets of rows of a block.

/// Rows `0..len`, each in the set or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits {
    words: Vec<u64>,
    len: u32,
}

/// How a stored set is written: deltas as varints, or one bit for each row.
const SPARSE: u8 = 0;
const DENSE: u8 = 1;

impl Bits {
    /// No row of `len`.
    pub(super) fn none(len: u32) -> Self {
        Self { words: vec![0; len.div_ceil(64) as usize], len }
    }

    /// Every row of `len`.
    pub(super) fn all(len: u32) -> Self {
        let mut bits = Self::none(len);
        bits.invert();
        bits
    }

    /// Adds a row; one that there is not is left out.
    pub(super) fn set(&mut self, row: u32) {
        if let Some(word) = self.words.get_mut((row / 64) as usize) {
            *word |= 1 << (row % 64);
        }
    }

    pub(super) fn has(&self, row: u32) -> bool {
        self.words.get((row / 64) as usize).is_some_and(|word| word & (1 << (row % 64)) != 0)
    }

    pub(super) fn and(&mut self, other: &Bits) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    pub(super) fn or(&mut self, other: &Bits) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    /// What was not in the set is, and the other way round.
    pub(super) fn invert(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        let beyond = self.words.len() as u32 * 64 - self.len;
        if let Some(last) = self.words.last_mut().filter(|_| beyond > 0) {
            *last &= u64::MAX >> beyond;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(super) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// The rows, smallest first.
    pub(super) fn rows(&self) -> impl DoubleEndedIterator<Item = u32> {
        let words =
            (0..self.words.len() as u32).map(|at| at * 64).zip(&self.words).filter(|(_, word)| **word != 0);
        words.flat_map(|(first, word)| {
            (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| first + bit)
        })
    }

    /// Adds the rows that [`encode`] wrote; `None` if that is not what `bytes` are.
    pub(super) fn add_encoded(&mut self, bytes: &[u8]) -> Option<()> {
        each_row(bytes, |row| self.set(row))
    }
}

/// Rows in ascending order, as bytes: whichever way is shorter.
pub(super) fn encode(rows: &[u32], len: u32) -> Vec<u8> {
    let dense = len.div_ceil(8) as usize;
    if rows.len() >= dense {
        let mut bytes = vec![0; dense + 1];
        for row in rows {
            if let Some(byte) = bytes.get_mut(*row as usize / 8 + 1) {
                *byte |= 1 << (row % 8);
            }
        }
        if let Some(way) = bytes.first_mut() {
            *way = DENSE;
        }
        return bytes;
    }
    let mut bytes = vec![SPARSE];
    let mut next = 0;
    for row in rows {
        put_varint(&mut bytes, u64::from(row - next));
        next = row + 1;
    }
    bytes
}

/// Shows the rows of an encoded set, smallest first; `None` if `bytes` are no such set.
pub(super) fn each_row(bytes: &[u8], mut each: impl FnMut(u32)) -> Option<()> {
    let (way, mut rest) = bytes.split_first()?;
    match *way {
        SPARSE => {
            let mut next = 0u32;
            while !rest.is_empty() {
                let row = next.checked_add(u32::try_from(take_varint(&mut rest)?).ok()?)?;
                each(row);
                next = row.checked_add(1)?;
            }
            Some(())
        }
        DENSE => {
            for (at, byte) in (0u32..).zip(rest) {
                (0..8).filter(|bit| byte & (1 << bit) != 0).for_each(|bit| each(at * 8 + bit));
            }
            Some(())
        }
        _ => None,
    }
}

/// Appends `number`, seven bits to a byte, lowest first.
pub(super) fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number from the front of `bytes`.
pub(super) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sets_are_read_as_they_were_written(len in 1u32..300, chosen in prop::collection::vec(any::<bool>(), 300)) {
            let rows: Vec<u32> = (0..len).filter(|row| chosen[*row as usize]).collect();
            let mut bits = Bits::none(len);
            bits.add_encoded(&encode(&rows, len)).unwrap();
            prop_assert_eq!(bits.rows().collect::<Vec<_>>(), rows.clone());
            prop_assert_eq!(bits.count(), rows.len() as u64);
            bits.invert();
            prop_assert_eq!(bits.count(), u64::from(len) - rows.len() as u64);
        }

        #[test]
        fn no_bytes_make_reading_a_set_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Bits::none(100).add_encoded(&bytes);
        }
    }
}
