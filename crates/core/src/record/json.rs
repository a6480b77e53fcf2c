//! JSON text written straight into a buffer, byte for byte as `serde_json` writes it.

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

use super::RecordError;
use crate::limits::RECORD_BYTES;
use crate::value::text::quote;
use crate::value::{Map, Value};

/// A JSON text that grows.
pub(super) struct Json(Vec<u8>);

impl Json {
    /// An empty text with room for `bytes`.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Text that is JSON already.
    #[inline]
    pub(super) fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A string.
    #[inline]
    pub(super) fn string(&mut self, text: &str) {
        quote(&mut self.0, text);
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
        let mut before = b'{';
        for (key, value) in map.iter() {
            self.0.push(before);
            self.string(key);
            self.0.push(b':');
            self.value(value);
            before = b',';
        }
        self.raw(if before == b'{' { "{}" } else { "}" });
    }

    /// A list of what `each` writes.
    #[inline]
    pub(super) fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        let mut before = b'[';
        for item in items {
            self.0.push(before);
            each(self, item);
            before = b',';
        }
        self.raw(if before == b'[' { "[]" } else { "]" });
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
