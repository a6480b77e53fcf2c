//! From a byte offset in a decoded scalar back to its line and column in the file.
//!
//! YAML folds lines, strips indentation and resolves escapes before an expression reaches its compiler; this
//! module aligns the decoded text with the source again.

use std::iter::Peekable;
use std::str::Chars;

use super::yaml::Place;

/// A stretch of a decoded scalar in which one character is one column of one source line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Byte offset in the decoded text at which the stretch begins.
    at: u32,
    line: u32,
    column: u32,
}

/// The stretches of the scalar at `place` of `source`, in order; never empty.
pub(super) fn align(source: &str, place: Place, decoded: &str) -> Box<[Stretch]> {
    let raw = source
        .get(place.start as usize..place.end as usize)
        .unwrap_or_default();
    let mut cursor = Cursor {
        rest: raw.chars().peekable(),
        line: place.line,
        column: place.column,
    };
    let quote = quote_of(raw, decoded);
    if quote.is_some() {
        cursor.advance();
    }
    let mut stretches = Stretches {
        list: Vec::new(),
        next: None,
    };
    let mut wanted = decoded.char_indices().peekable();
    while let (Some(&(at, want)), Some(&have)) = (wanted.peek(), cursor.rest.peek()) {
        match cursor.escape(quote) {
            Some(0) if have == want => {
                stretches.note(at, &cursor);
                cursor.advance();
                wanted.next();
            }
            Some(0) if is_blank(have) && is_blank(want) => {
                cursor.advance();
                wanted.next();
            }
            Some(0) if is_blank(have) => cursor.advance(),
            Some(0) if is_blank(want) => {
                wanted.next();
            }
            Some(0) => break,
            Some(length) => {
                stretches.note(at, &cursor);
                (0..length).for_each(|_| cursor.advance());
                wanted.next();
            }
            None => cursor.skip_line_continuation(),
        }
    }
    stretches.note_if_empty(place);
    stretches.list.into()
}

/// Line and column of byte `offset` of `decoded`.
pub(super) fn locate(stretches: &[Stretch], decoded: &str, offset: usize) -> (u32, u32) {
    let index = stretches
        .partition_point(|stretch| stretch.at as usize <= offset)
        .saturating_sub(1);
    let Some(stretch) = stretches.get(index) else {
        return (1, 1);
    };
    let within = decoded
        .get(stretch.at as usize..offset)
        .map_or(0, |text| text.chars().count());
    (
        stretch.line,
        stretch
            .column
            .saturating_add(u32::try_from(within).unwrap_or(u32::MAX)),
    )
}

/// The quote around `raw`, if it is a quoted scalar; a block scalar may begin and end with a quote, too, but
/// then its decoded text does so as well.
fn quote_of(raw: &str, decoded: &str) -> Option<char> {
    let first = raw.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let closed = raw.len() >= 2 && raw.ends_with(first);
    (closed && !decoded.starts_with(raw)).then_some(first)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

struct Cursor<'t> {
    rest: Peekable<Chars<'t>>,
    line: u32,
    column: u32,
}

impl Cursor<'_> {
    fn advance(&mut self) {
        let Some(c) = self.rest.next() else { return };
        let ends_line = c == '\n' || (c == '\r' && self.rest.peek() != Some(&'\n'));
        if ends_line {
            self.line = self.line.saturating_add(1);
            self.column = 1;
        } else {
            self.column = self.column.saturating_add(1);
        }
    }

    /// How many characters the escape at the cursor has: 0 if there is none, `None` if it continues the line.
    fn escape(&self, quote: Option<char>) -> Option<usize> {
        let mut ahead = self.rest.clone();
        match (quote, ahead.next()) {
            (Some('\''), Some('\'')) => Some(2),
            (Some('"'), Some('\\')) => match ahead.next() {
                Some('\n' | '\r') => None,
                Some('x') => Some(4),
                Some('u') if is_high_surrogate(&ahead) => Some(12),
                Some('u') => Some(6),
                Some('U') => Some(10),
                _ => Some(2),
            },
            _ => Some(0),
        }
    }

    fn skip_line_continuation(&mut self) {
        self.advance();
        while self.rest.peek().is_some_and(|c| is_blank(*c)) {
            self.advance();
        }
    }
}

/// Whether four hexadecimal digits follow that are the first half of a surrogate pair, as JSON writes them.
fn is_high_surrogate(digits: &Peekable<Chars<'_>>) -> bool {
    let text: String = digits.clone().take(4).collect();
    u32::from_str_radix(&text, 16).is_ok_and(|code| (0xd800..0xdc00).contains(&code))
}

struct Stretches {
    list: Vec<Stretch>,
    /// Where the current stretch would go on.
    next: Option<(u32, u32)>,
}

impl Stretches {
    fn note(&mut self, at: usize, cursor: &Cursor<'_>) {
        let here = (cursor.line, cursor.column);
        if self.next != Some(here) {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            self.list.push(Stretch {
                at,
                line: here.0,
                column: here.1,
            });
        }
        self.next = Some((here.0, here.1.saturating_add(1)));
    }

    fn note_if_empty(&mut self, place: Place) {
        if self.list.is_empty() {
            self.list.push(Stretch {
                at: 0,
                line: place.line,
                column: place.column,
            });
        }
    }
}
