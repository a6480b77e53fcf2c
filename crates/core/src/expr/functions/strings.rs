//! Text: searching, cutting, joining, changing case. Positions count code points, from 0.
//!
//! Source: the strings extension of CEL.

use std::ops::Range;

use super::{CallCx, CallError, Function, Outcome, Overload, Ty};
use crate::expr::val::{List, Str, Val};
use crate::expr::{format, wording};

const TEXT_LIST: Ty = Ty::List(&Ty::String);

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        name: "charAt",
        overloads: &[Overload::method(&[Ty::String, Ty::Int], Ty::String)],
        call: char_at,
    },
    Function {
        name: "format",
        overloads: &[Overload::method(&[Ty::String, Ty::List(&Ty::Dyn)], Ty::String)],
        call: format_text,
    },
    Function {
        name: "indexOf",
        overloads: &[
            Overload::method(&[Ty::String, Ty::String], Ty::Int),
            Overload::method(&[Ty::String, Ty::String, Ty::Int], Ty::Int),
        ],
        call: index_of,
    },
    Function {
        name: "join",
        overloads: &[
            Overload::method(&[TEXT_LIST], Ty::String),
            Overload::method(&[TEXT_LIST, Ty::String], Ty::String),
        ],
        call: join,
    },
    Function {
        name: "lastIndexOf",
        overloads: &[
            Overload::method(&[Ty::String, Ty::String], Ty::Int),
            Overload::method(&[Ty::String, Ty::String, Ty::Int], Ty::Int),
        ],
        call: last_index_of,
    },
    Function {
        name: "lowerAscii",
        overloads: &[Overload::method(&[Ty::String], Ty::String)],
        call: lower_ascii,
    },
    Function {
        name: "replace",
        overloads: &[
            Overload::method(&[Ty::String, Ty::String, Ty::String], Ty::String),
            Overload::method(&[Ty::String, Ty::String, Ty::String, Ty::Int], Ty::String),
        ],
        call: replace,
    },
    Function {
        name: "split",
        overloads: &[
            Overload::method(&[Ty::String, Ty::String], TEXT_LIST),
            Overload::method(&[Ty::String, Ty::String, Ty::Int], TEXT_LIST),
        ],
        call: split,
    },
    Function {
        name: "strings.quote",
        overloads: &[Overload::function(&[Ty::String], Ty::String)],
        call: quote,
    },
    Function {
        name: "substring",
        overloads: &[
            Overload::method(&[Ty::String, Ty::Int], Ty::String),
            Overload::method(&[Ty::String, Ty::Int, Ty::Int], Ty::String),
        ],
        call: substring,
    },
    Function { name: "trim", overloads: &[Overload::method(&[Ty::String], Ty::String)], call: trim },
    Function {
        name: "upperAscii",
        overloads: &[Overload::method(&[Ty::String], Ty::String)],
        call: upper_ascii,
    },
];

/// The text with its code points in the opposite order.
pub(super) fn reversed<'r>(cx: &CallCx<'_>, text: &str) -> Outcome<'r> {
    cx.charge_bytes(text.len())?;
    Ok(Val::string(&text.chars().rev().collect::<String>()))
}

fn char_at<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(text), Val::Int(index)] = args else {
        return Err(CallError::no_overload());
    };
    cx.charge_bytes(text.as_str().len())?;
    let start = byte_offset(text.as_str(), *index)?;
    let width = text.as_str().get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    Ok(part(text, start..start + width))
}

fn format_text<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(template), Val::List(values)] = args else {
        return Err(CallError::no_overload());
    };
    format::format(cx, template.as_str(), values).map(|text| Val::string(&text))
}

fn index_of<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (text, sought, from) = match args {
        [Val::String(text), Val::String(sought)] => (text.as_str(), sought.as_str(), 0),
        [Val::String(text), Val::String(sought), Val::Int(from)] => (text.as_str(), sought.as_str(), *from),
        _ => return Err(CallError::no_overload()),
    };
    cx.charge_bytes(text.len())?;
    let start = search_offset(text, sought, from)?;
    let found = text.get(start..).and_then(|rest| rest.find(sought)).map(|at| start + at);
    Ok(code_point_index(text, found))
}

