//! One step of the hash chain that ties each record to everything before it.

use std::fmt;

use sha2::{Digest, Sha256};

/// Separates these hashes from every other use of SHA-256, and from any later form of the chain.
const DOMAIN: &[u8] = b"procura decision log v1\0";

/// The state of the chain after some record: it commits to that record and to all before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChainHash([u8; ChainHash::LEN]);

impl ChainHash {
    /// Bytes of a hash.
    pub const LEN: usize = 32;

    /// The state before the first record.
    pub const GENESIS: Self = Self([0; Self::LEN]);

    /// The state after a record: `SHA-256(domain || previous || seq || at || length || payload)`.
    ///
    /// `seq` is the record's position from 1, `at` its instant in microseconds since 1970, `length` that of
    /// `payload` in bytes; all three are 64-bit little-endian, so no two different records hash the same input.
    #[must_use]
    pub fn next(&self, seq: u64, at: i64, payload: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(self.0);
        hash.update(seq.to_le_bytes());
        hash.update(at.to_le_bytes());
        hash.update((payload.len() as u64).to_le_bytes());
        hash.update(payload);
        Self(hash.finalize().into())
    }

    /// The hash with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The hash that is written as `text`: 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; Self::LEN];
        let digits = text.as_bytes().as_chunks::<2>().0;
        for (byte, [high, low]) in bytes.iter_mut().zip(digits) {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        let hash = Self(bytes);
        (hash.to_string() == text).then_some(hash)
    }

    /// The bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for ChainHash {
    /// 64 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_has_a_known_value() {
        let hash = ChainHash::GENESIS.next(1, 1_700_000_000_000_000, b"{}");
        assert_eq!(hash.to_string(), "932f169bf8fdf5696bc48684897df9fec7343fb5b569b5bb84974287aa1ecdb4");
    }

    #[test]
    fn hashes_are_read_as_they_are_written() {
        let hash = ChainHash::GENESIS.next(1, 2, b"x");
        let text = hash.to_string();
        assert_eq!(ChainHash::parse(&text), Some(hash));
        for wrong in [
            "",
            "00",
            text.get(..63).unwrap(),
            &format!("{text}0"),
            &text.replace('0', "G"),
            &text.to_uppercase(),
        ] {
            assert_eq!(ChainHash::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_input_changes_the_hash() {
        let start = ChainHash::from_bytes([7; ChainHash::LEN]);
        let base = start.next(5, 9, b"payload");
        let others = [
            ChainHash::GENESIS.next(5, 9, b"payload"),
            start.next(6, 9, b"payload"),
            start.next(5, 10, b"payload"),
            start.next(5, 9, b"payloae"),
            start.next(5, 9, b"payload\0"),
            start.next(5, 9, b""),
        ];
        assert!(others.iter().all(|other| *other != base));
    }
}
