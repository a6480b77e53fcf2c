//! Bytes as text.

use std::fmt::Write as _;

/// `bytes` as hexadecimal digits, two for each, none of them a capital.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
