//! Character classes: `[a-z\d[:punct:]]`.

use super::escape;

/// The class that `text` begins with in the other syntax, and its length.
pub(super) fn translate(text: &str) -> Result<(String, usize), String> {
    let mut rest = text.strip_prefix('[').unwrap_or(text);
    let mut out = String::from("[");
    if let Some(after) = rest.strip_prefix('^') {
        rest = after;
        out.push('^');
    }
    let mut first = true;
    // The first member of a class may be a bracket.
    while first || !rest.starts_with(']') {
        first = false;
        rest = match named(rest)? {
            Some((name, after)) => {
                out.push_str(name);
                after
            }
            None => member(text, rest, &mut out)?,
        };
    }
    out.push(']');
    let after = rest.strip_prefix(']').unwrap_or(rest);
    Ok((out, text.len() - after.len()))
}

/// `[:alpha:]` or `[:^alpha:]`, and what follows it.
fn named(text: &str) -> Result<Option<(&str, &str)>, String> {
    const NAMES: &[&str] = &[
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
        "upper", "word", "xdigit",
    ];
    let Some((inside, after)) = text.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) else {
        return Ok(None);
    };
    let written = text.get(..text.len() - after.len()).unwrap_or(text);
    if NAMES.contains(&inside.strip_prefix('^').unwrap_or(inside)) {
        return Ok(Some((written, after)));
    }
    Err(format!("invalid character class range: `{written}`"))
}

/// A class such as `\d`, a character or a range of characters; returns what follows it. `class` is where the whole
/// class begins.
fn member<'t>(class: &str, text: &'t str, out: &mut String) -> Result<&'t str, String> {
    if text.starts_with('\\')
        && let Some((translated, length)) = escape::class(text)?
    {
        out.push_str(&translated);
        return Ok(text.get(length..).unwrap_or_default());
    }
    let (low, after) = character(class, text)?;
    escape::push_literal(out, low);
    // In `[a-]` the dash is itself.
    let Some(range) = after.strip_prefix('-').filter(|rest| !rest.is_empty() && !rest.starts_with(']'))
    else {
        return Ok(after);
    };
    let (high, after) = character(class, range)?;
    if high < low {
        let written = text.get(..text.len() - after.len()).unwrap_or(text);
        return Err(format!("invalid character class range: `{written}`"));
    }
    out.push('-');
    escape::push_literal(out, high);
    Ok(after)
}

fn character<'t>(class: &str, text: &'t str) -> Result<(char, &'t str), String> {
    let Some(c) = text.chars().next() else {
        return Err(format!("missing closing ]: `{class}`"));
    };
    let (c, length) = if c == '\\' { escape::character(text)? } else { (c, c.len_utf8()) };
    Ok((c, text.get(length..).unwrap_or_default()))
}
