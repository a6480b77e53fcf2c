//! `regex.extract`, `regex.extractAll`, `regex.replace`, and how a pattern becomes a program.
//!
//! Matching takes time linear in the text. Source: the regex extension of CEL; the syntax is RE2's.

mod dialect;

use std::sync::Arc;

use dialect::Translation;
use regex::{Captures, Regex, RegexBuilder};

use super::{CallCx, CallError, Function, Outcome, Overload, Ty};
use crate::expr::val::Val;
use crate::expr::wording;
use crate::limits;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        name: "regex.extract",
        overloads: &[Overload::function(&[Ty::String, Ty::String], Ty::Optional(&Ty::String))],
        call: extract,
    },
    Function {
        name: "regex.extractAll",
        overloads: &[Overload::function(&[Ty::String, Ty::String], Ty::List(&Ty::String))],
        call: extract_all,
    },
    Function {
        name: "regex.replace",
        overloads: &[
            Overload::function(&[Ty::String, Ty::String, Ty::String], Ty::String),
            Overload::function(&[Ty::String, Ty::String, Ty::String, Ty::Int], Ty::String),
        ],
        call: replace,
    },
];

/// The program of a pattern that is known when the policy is compiled; `Err` says why there is none.
/// Size of pattern and program are bounded.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    build(pattern, limits::REGEX_PROGRAM_BYTES)?.ok_or_else(too_big)
}

/// Bytes that a program takes, rounded up.
pub(crate) struct Size(pub(crate) usize);

/// As [`compile`], and how large the program is: the library does not tell, but takes a limit.
pub(crate) fn compile_sized(pattern: &str) -> Result<(Regex, Size), String> {
    for kib in limits::REGEX_PROGRAM_STEPS {
        if let Some(regex) = build(pattern, kib * 1024)? {
            return Ok((regex, Size(kib * 1024)));
        }
    }
    Err(too_big())
}

/// The program of a pattern that is known only now, paid for together with one search of `text`.
pub(crate) fn compile_paid(cx: &CallCx<'_>, pattern: &str, text: &str) -> Result<Regex, CallError> {
    cx.charge(limits::REGEX_COST + pattern.len())?;
    for kib in limits::REGEX_PROGRAM_STEPS {
        cx.charge(kib * limits::REGEX_KIB_COST)?;
        if let Some(regex) = build(pattern, kib * 1024).map_err(|why| not_a_pattern(&why))? {
            cx.charge(text.len().saturating_mul(kib))?;
            return Ok(regex);
        }
    }
    Err(CallError::invalid(too_big()))
}

/// The program, unless it needs more than `bytes`.
fn build(pattern: &str, bytes: usize) -> Result<Option<Regex>, String> {
    if pattern.len() > limits::REGEX_BYTES {
        return Err(format!("a regular expression has at most {} bytes", limits::REGEX_BYTES));
    }
    let Translation { pattern, property } = dialect::from_re2(pattern)?;
    let built =
        RegexBuilder::new(&pattern).size_limit(bytes).dfa_size_limit(limits::REGEX_CACHE_BYTES).build();
    match built {
        Ok(regex) => Ok(Some(regex)),
        Err(regex::Error::CompiledTooBig(_)) => Ok(None),
        Err(_) => match property {
            Some(property) => Err(format!("invalid character class range: `{property}`")),
            None => Err("the regular expression is not valid".to_owned()),
        },
    }
}

fn not_a_pattern(why: &str) -> CallError {
    CallError::invalid(format!("error parsing regexp: {}", wording::shortened(why)))
}

fn too_big() -> String {
    let limit = limits::REGEX_PROGRAM_BYTES;
    format!("the regular expression needs more than {limit} bytes when compiled: use smaller repetitions")
}

/// The first match, or its group where the pattern has one; none where that is empty.
fn extract<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(text), Val::String(pattern)] = args else {
        return Err(CallError::no_overload());
    };
    let regex = extractor(cx, pattern.as_str(), text.as_str())?;
    cx.charge_bytes(text.as_str().len().saturating_mul(2))?;
    let found = regex.captures(text.as_str()).and_then(|captures| extracted(&captures));
    Ok(Val::Optional(found.map(|part| Arc::new(Val::string(part)))))
}

/// Every match, or its group where the pattern has one and that is not empty.
fn extract_all<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(text), Val::String(pattern)] = args else {
        return Err(CallError::no_overload());
    };
    let regex = extractor(cx, pattern.as_str(), text.as_str())?;
    cx.charge_bytes(text.as_str().len().saturating_mul(2))?;
    let mut parts = Vec::new();
    for captures in regex.captures_iter(text.as_str()) {
        charge_search(cx, &captures, text.as_str())?;
        parts.extend(extracted(&captures).map(Val::string));
    }
    Ok(Val::list(parts))
}

fn extracted<'t>(captures: &Captures<'t>) -> Option<&'t str> {
    if captures.len() == 1 {
        return captures.get(0).map(|whole| whole.as_str());
    }
    captures.get(1).map(|group| group.as_str()).filter(|part| !part.is_empty())
}

/// Pays for the search after this match, which may look at the whole rest of the text to find the next.
fn charge_search(cx: &CallCx<'_>, captures: &Captures<'_>, text: &str) -> Result<(), CallError> {
    let searched = captures.get(0).map_or(0, |whole| whole.end());
    cx.charge(1)?;
    cx.charge_bytes(text.len().saturating_sub(searched))
}

fn extractor(cx: &CallCx<'_>, pattern: &str, text: &str) -> Result<Regex, CallError> {
    let regex = compile_paid(cx, pattern, text)?;
    if regex.captures_len() > 2 {
        let pattern = wording::quoted(pattern);
        return Err(CallError::invalid(format!(
            "regular expression has more than one capturing group: {pattern}"
        )));
    }
    Ok(regex)
}

