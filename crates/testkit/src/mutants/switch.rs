//! Many changes of one file at once, each behind a switch: the file is compiled once, and the number of a change in
//! the environment chooses it while the tests run.

use std::ops::Range;

use super::find::{Mutant, mutated};

/// The module that the changed crate needs in its root.
pub const SWITCH: &str = "
mod switch {
    pub(crate) fn chosen() -> usize {
        static CHOSEN: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        let read = || std::env::var(\"PROCURA_MUTANT\").ok().and_then(|number| number.parse().ok());
        *CHOSEN.get_or_init(|| read().unwrap_or(usize::MAX))
    }
}
";

/// A file with changes behind switches.
pub struct Switched {
    /// The text.
    pub text: String,
    /// For each change its number, and the lines of the text that are there for it, from one.
    pub lines: Vec<(usize, Range<usize>)>,
    /// For each function with changes its lines, and the numbers of the changes.
    pub functions: Vec<(Range<usize>, Vec<usize>)>,
}

/// The function bodies of `text` in which changes can stand behind a switch: the bytes between their braces. What is
/// constant cannot ask the environment, and what returns `impl` would return several types.
#[must_use]
pub fn bodies(text: &str) -> Vec<Range<usize>> {
    let code = blanked(text);
    let mut bodies: Vec<Range<usize>> = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code.get(..at).unwrap_or_default();
        let is_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if is_word || bodies.last().is_some_and(|body| body.contains(&at)) {
            continue;
        }
        let Some(body) = body_after(&code, at) else { continue };
        let signature = code.get(at..body.start).unwrap_or_default();
        if !before.ends_with("const ") && !signature.contains("-> impl ") {
            bodies.push(body);
        }
    }
    bodies
}

/// `text` with `mutants`, each of which lies in one of [`bodies`], by their numbers.
#[must_use]
pub fn switched(text: &str, mutants: &[(usize, Mutant)]) -> Switched {
    let mut switched = Switched { text: String::new(), lines: Vec::new(), functions: Vec::new() };
    let mut done = 0;
    for body in bodies(text) {
        let inside: Vec<_> =
            mutants.iter().filter(|(_, mutant)| body.contains(&mutant.range.start)).collect();
        if inside.is_empty() {
            continue;
        }
        switched.push(part(text, done..body.start));
        let first = switched.line();
        switched.push("match crate::switch::chosen() {");
        for (number, mutant) in &inside {
            let longer = mutated(text, mutant);
            let end = body.end + longer.len() - text.len();
            let begin = switched.line();
            switched.push(&format!("\n{number} => {{{}}}", part(&longer, body.start..end)));
            switched.lines.push((*number, begin + 1..switched.line() + 1));
        }
        switched.push(&format!("\n_ => {{{}}} }}", part(text, body.clone())));
        let numbers = inside.iter().map(|(number, _)| *number).collect();
        switched.functions.push((first..switched.line() + 1, numbers));
        done = body.end;
    }
    switched.push(part(text, done..text.len()));
    switched
}

impl Switched {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The line that is being written.
    fn line(&self) -> usize {
        self.text.matches('\n').count() + 1
    }

    /// The changes that an error at `line` speaks against: the one that stands there, or all of the function.
    #[must_use]
    pub fn blamed(&self, line: usize) -> Vec<usize> {
        let own = self.lines.iter().find(|(_, lines)| lines.contains(&line)).map(|(number, _)| vec![*number]);
        let of_function = || self.functions.iter().find(|(lines, _)| lines.contains(&line));
        own.or_else(|| of_function().map(|(_, numbers)| numbers.clone())).unwrap_or_default()
    }
}

fn part(text: &str, range: Range<usize>) -> &str {
    text.get(range).unwrap_or_default()
}

/// The inside of the braces of the function whose `fn` is at `at`, if it has a body.
fn body_after(code: &str, at: usize) -> Option<Range<usize>> {
    let mut depth = 0_usize;
    let mut start = None;
    for (index, byte) in code.bytes().enumerate().skip(at) {
        match (byte, start) {
            (b'(' | b'[', None) => depth += 1,
            (b')' | b']', None) => depth = depth.saturating_sub(1),
            (b';', None) if depth == 0 => return None,
            (b'{', None) if depth == 0 => start = Some((index + 1, 1_usize)),
            (b'{', Some((begin, open))) => start = Some((begin, open + 1)),
            (b'}', Some((begin, 1))) => return Some(begin..index),
            (b'}', Some((begin, open))) => start = Some((begin, open - 1)),
            _ => {}
        }
    }
    None
}

/// `text` with blanks for comments, texts and characters; every byte keeps its place.
fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut blank = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let length = skipped(bytes.get(at..).unwrap_or_default());
        if length == 0 {
            at += 1;
            continue;
        }
        for byte in blank.iter_mut().skip(at).take(length).filter(|byte| **byte != b'\n') {
            *byte = b' ';
        }
        at += length;
    }
    String::from_utf8_lossy(&blank).into_owned()
}

/// How many bytes at the beginning of `rest` are a comment, a text or a character.
fn skipped(rest: &[u8]) -> usize {
    let until = |from: usize, end: &[u8]| {
        let found = rest.get(from..).and_then(|tail| tail.windows(end.len()).position(|part| part == end));
        found.map_or(rest.len(), |position| from + position + end.len())
    };
    match rest {
        [b'/', b'/', ..] => until(2, b"\n") - 1,
        [b'/', b'*', ..] => until(2, b"*/"),
        [b'r', b'#', b'"', ..] => until(3, b"\"#"),
        [b'r', b'"', ..] => until(2, b"\""),
        [b'"', ..] => text(rest),
        [b'\'', b'\\', ..] => until(3, b"'"),
        [b'\'', _, b'\'', ..] => 3,
        _ => 0,
    }
}

fn text(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::super::find::mutants;
    use super::*;

    #[test]
    fn changes_of_a_function_stand_behind_one_switch() {
        let text = "fn f(a: [u8; 2]) -> bool {\n    // {\n    a == ['{', 2] && true\n}\nconst fn g() -> u8 { 1 + 2 }\n";
        let bodies = bodies(text);
        assert_eq!(bodies.len(), 1);
        let inside = |mutant: &Mutant| bodies[0].contains(&mutant.range.start);
        let numbered: Vec<_> = mutants(text).into_iter().filter(inside).enumerate().collect();
        assert_eq!(numbered.len(), 3);
        let switched = switched(text, &numbered);
        for part in ["a != ['{', 2] && true", "a == ['{', 2] || true", "a == ['{', 2] && false"] {
            assert_eq!(switched.text.matches(part).count(), 1, "{}", switched.text);
        }
        assert_eq!(switched.text.matches("a == ['{', 2] && true").count(), 1);
        for (number, lines) in &switched.lines {
            assert_eq!(switched.blamed(lines.start), [*number]);
        }
        assert_eq!(switched.blamed(1), [0, 1, 2]);
        assert_eq!(switched.blamed(1000), [0; 0]);
    }
}