fn last_index_of<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (text, sought, from) = match args {
        [Val::String(text), Val::String(sought)] => (text.as_str(), sought.as_str(), None),
        [Val::String(text), Val::String(sought), Val::Int(from)] => {
            (text.as_str(), sought.as_str(), Some(*from))
        }
        _ => return Err(CallError::no_overload()),
    };
    cx.charge_bytes(text.len())?;
    let last_start = match from {
        Some(from) => search_offset(text, sought, from)?,
        None => text.len(),
    };
    // Cutting here leaves exactly the matches that begin at `last_start` or before it.
    let end = text.floor_char_boundary(last_start.saturating_add(sought.len()));
    let found = text.get(..end).and_then(|head| head.rfind(sought));
    Ok(code_point_index(text, found))
}

fn join<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (list, separator) = match args {
        [Val::List(list)] => (list, ""),
        [Val::List(list), Val::String(separator)] => (list, separator.as_str()),
        _ => return Err(CallError::no_overload()),
    };
    cx.charge(list.len())?;
    let mut joined = String::new();
    for (index, item) in list.iter().enumerate() {
        let Val::String(item) = item else {
            return Err(CallError::no_overload());
        };
        let separator = if index == 0 { "" } else { separator };
        cx.charge_bytes(separator.len() + item.as_str().len())?;
        joined.push_str(separator);
        joined.push_str(item.as_str());
    }
    Ok(Val::string(&joined))
}

fn lower_ascii<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(text)] = args else {
        return Err(CallError::no_overload());
    };
    cx.charge_bytes(text.as_str().len())?;
    Ok(Val::string(&text.as_str().to_ascii_lowercase()))
}

fn upper_ascii<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(text)] = args else {
        return Err(CallError::no_overload());
    };
    cx.charge_bytes(text.as_str().len())?;
    Ok(Val::string(&text.as_str().to_ascii_uppercase()))
}

fn trim<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(text)] = args else {
        return Err(CallError::no_overload());
    };
    cx.charge_bytes(text.as_str().len())?;
    let start = text.as_str().len() - text.as_str().trim_start().len();
    let end = text.as_str().trim_end().len().max(start);
    Ok(part(text, start..end))
}

/// A negative count replaces all.
fn replace<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (text, old, new, count) = match args {
        [Val::String(text), Val::String(old), Val::String(new)] => (text, old, new, -1),
        [Val::String(text), Val::String(old), Val::String(new), Val::Int(count)] => (text, old, new, *count),
        _ => return Err(CallError::no_overload()),
    };
    let (text, old, new) = (text.as_str(), old.as_str(), new.as_str());
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    cx.charge_bytes(text.len())?;
    let matches = text.matches(old).take(limit).count();
    cx.charge_bytes(matches.saturating_mul(new.len()))?;
    Ok(Val::string(&text.replacen(old, new, limit)))
}

/// At most `limit` parts, the last one with all the rest; a negative limit splits everywhere.
/// An empty separator splits between code points.
fn split<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (text, separator, limit) = match args {
        [Val::String(text), Val::String(separator)] => (text, separator.as_str(), -1),
        [Val::String(text), Val::String(separator), Val::Int(limit)] => (text, separator.as_str(), *limit),
        _ => return Err(CallError::no_overload()),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let source = text.as_str();
    cx.charge_bytes(source.len().saturating_mul(2))?;
    if limit == 0 || (source.is_empty() && separator.is_empty()) {
        return Ok(Val::list(Vec::new()));
    }
    let cuts: Vec<Range<usize>> = if separator.is_empty() {
        cx.charge(source.len())?;
        source.char_indices().skip(1).map(|(at, _)| at..at).take(limit - 1).collect()
    } else {
        cx.charge(source.matches(separator).take(limit - 1).count())?;
        source.match_indices(separator).map(|(at, cut)| at..at + cut.len()).take(limit - 1).collect()
    };
    let starts = std::iter::once(0).chain(cuts.iter().map(|cut| cut.end));
    let ends = cuts.iter().map(|cut| cut.start).chain(std::iter::once(source.len()));
    Ok(Val::list(starts.zip(ends).map(|(start, end)| part(text, start..end)).collect()))
}

