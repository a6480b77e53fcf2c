//! What can be said of a text before it is parsed, or when it cannot be.

use super::yaml::Place;

/// The first U+FFFD: whoever read the file puts it where the bytes were no UTF-8. Written on purpose it is refused as
/// well, since the two cannot be told apart.
pub(super) fn damage(text: &str, file: u32) -> Option<Place> {
    let (before, _) = text.split_once(char::REPLACEMENT_CHARACTER)?;
    let length = char::REPLACEMENT_CHARACTER.len_utf8();
    Some(place(text, before.len(), length, file))
}

/// Where a second document begins, if it holds anything.
pub(super) fn second_document(text: &str, file: u32) -> Option<Place> {
    let mut content = false;
    let mut marker = None;
    for (start, line) in lines(text) {
        let is_marker =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        let rest = if is_marker { line.trim_start_matches('-').trim() } else { line.trim() };
        if is_marker && content {
            marker = marker.or(Some(start));
        }
        if rest.is_empty() || rest.starts_with('#') || line.starts_with('%') || line == "..." {
            continue;
        }
        if let Some(marker) = marker {
            return Some(place(text, marker, 3, file));
        }
        content = true;
    }
    None
}

/// The quoted values that more text follows, as in `expr: "a" in R.attr.list`.
pub(super) fn quotes_that_end_early(text: &str, file: u32) -> Vec<Place> {
    let slip = |(start, line): (usize, &str)| {
        let value = value_of(line)?;
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let rest = after_quote(value, quote)?.trim();
        let begin = start + (line.len() - value.len());
        let ends = rest.is_empty() || rest.starts_with(['#', ',', ']', '}', ':']);
        (!ends).then(|| place(text, begin, value.trim_end().len(), file))
    };
    lines(text).filter_map(slip).collect()
}

/// What to put in quotes where the line of `place` holds a tag or an alias that was meant as text.
pub(super) fn missing_quotes(text: &str, place: Place) -> Option<&'static str> {
    let line = text.lines().nth((place.line as usize).checked_sub(1)?)?;
    let value = value_of(line)?;
    if value.starts_with('!') {
        return Some("put the expression in quotes");
    }
    let mut items = value.trim_start_matches('[').split(',');
    items.any(|item| item.trim_start().starts_with('*')).then_some("put quotes around it: `\"*\"`")
}

/// What stands behind `key: ` and `- ` in a line of block style.
fn value_of(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    let is_item = rest.starts_with("- ");
    while let Some(item) = rest.strip_prefix("- ") {
        rest = item.trim_start();
    }
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '-' | '.');
    let key = rest.trim_start_matches(is_key);
    match key.strip_prefix(": ") {
        Some(value) if key.len() < rest.len() => Some(value.trim_start()),
        _ => is_item.then_some(rest),
    }
}

/// What follows the closing quote of `value`, which begins with `quote`.
fn after_quote(value: &str, quote: char) -> Option<&str> {
    let mut chars = value.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        let doubled = quote == '\'' && c == quote && chars.peek().is_some_and(|(_, next)| *next == quote);
        if doubled || (quote == '"' && c == '\\') {
            chars.next();
        } else if c == quote {
            return value.get(at + 1..);
        }
    }
    None
}

/// The lines without their ends, each with the byte at which it begins.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let ends = text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    });
    ends.map(|(start, line)| (start, line.trim_end_matches(['\n', '\r'])))
}

fn place(text: &str, start: usize, length: usize, file: u32) -> Place {
    let before = text.get(..start).unwrap_or_default();
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Place {
        file,
        line: number(before.matches('\n').count() + 1),
        column: number(column),
        start: number(start),
        end: number(start + length),
    }
}

#[cfg(test)]
mod tests {
    use super::{quotes_that_end_early, second_document};

    #[test]
    fn second_documents_are_found_where_they_begin() {
        let cases = [
            ("a: 1\n", None),
            ("---\na: 1\n", None),
            ("# c\n---\na: 1\n...\n", None),
            ("a: 1\n---\n# nothing\n\n", None),
            ("a: 1\n---\nb: 2\n", Some((2, 1))),
            ("a: 1\n--- {b: 2}\n", Some((2, 1))),
            ("a: 1\r\n---\r\n\r\nb: 2\r\n", Some((2, 1))),
            ("a: |\n  ---\n  x\n", None),
            ("a: 1\n---x: 1\n", None),
            ("%YAML 1.2\n---\na: 1\n", None),
        ];
        for (text, expected) in cases {
            let found = second_document(text, 0).map(|place| (place.line, place.column));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn quotes_that_end_before_the_value_are_found() {
        let cases = [
            ("expr: \"a\" in R.attr.x", vec![7]),
            ("  - expr: 'a' in R.attr.x", vec![11]),
            ("- 'a' == 'b'", vec![3]),
            ("expr: \"a\" # comment", vec![]),
            ("expr: 'it''s' # comment", vec![]),
            ("expr: \"a \\\" b\"", vec![]),
            ("\"key\": \"a\"", vec![]),
            ("roles: ['a', 'b']", vec![]),
            ("expr: \"not closed", vec![]),
            ("  'y' in a block", vec![]),
        ];
        for (text, expected) in cases {
            let found: Vec<_> = quotes_that_end_early(text, 0).iter().map(|place| place.column).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
