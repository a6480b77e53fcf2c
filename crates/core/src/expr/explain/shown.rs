//! Values as people read them: as CEL writes them, cut where they are long.

use std::fmt::Write as _;

use crate::expr::val::{MapVal, Val};
use crate::expr::{double_text, time};
use crate::limits::EXPLAINED_VALUE_BYTES;

/// `value` as text of about [`EXPLAINED_VALUE_BYTES`] at most; what is cut ends with `…`.
pub(super) fn shown(value: &Val<'_>) -> String {
    let mut text = String::new();
    if write(value, &mut text).is_none() {
        text.push('…');
    }
    text
}

/// `None` once the text is long enough. Each level writes a bracket first, so the depth is bounded as the length is.
fn write(value: &Val<'_>, out: &mut String) -> Option<()> {
    match value {
        Val::Null => out.push_str("null"),
        Val::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Val::Int(n) => put(out, format_args!("{n}")),
        Val::Uint(n) => put(out, format_args!("{n}u")),
        Val::Double(n) => out.push_str(&double_text(*n)),
        Val::String(text) => return quoted(text.as_str(), out),
        Val::Bytes(bytes) => put(out, format_args!("bytes of length {}", bytes.len())),
        Val::List(items) => return list(items.iter(), out),
        Val::Map(map) => return entries(map, out),
        Val::Timestamp(instant) => put(out, format_args!("timestamp(\"{instant}\")")),
        Val::Duration(duration) => put(out, format_args!("duration(\"{}\")", time::duration_text(*duration))),
        Val::Type(name) => out.push_str(name),
        Val::Optional(None) => out.push_str("optional.none()"),
        Val::Optional(Some(inner)) => {
            out.push_str("optional.of(");
            write(inner, out)?;
            out.push(')');
        }
        Val::Opaque(_) => out.push_str(value.type_name()),
    }
    (out.len() < EXPLAINED_VALUE_BYTES).then_some(())
}

fn list<'r>(items: impl Iterator<Item = Val<'r>>, out: &mut String) -> Option<()> {
    out.push('[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write(&item, out)?;
    }
    out.push(']');
    Some(())
}

fn entries(map: &MapVal<'_>, out: &mut String) -> Option<()> {
    out.push('{');
    for (index, (key, value)) in (0..map.len()).filter_map(|at| map.entry(at)).enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write(&key, out)?;
        out.push_str(": ");
        write(&value, out)?;
    }
    out.push('}');
    Some(())
}

/// What does not print is escaped, so that nothing of a request can disturb a terminal.
fn quoted(text: &str, out: &mut String) -> Option<()> {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' | '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            c => out.extend(c.escape_debug()),
        }
        if out.len() >= EXPLAINED_VALUE_BYTES {
            return None;
        }
    }
    out.push('"');
    Some(())
}

/// Writing to a string does not fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}