fn substring<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (text, start, end) = match args {
        [Val::String(text), Val::Int(start)] => (text, *start, None),
        [Val::String(text), Val::Int(start), Val::Int(end)] => (text, *start, Some(*end)),
        _ => return Err(CallError::no_overload()),
    };
    cx.charge_bytes(text.as_str().len())?;
    let from = byte_offset(text.as_str(), start)?;
    let Some(end) = end else {
        return Ok(part(text, from..text.as_str().len()));
    };
    let to = byte_offset(text.as_str(), end)?;
    if to < from {
        return Err(CallError::range(format!("invalid substring range. start: {start}, end: {end}")));
    }
    Ok(part(text, from..to))
}

/// The text as a literal in double quotes.
fn quote<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(text)] = args else {
        return Err(CallError::no_overload());
    };
    cx.charge_bytes(text.as_str().len().saturating_mul(2))?;
    let mut quoted = String::from('"');
    for c in text.as_str().chars() {
        match c {
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    Ok(Val::string(&quoted))
}

/// That a function takes lists of strings, and `item` of `list` is none.
pub(super) fn not_texts(list: &List<'_>, item: &Val<'_>) -> CallError {
    match list {
        List::Owned(_) => {
            let why = wording::no_text(item);
            CallError::invalid(format!("failed to convert list to string slice: {why}"))
        }
        List::Values(_) | List::Names(_) => CallError::no_overload(),
    }
}

/// Where a search begins. Nothing is found everywhere, so looking for it beyond the end begins at the end.
fn search_offset(text: &str, sought: &str, from: i64) -> Result<usize, CallError> {
    match byte_offset(text, from) {
        Err(_) if sought.is_empty() && from >= 0 => Ok(text.len()),
        offset => offset,
    }
}

/// Where the code point `index` begins; the index just past the last one is the end of the text.
fn byte_offset(text: &str, index: i64) -> Result<usize, CallError> {
    let out_of_range = || CallError::range(format!("index out of range: {index}"));
    let wanted = usize::try_from(index).map_err(|_| out_of_range())?;
    let mut offsets = text.char_indices().map(|(at, _)| at).chain(std::iter::once(text.len()));
    offsets.nth(wanted).ok_or_else(out_of_range)
}

/// The index of the code point at byte `found`, or -1.
fn code_point_index<'r>(text: &str, found: Option<usize>) -> Val<'r> {
    let before = found.and_then(|at| text.get(..at)).map(|head| head.chars().count());
    Val::Int(before.and_then(|count| i64::try_from(count).ok()).unwrap_or(-1))
}

/// A part of a text, borrowed where the text is.
fn part<'r>(text: &Str<'r>, range: Range<usize>) -> Val<'r> {
    match text {
        Str::Borrowed(text) => Val::String(Str::Borrowed(text.get(range).unwrap_or_default())),
        Str::Owned(text) => Val::string(text.get(range).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, call_within, check, refuses, s, texts};
    use super::*;
    use crate::expr::EvalErrorKind;
    use Val::Int;

    #[test]
    fn positions_are_code_points() {
        check("charAt", &[s("©αT"), Int(1)], &s("α"));
        check("charAt", &[s("tacocat"), Int(7)], &s(""));
        check("indexOf", &[s("ta©o©αT"), s("©")], &Int(2));
        check("indexOf", &[s("ta©o©αT"), s("©"), Int(3)], &Int(4));
        check("indexOf", &[s("ta©o©αT"), s("©α"), Int(5)], &Int(-1));
        check("indexOf", &[s("tacocat"), s(""), Int(3)], &Int(3));
        check("indexOf", &[s("tacocat"), s(""), Int(30)], &Int(7));
        check("substring", &[s("ta©o©αT"), Int(2), Int(6)], &s("©o©α"));
        check("substring", &[s("tacocat"), Int(7)], &s(""));
        check("reverse", &[s("Ta©oCαt")], &s("tαCo©aT"));
    }

    #[test]
    fn the_last_match_begins_at_the_given_position_at_the_latest() {
        let cases = [
            ("tacocat", "", None, 7),
            ("tacocat", "", Some(3), 3),
            ("ta©o©αT", "©α", Some(4), 4),
            ("ta©o©αT", "©α", Some(3), -1),
            ("ta©o©αT", "©", Some(3), 2),
            ("bananananana", "nana", Some(7), 6),
            ("aaaa", "aa", Some(1), 1),
            ("", "@@", None, -1),
            ("hello", "hello world", None, -1),
        ];
        for (text, sought, from, expected) in cases {
            let mut args = vec![s(text), s(sought)];
            args.extend(from.map(Int));
            check("lastIndexOf", &args, &Int(expected));
        }
    }

    #[test]
    fn a_position_outside_the_text_is_refused() {
        refuses("charAt", &[s("tacocat"), Int(30)]);
        refuses("charAt", &[s("tacocat"), Int(-1)]);
        refuses("indexOf", &[s("tacocat"), s("a"), Int(30)]);
        refuses("lastIndexOf", &[s("tacocat"), s("a"), Int(-1)]);
        refuses("lastIndexOf", &[s("tacocat"), s("a"), Int(30)]);
        refuses("substring", &[s("tacocat"), Int(40)]);
        refuses("substring", &[s("tacocat"), Int(49), Int(50)]);
        refuses("substring", &[s("tacocat"), Int(4), Int(3)]);
        refuses("substring", &[s("tacocat"), Int(i64::MIN), Int(i64::MAX)]);
    }

    #[test]
    fn text_is_replaced_as_often_as_asked() {
        let replace = |text, old, new, count, expected| {
            check("replace", &[s(text), s(old), s(new), Int(count)], &s(expected));
        };
        replace("hello hello", "he", "we", -1, "wello wello");
        replace("hello hello", "he", "we", 1, "wello hello");
        replace("hello hello", "he", "we", 0, "hello hello");
        replace("ab", "", "_", -1, "_a_b_");
        check("replace", &[s("12 days"), s("{0}"), s("2")], &s("12 days"));
    }

    #[test]
    fn text_is_split_and_joined() {
        let split = |text, by, limit, expected: &[&str]| {
            check("split", &[s(text), s(by), Int(limit)], &texts(expected));
        };
        split("o©o©o", "©", -1, &["o", "o", "o"]);
        split("a,b,c,d", ",", 2, &["a", "b,c,d"]);
        split("a,b", ",", 0, &[]);
        split("a,b", ",", 1, &["a,b"]);
        split("a©c", "", -1, &["a", "©", "c"]);
        split("a©c", "", 2, &["a", "©c"]);
        split("", "", -1, &[]);
        split("", ",", -1, &[""]);
        check("join", &[texts(&["x", "y"])], &s("xy"));
        check("join", &[texts(&["x", "y"]), s("-")], &s("x-y"));
        check("join", &[texts(&[]), s("-")], &s(""));
        refuses("join", &[Val::list(vec![s("a"), Int(1)])]);
    }

    #[test]
    fn a_part_of_borrowed_text_is_borrowed() {
        let part = call("trim", &[Val::String(Str::Borrowed(" \u{85}text\u{2009}"))]).unwrap();
        assert!(matches!(part, Val::String(Str::Borrowed("text"))), "{part:?}");
        check("trim", &[s("\u{180e}text\u{200b}")], &s("\u{180e}text\u{200b}"));
        check("trim", &[s(" \t ")], &s(""));
    }

    #[test]
    fn case_and_quotes_are_ascii() {
        check("lowerAscii", &[s("TacoCÆt")], &s("tacocÆt"));
        check("upperAscii", &[s("tacoCæt")], &s("TACOCæT"));
        check("strings.quote", &[s("a\n\"\\\u{7}é😀")], &s(r#""a\n\"\\\aé😀""#));
    }

    #[test]
    fn growth_is_paid_for_before_it_happens() {
        let long = "a".repeat(2000);
        for args in [vec![s(&long), s("a"), s(&long)], vec![s(&long), s(""), s(&long)]] {
            let error = call_within(1000, "replace", &args).unwrap_err();
            assert_eq!(error.kind, EvalErrorKind::CostExceeded);
        }
        let parts = Val::list(vec![s(&long); 100]);
        assert_eq!(call_within(1000, "join", &[parts]).unwrap_err().kind, EvalErrorKind::CostExceeded);
    }
}
