//! Strings of JSON: how far one needs no escapes, and how it is written.

/// How many bytes of `bytes` come before the first that ends a string or may not stand in one as it is: `"`, `\` and what
/// is below a space. Looks at eight bytes at a time.
#[inline]
#[must_use]
pub fn plain(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
        let special = specials(u64::from_le_bytes(*eight));
        if special != 0 {
            return bytes.len() - rest.len() + (special.trailing_zeros() / u8::BITS) as usize;
        }
        rest = behind;
    }
    bytes.len() - rest.len() + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

/// Appends `text` as a JSON string.
#[inline]
pub fn quote(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    if !is_plain(bytes) {
        // Writing into memory does not fail.
        let _ = serde_json::to_writer(out, text);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(bytes);
    out.push(b'"');
}

/// Whether [`plain`] is the length of `bytes`, found sooner for short ones.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    if let Some(end) = bytes.last_chunk::<8>() {
        let (eights, _) = bytes.as_chunks::<8>();
        let found = eights.iter().fold(specials(u64::from_le_bytes(*end)), |found, eight| {
            found | specials(u64::from_le_bytes(*eight))
        });
        return found == 0;
    }
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(start), Some(end)) => {
            let (start, end) = (u32::from_le_bytes(*start), u32::from_le_bytes(*end));
            specials(u64::from(start) << u32::BITS | u64::from(end)) == 0
        }
        _ => bytes.iter().all(|byte| !is_special(*byte)),
    }
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..b' ')
}

/// The highest bit of each byte that [`is_special`]; above the lowest of them others may be set as well.
const fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST: u64 = ONES << 7;
    let quotes = word ^ (ONES * b'"' as u64);
    let backslashes = word ^ (ONES * b'\\' as u64);
    let zero = (quotes.wrapping_sub(ONES) & !quotes) | (backslashes.wrapping_sub(ONES) & !backslashes);
    let controls = word.wrapping_sub(ONES * b' ' as u64) & !word;
    (zero | controls) & HIGHEST
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let near = prop::sample::select(b"\"\\\x1f !#[]".to_vec());
        let byte = prop_oneof![20 => Just(b'a'), 2 => any::<u8>(), 2 => near];
        prop::collection::vec(byte, 0..40)
    }

    proptest! {
        #[test]
        fn first_byte_that_is_not_plain_is_found(bytes in bytes()) {
            let expected = bytes.iter().position(|byte| is_special(*byte)).unwrap_or(bytes.len());
            prop_assert_eq!(plain(&bytes), expected);
            prop_assert_eq!(is_plain(&bytes), expected == bytes.len());
        }

        #[test]
        fn text_is_written_as_serde_writes_it(text in "[ -~\\x00-\\x1fäÖ\"\\\\]{0,20}|[a-z]{0,20}|\\PC{0,9}") {
            let mut out = Vec::new();
            quote(&mut out, &text);
            prop_assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
        }
    }
}