/// `\1` to `\9` in the replacement stand for groups, `\0` for the match, `\\` for a backslash.
/// A negative count replaces all.
fn replace<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (text, pattern, replacement, count) = match args {
        [Val::String(text), Val::String(pattern), Val::String(with)] => (text, pattern, with, -1),
        [Val::String(text), Val::String(pattern), Val::String(with), Val::Int(count)] => {
            (text, pattern, with, *count)
        }
        _ => return Err(CallError::no_overload()),
    };
    if count == 0 {
        return Ok(Val::String(text.clone()));
    }
    let text = text.as_str();
    let regex = compile_paid(cx, pattern.as_str(), text)?;
    let replacement = parse_replacement(replacement.as_str(), regex.captures_len())?;
    cx.charge_bytes(text.len().saturating_mul(3))?;
    let mut replaced = String::new();
    let mut copied = 0;
    for captures in regex.captures_iter(text).take(usize::try_from(count).unwrap_or(usize::MAX)) {
        charge_search(cx, &captures, text)?;
        cx.charge(replacement.len())?;
        let Some(whole) = captures.get(0) else { continue };
        replaced.push_str(text.get(copied..whole.start()).unwrap_or_default());
        for piece in &replacement {
            let piece = piece.text(&captures);
            cx.charge_bytes(piece.len())?;
            replaced.push_str(piece);
        }
        copied = whole.end();
    }
    replaced.push_str(text.get(copied..).unwrap_or_default());
    Ok(Val::string(&replaced))
}

enum Piece {
    Text(String),
    Group(usize),
}

impl Piece {
    fn text<'p>(&'p self, captures: &Captures<'p>) -> &'p str {
        match self {
            Piece::Text(text) => text,
            Piece::Group(index) => captures.get(*index).map_or("", |group| group.as_str()),
        }
    }
}

fn parse_replacement(text: &str, groups: usize) -> Result<Vec<Piece>, CallError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            literal.push(c);
            continue;
        }
        let group = match chars.next() {
            Some('\\') => {
                literal.push('\\');
                continue;
            }
            Some(other) => other.to_digit(10).ok_or(r"\ must be followed by a digit or \"),
            None => Err(r"\ not allowed at end"),
        };
        let group = group.map(|digit| digit as usize).map_err(|why| {
            CallError::invalid(format!("invalid replacement string: '{}' {why}", wording::shortened(text)))
        })?;
        if group >= groups {
            return Err(CallError::invalid(format!(
                "replacement string references group {group} but regex has only {} group(s)",
                groups - 1
            )));
        }
        pieces.push(Piece::Text(std::mem::take(&mut literal)));
        pieces.push(Piece::Group(group));
    }
    pieces.push(Piece::Text(literal));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call_within, check, refuses, s, texts};
    use super::*;
    use crate::expr::EvalErrorKind;

    #[test]
    fn the_first_match_or_its_group_is_extracted() {
        let some = |text| Val::Optional(Some(Arc::new(s(text))));
        check("regex.extract", &[s("hello world"), s("hello(.*)")], &some(" world"));
        check("regex.extract", &[s("k=42"), s("[0-9]+")], &some("42"));
        check("regex.extract", &[s("HELLO"), s("hello")], &Val::Optional(None));
        check("regex.extract", &[s("b"), s("(a)?b")], &Val::Optional(None));
        refuses("regex.extract", &[s("u@d"), s("(.*)@([^.]*)")]);
        refuses("regex.extract", &[s("u"), s("(")]);
    }

    #[test]
    fn all_matches_are_extracted() {
        check("regex.extractAll", &[s("a bb a cc"), s("a")], &texts(&["a", "a"]));
        check("regex.extractAll", &[s("id:1, id:2"), s(r"id:(\d+)")], &texts(&["1", "2"]));
        check("regex.extractAll", &[s("a bb"), s("x")], &texts(&[]));
    }

    #[test]
    fn replacements_name_groups_by_number() {
        let replace = |text, pattern, with, expected| {
            check("regex.replace", &[s(text), s(pattern), s(with)], &s(expected));
        };
        replace("banana", "a", "i", "binini");
        replace("banana", "b(a).*", r"\1", "a");
        replace("foo bar", "(fo)o (ba)r", r"\2 \1", "ba fo");
        replace("ab", "b", r"\\\0$1", r"a\b$1");
        replace("ab", "", "-", "-a-b-");
        replace("b", "(a)?b", r"[\1]", "[]");
        refuses("regex.replace", &[s("test"), s("(.)"), s(r"\2")]);
        refuses("regex.replace", &[s("test"), s("t"), s(r"\v")]);
        refuses("regex.replace", &[s("test"), s("t"), s(r"\")]);
    }

    #[test]
    fn replacements_are_counted() {
        for (count, expected) in [(0, "banana"), (1, "bxnana"), (2, "bxnxna"), (-12, "bxnxnx")] {
            check("regex.replace", &[s("banana"), s("a"), s("x"), Val::Int(count)], &s(expected));
        }
    }

    #[test]
    fn programs_and_their_output_are_bounded() {
        assert!(compile(&"a".repeat(limits::REGEX_BYTES + 1)).is_err());
        assert!(compile(r"(((\pL{100}){100}){100}){100}").is_err());
        let text = "a".repeat(10_000);
        let args = [s(&text), s("a"), s(&text)];
        let error = call_within(100_000, "regex.replace", &args).unwrap_err();
        assert_eq!(error.kind, EvalErrorKind::CostExceeded);
    }
}
