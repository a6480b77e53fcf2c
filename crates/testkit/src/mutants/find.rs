//! Small changes of source text, each of which should make some test fail.

use std::ops::Range;

/// One change of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// Line, counted from one.
    pub line: usize,
    /// The bytes of the file that are replaced.
    pub range: Range<usize>,
    /// What replaces them.
    pub with: &'static str,
}

/// What is replaced, and by what. What begins with a letter is replaced as a whole word only.
const SWAPS: &[(&str, &str)] = &[
    (" == ", " != "),
    (" != ", " == "),
    (" < ", " <= "),
    (" <= ", " < "),
    (" > ", " >= "),
    (" >= ", " > "),
    (" && ", " || "),
    (" || ", " && "),
    (" + ", " - "),
    (" - ", " + "),
    (" += ", " -= "),
    (" |= ", " &= "),
    ("..=", ".."),
    ("true", "false"),
    ("false", "true"),
    ("any", "all"),
    ("all", "any"),
    ("first", "last"),
    ("is_some", "is_none"),
    ("is_none", "is_some"),
    ("is_some_and", "is_none_or"),
    ("is_none_or", "is_some_and"),
    ("break;", ""),
    ("continue;", ""),
    ("Effect::Allow", "Effect::Deny"),
    ("Effect::Deny", "Effect::Allow"),
    ("Truth::True", "Truth::False"),
    ("Truth::False", "Truth::True"),
    ("Truth::Undecided", "Truth::True"),
    ("Truth::Undecided", "Truth::False"),
    ("OnError::Closed", "OnError::Cerbos"),
    ("OnError::Cerbos", "OnError::Closed"),
    ("Some(true)", "None"),
];

/// Every mutant of the file `text`, in the order of the text. Tests, comments, imports, attributes and the inside of
/// texts stay as they are.
#[must_use]
pub fn mutants(text: &str) -> Vec<Mutant> {
    let mut found = Vec::new();
    let mut at = 0;
    for (number, line) in code(text).lines().enumerate() {
        let place = |range: Range<usize>| range.start + at..range.end + at;
        let mutant = |range, with| Mutant { line: number + 1, range: place(range), with };
        for (what, with) in SWAPS {
            found.extend(occurrences(line, what).map(|range| mutant(range, with)));
        }
        found.extend(negations(line).into_iter().map(|range| mutant(range, "")));
        found.extend(statement(line).map(|range| mutant(range, "")));
        at += line.len() + 1;
    }
    found
}

/// `text` with the mutant in place.
#[must_use]
pub fn mutated(text: &str, mutant: &Mutant) -> String {
    let mut text = text.to_owned();
    text.replace_range(mutant.range.clone(), mutant.with);
    text
}

/// The text with blanks in place of what is not to be changed; every byte keeps its place.
fn code(text: &str) -> String {
    let mut blank = String::with_capacity(text.len());
    let mut in_tests = false;
    for line in text.split_inclusive('\n') {
        in_tests |= line.starts_with("mod tests {");
        let start = line.trim_start();
        let skipped = ["//", "#[", "#![", "use ", "pub use ", "mod ", "pub mod "];
        if in_tests || skipped.iter().any(|prefix| start.starts_with(prefix)) {
            blank.extend(
                line.chars().map(|c| if c == '\n' { "\n".to_owned() } else { " ".repeat(c.len_utf8()) }),
            );
        } else {
            blank.push_str(&without_texts(line));
        }
    }
    blank
}

fn without_texts(line: &str) -> String {
    let mut inside = false;
    let mut escaped = false;
    let blanked = line.chars().map(|c| {
        let hidden = inside && c != '"';
        if c == '"' && !escaped {
            inside = !inside;
        }
        escaped = inside && c == '\\' && !escaped;
        if hidden { " ".repeat(c.len_utf8()) } else { c.to_string() }
    });
    blanked.collect()
}

fn occurrences<'l>(line: &'l str, what: &'l str) -> impl Iterator<Item = Range<usize>> + 'l {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let bounded = what.starts_with(is_word);
    line.match_indices(what).map(|(at, _)| at..at + what.len()).filter(move |range| {
        let before =
            line.get(..range.start).and_then(|before| before.chars().next_back()).is_some_and(is_word);
        let after = line.get(range.end..).and_then(|after| after.chars().next()).is_some_and(is_word)
            && what.ends_with(is_word);
        !bounded || !before && !after
    })
}

/// The `!` of negations, not of macros and comparisons.
fn negations(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut before = ' ';
    let mut rest = line.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let compares = rest.peek().is_some_and(|(_, next)| *next == '=');
        if c == '!' && !compares && !before.is_ascii_alphanumeric() && before != '_' {
            found.push(at..at + 1);
        }
        before = c;
    }
    found
}

/// A whole statement that can be left out: a call, or an early return.
fn statement(line: &str) -> Option<Range<usize>> {
    let code = line.trim();
    let declares = ["let ", "}", ")", "]", "const ", "type ", "struct ", "pub "];
    let is_call = code.ends_with(");") || code.ends_with(")?;");
    let is_return = code.starts_with("return ") && code.ends_with(';');
    let balanced = code.matches('(').count() == code.matches(')').count();
    let whole = (is_call || is_return) && balanced && !declares.iter().any(|word| code.starts_with(word));
    let assigned = code.contains(" = ");
    let start = line.len() - line.trim_start().len();
    (whole && !assigned && !code.starts_with('.')).then(|| start..start + code.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_words_negations_and_statements_are_changed() {
        let text = "fn f() -> bool {\n    if !a.any(x) && b == \"c == d\" {\n        self.note(a);\n        break;\n    }\n    true\n}\n";
        let all: Vec<_> = mutants(text).iter().map(|mutant| mutated(text, mutant)).collect();
        let changed = |line: &str| all.iter().any(|text| text.lines().any(|other| other == line));
        for line in [
            "    if a.any(x) && b == \"c == d\" {",
            "    if !a.all(x) && b == \"c == d\" {",
            "    if !a.any(x) || b == \"c == d\" {",
            "    if !a.any(x) && b != \"c == d\" {",
            "    false",
        ] {
            assert!(changed(line), "{line}: {all:#?}");
        }
        assert_eq!(all.iter().filter(|text| !text.contains("note")).count(), 1);
        assert_eq!(all.iter().filter(|text| !text.contains("break")).count(), 1);
        assert!(!all.iter().any(|text| text.contains("c != d")));
    }

    #[test]
    fn comments_imports_and_tests_stay_as_they_are() {
        let text = "//! a == b\nuse a::all;\n#[cfg(test)]\nmod tests {\n    fn f() { a == b; }\n}\n";
        assert_eq!(mutants(text), []);
    }
}
