//! How the peer writes names and numbers in its messages.

/// `text` in single quotes, escaped as Go does.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("\\'"),
            '"' => quoted.push('"'),
            c => push_escaped(&mut quoted, c),
        }
    }
    quoted.push('\'');
    quoted
}

/// `text` in double quotes, escaped as Go does.
pub(super) fn double_quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            c => push_escaped(&mut quoted, c),
        }
    }
    quoted.push('"');
    quoted
}

/// One segment of a JSON pointer in a URI: `~` and `/` escaped as in RFC 6901, then what a path cannot hold.
pub(super) fn segment(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'~' => escaped.push_str("~0"),
            b'/' => escaped.push_str("~1"),
            b'-' | b'_' | b'.' | b'$' | b'&' | b'+' | b':' | b'=' | b'@' => escaped.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// `text` cut to at most `most` bytes, with a sign that it was.
pub(super) fn cut(mut text: String, most: usize) -> String {
    const SIGN: &str = "...";
    if text.len() > most {
        let mut end = most.saturating_sub(SIGN.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(SIGN);
    }
    text
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        c if u32::from(c) < 0x20 || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
        c if is_printable(c) => out.push(c),
        c if u32::from(c) > 0xffff => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
    }
}

/// Whether `c` shows when it follows a letter.
fn is_printable(c: char) -> bool {
    c.is_ascii() || ['a', c].iter().collect::<String>().escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_the_peer_does() {
        assert_eq!(quote("a\"b'c\\d"), r#"'a"b\'c\\d'"#);
        assert_eq!(quote("\n\u{1}\u{2028}é\u{301}\u{10ffff}"), "'\\n\\x01\\u2028é\u{301}\\U0010ffff'");
        assert_eq!(double_quote("quo\"te'x"), r#""quo\"te'x""#);
    }

    #[test]
    fn segments_are_escaped_twice() {
        assert_eq!(segment("a/~ %é$&+,;=:@?"), "a~1~0%20%25%C3%A9$&+%2C%3B=:@%3F");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(cut("aéé".to_owned(), 5), "aéé");
        assert_eq!(cut("aééé".to_owned(), 5), "a...");
    }
}
