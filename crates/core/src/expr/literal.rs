//! Numbers, strings and bytes as they are written in an expression.
//!
//! Source: CEL language definition, "Syntax" and "String and Bytes Values".

use std::ops::Range;

use super::lexer::TokenKind;

/// The opening of a string or bytes literal: its prefix letters and quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quote {
    raw: bool,
    bytes: bool,
    letters: usize,
    mark: char,
    triple: bool,
}

/// A bad escape, relative to the body of the literal.
pub(crate) struct BadEscape {
    pub(crate) range: Range<usize>,
    pub(crate) message: &'static str,
}

impl Quote {
    /// The opening at the start of `text`, if there is one.
    pub(crate) fn at(text: &str) -> Option<Self> {
        let letters = text.bytes().take(3).position(|byte| matches!(byte, b'"' | b'\''))?;
        let prefix = text.get(..letters)?;
        let (raw, bytes) = match prefix.to_ascii_lowercase().as_str() {
            "" => (false, false),
            "r" => (true, false),
            "b" => (false, true),
            "br" | "rb" => (true, true),
            _ => return None,
        };
        let quotes = text.get(letters..)?;
        let mark = quotes.chars().next()?;
        let triple = quotes.starts_with("\"\"\"") || quotes.starts_with("'''");
        Some(Self { raw, bytes, letters, mark, triple })
    }

    /// Bytes of the quotes at one end.
    pub(crate) fn length(self) -> usize {
        if self.triple { 3 } else { 1 }
    }

    /// Bytes before the body.
    pub(crate) fn prefix_length(self) -> usize {
        self.letters + self.length()
    }

    /// Where the closing quotes are in `text`, which follows the opening.
    pub(crate) fn body_length(self, text: &str) -> Option<usize> {
        let mut escaped = false;
        for (at, c) in text.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' && !self.raw {
                escaped = true;
            } else if c == self.mark && self.closes(text, at) {
                return Some(at);
            } else if matches!(c, '\n' | '\r') && !self.triple {
                return None;
            }
        }
        None
    }

    fn closes(self, text: &str, at: usize) -> bool {
        let rest = text.get(at..).unwrap_or_default();
        !self.triple || rest.chars().take(3).filter(|c| *c == self.mark).count() == 3
    }

    /// The value that `body` stands for.
    pub(crate) fn decode(self, body: &str) -> Result<TokenKind<'static>, BadEscape> {
        if self.raw {
            return Ok(self.token(body.as_bytes().to_vec()));
        }
        let mut out = Vec::with_capacity(body.len());
        let mut at = 0;
        while let Some(c) = body.get(at..).and_then(|rest| rest.chars().next()) {
            if c == '\\' {
                at += self.escape(body, at, &mut out)?;
            } else {
                push_char(c, &mut out);
                at += c.len_utf8();
            }
        }
        Ok(self.token(out))
    }

    /// INVARIANT(utf8): of a string, only whole characters were pushed.
    fn token(self, out: Vec<u8>) -> TokenKind<'static> {
        if self.bytes {
            return TokenKind::Bytes(out);
        }
        TokenKind::String(String::from_utf8(out).unwrap_or_default())
    }

    /// Decodes the escape at `at`, pushes what it stands for and returns its length.
    fn escape(self, body: &str, at: usize, out: &mut Vec<u8>) -> Result<usize, BadEscape> {
        let rest = body.get(at + 1..).unwrap_or_default();
        let Some(letter) = rest.chars().next() else {
            return Err(BadEscape { range: at..at + 1, message: "the escape is not complete" });
        };
        let (digits, length, radix) = match letter {
            'x' | 'X' => (1, 2, 16),
            'u' if !self.bytes => (1, 4, 16),
            'U' if !self.bytes => (1, 8, 16),
            '0'..='3' => (0, 3, 8),
            _ => {
                let Some(c) = simple_escape(letter) else {
                    let range = at..at + 1 + letter.len_utf8();
                    return Err(BadEscape { range, message: "unknown escape" });
                };
                push_char(c, out);
                return Ok(2);
            }
        };
        let text = rest.get(digits..digits + length).filter(|text| text.chars().all(|c| c.is_digit(radix)));
        let code = text.and_then(|text| u32::from_str_radix(text, radix).ok());
        let Some(code) = code else {
            return Err(BadEscape { range: at..at + 2, message: "the escape needs more digits" });
        };
        match (self.bytes, u8::try_from(code), char::from_u32(code)) {
            (true, Ok(byte), _) => out.push(byte),
            (false, _, Some(c)) => push_char(c, out),
            _ => {
                let range = at..at + 1 + digits + length;
                return Err(BadEscape { range, message: "the escape is not a character" });
            }
        }
        Ok(1 + digits + length)
    }
}

fn push_char(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn simple_escape(letter: char) -> Option<char> {
    Some(match letter {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' | '?' | '"' | '\'' | '`' => letter,
        _ => return None,
    })
}

/// The number at the start of `text`, which begins with a digit or a dot and a digit, and its length.
/// There is no value when it is out of range.
pub(crate) fn number(text: &str) -> (Option<TokenKind<'static>>, usize) {
    let digits_from = |at: usize, radix: u32| {
        let rest = text.get(at..).unwrap_or_default();
        at + rest.find(|c: char| !c.is_digit(radix)).unwrap_or(rest.len())
    };
    let starts = |at: usize, what: &[char]| text.get(at..).is_some_and(|rest| rest.starts_with(what));
    let digit_at = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);

    let hex = text.starts_with("0x") || text.starts_with("0X");
    if hex {
        let end = digits_from(2, 16);
        return integer(text.get(2..end), 16, end, starts(end, &['u', 'U']));
    }
    let whole = digits_from(0, 10);
    let mut end = whole;
    if starts(end, &['.']) && digit_at(end + 1) {
        end = digits_from(end + 1, 10);
    }
    if starts(end, &['e', 'E']) {
        let sign = usize::from(starts(end + 1, &['+', '-']));
        if digit_at(end + 1 + sign) {
            end = digits_from(end + 1 + sign, 10);
        }
    }
    if end == whole {
        return integer(text.get(..end), 10, end, starts(end, &['u', 'U']));
    }
    let value = text.get(..end).and_then(|digits| digits.parse::<f64>().ok()).filter(|n| n.is_finite());
    (value.map(TokenKind::Double), end)
}

fn integer(
    digits: Option<&str>,
    radix: u32,
    end: usize,
    unsigned: bool,
) -> (Option<TokenKind<'static>>, usize) {
    let value = digits.and_then(|digits| u64::from_str_radix(digits, radix).ok());
    if unsigned {
        return (value.map(TokenKind::Uint), end + 1);
    }
    (value.map(TokenKind::Int), end)
}
