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
    let raw = source.get(place.start as usize..place.end as usize).unwrap_or_default();
    let mut cursor = Cursor { rest: raw.chars().peekable(), line: place.line, column: place.column };
    let quote = quote_of(raw, decoded);
    if quote.is_some() {
        cursor.advance();
    }
    let mut stretches = Stretches { list: Vec::new(), next: None };
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
    let index = stretches.partition_point(|stretch| stretch.at as usize <= offset).saturating_sub(1);
    let Some(stretch) = stretches.get(index) else {
        return (1, 1);
    };
    let within = decoded.get(stretch.at as usize..offset).map_or(0, |text| text.chars().count());
    (stretch.line, stretch.column.saturating_add(u32::try_from(within).unwrap_or(u32::MAX)))
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
            self.list.push(Stretch { at, line: here.0, column: here.1 });
        }
        self.next = Some((here.0, here.1.saturating_add(1)));
    }

    fn note_if_empty(&mut self, place: Place) {
        if self.list.is_empty() {
            self.list.push(Stretch { at: 0, line: place.line, column: place.column });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{align, locate};
    use crate::policy::yaml::{Content, parse};

    /// Checks that every character of the value of key `k` that is not blank is found where it is written.
    fn check(text: &str) -> Result<(), TestCaseError> {
        let parsed = parse(text, 0).map_err(|fault| TestCaseError::fail(format!("{text:?}: {fault:?}")))?;
        let Content::Map(entries) = &parsed.documents[0].content else { panic!("a map") };
        let Content::String(decoded) = &entries[0].value.content else { panic!("text") };
        let stretches = align(text, entries[0].value.place, decoded);
        let lines: Vec<Vec<char>> = text.split('\n').map(|line| line.chars().collect()).collect();
        for (offset, c) in decoded.char_indices().filter(|(_, c)| !c.is_whitespace()) {
            let (line, column) = locate(&stretches, decoded, offset);
            let found = lines[line as usize - 1].get(column as usize - 1).copied();
            let escaped = found == Some('\\') || (found == Some('\'') && c == '\'');
            prop_assert!(found == Some(c) || escaped, "{text:?}: {c:?} at {offset} found at {line}:{column}");
        }
        Ok(())
    }

    #[test]
    fn every_style_of_scalar_maps_back() {
        let cases = [
            "k: plain == value # comment",
            "k: plain over\n  two\n\n  lines\n",
            "k: 'it''s ''quoted'' here'",
            "k: \"tab\\t \\\"quoted\\\" \\u00e9 \\U0001F600 \\x41 end\"",
            "k: \"continued \\\n   here\\n  \n\n  and folded\"",
            "k: |\n  first == 1 &&\n    second\n\n  third\n",
            "k: |2-\n    indented\n  less\n",
            "k: >-\n  folded\n  text\n\n  after a gap\n    more indented\n  end\n",
            "k: > # a comment\n  'y' in list\n",
            "k: |\n  \"a\" == \"b\"",
            "k: |+\n\n\n  late\n\n\n",
            "k: >\r\n  carriage\r\n  returns\r\n",
            "{\"k\": \"json \\\"text\\\" \\/ \\ud83d\\ude00 end\"}",
            "{k: flow, l: m}",
            "# é日\nk: 'é日 x'\n",
            "k: ''",
        ];
        cases.iter().for_each(|text| check(text).unwrap());
    }

    proptest! {
        #[test]
        fn any_block_or_quoted_text_maps_back(
            lines in prop::collection::vec("[a-z(.&|='\" é]{0,12}", 1..6),
            style in prop::sample::select(vec!["|", "|-", ">", ">-", "|+"]),
        ) {
            let body: String = lines.iter().map(|line| format!("   x{line}\n")).collect();
            check(&format!("k: {style}\n{body}z: 1\n"))?;
            let quoted = lines.join(" ").replace('\'', "''");
            check(&format!("k: '{quoted}'\nz: 1\n"))?;
            check(&format!("k: {}\nz: 1\n", serde_json::to_string(&lines.join("\n")).unwrap()))?;
        }
    }
}
