//! JSON text written straight into a buffer, byte for byte as `serde_json` writes it.

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

use super::RecordError;
use crate::limits::RECORD_BYTES;
use crate::value::{Map, Value};

/// The digits of an escaped control character.
const HEX: &[u8; 16] = b"0123456789abcdef";

/// A JSON text that grows.
pub(super) struct Json(Vec<u8>);

impl Json {
    /// An empty text with room for `bytes`.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Text that is JSON already.
    pub(super) fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A string.
    pub(super) fn string(&mut self, text: &str) {
        self.0.push(b'"');
        self.escaped(text);
        self.0.push(b'"');
    }

    /// The inside of a string.
    pub(super) fn escaped(&mut self, text: &str) {
        // Nearly no text has any such byte.
        let (eights, rest) = text.as_bytes().as_chunks();
        if eights.iter().any(|eight| some_must_escape(*eight)) || rest.iter().any(|byte| must_escape(*byte)) {
            text.bytes().for_each(|byte| self.escape(byte));
        } else {
            self.raw(text);
        }
    }

    /// A number without a fraction.
    pub(super) fn number(&mut self, number: usize) {
        // Writing into memory does not fail.
        let _ = serde_json::to_writer(&mut self.0, &number);
    }

    /// What looks the same within a string as it does for people: a number, an instant, an address.
    pub(super) fn plain(&mut self, text: impl Display) {
        // Writing into memory does not fail.
        let _ = write!(self.0, "{text}");
    }

    /// A value.
    pub(super) fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Null => self.raw("null"),
            Value::Bool(true) => self.raw("true"),
            Value::Bool(false) => self.raw("false"),
            // Writing into memory does not fail, nor does a number.
            Value::Number(_) => drop(serde_json::to_writer(&mut self.0, value)),
            Value::String(text) => self.string(text),
            Value::List(items) => self.list(items, Self::value),
            Value::Map(map) => self.map(map),
        }
    }

    /// An object.
    pub(super) fn map(&mut self, map: &Map<'_>) {
        self.raw("{");
        for (index, (key, value)) in map.iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            self.string(key);
            self.raw(":");
            self.value(value);
        }
        self.raw("}");
    }

    /// A list of what `each` writes.
    pub(super) fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        self.raw("[");
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            each(self, item);
        }
        self.raw("]");
    }

    /// What its type says.
    pub(super) fn serialize(&mut self, what: &impl Serialize) -> Result<(), RecordError> {
        serde_json::to_writer(&mut self.0, what).map_err(RecordError::Malformed)
    }

    /// Fails if there is more text than a record may have.
    pub(super) fn check(&self) -> Result<(), RecordError> {
        if self.0.len() > RECORD_BYTES { Err(RecordError::TooLarge) } else { Ok(()) }
    }

    /// The bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn escape(&mut self, byte: u8) {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            0x00..0x20 => {
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                return self.0.extend_from_slice(&[
                    b'\\',
                    b'u',
                    b'0',
                    b'0',
                    digit(byte >> 4),
                    digit(byte & 15),
                ]);
            }
            _ => return self.0.push(byte),
        };
        self.0.extend_from_slice(&[b'\\', short]);
    }
}

fn must_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// [`must_escape`] for eight bytes at once: taking `n` from each leaves the highest bit only where a byte is below `n`.
fn some_must_escape(bytes: [u8; 8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let below = |bytes: u64, n: u64| bytes.wrapping_sub(EACH * n) & !bytes & (EACH << 7);
    let bytes = u64::from_le_bytes(bytes);
    let is = |byte: u8| below(bytes ^ (EACH * u64::from(byte)), 1);
    below(bytes, 0x20) | is(b'"') | is(b'\\') != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> Vec<u8> {
        let mut json = Json::with_capacity(0);
        json.string(text);
        json.into_bytes()
    }

    #[test]
    fn eight_bytes_are_looked_at_as_one_by_one() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                let mut bytes = *b"~\x7f\xff !#[]";
                bytes[at] = byte;
                assert_eq!(some_must_escape(bytes), bytes.iter().any(|byte| must_escape(*byte)), "{bytes:?}");
            }
        }
    }

    #[test]
    fn every_character_that_json_escapes_is_written_as_serde_json_writes_it() {
        for code in 0..0x180 {
            let text = format!("a{}b", char::from_u32(code).unwrap());
            assert_eq!(written(&text), serde_json::to_vec(&text).unwrap(), "{code:#x}");
        }
    }

    proptest! {
        #[test]
        fn any_string_is_written_as_serde_json_writes_it(text in any::<String>()) {
            prop_assert_eq!(written(&text), serde_json::to_vec(&text).unwrap());
        }
    }
}
