//! How errors of evaluation are worded: as the peer words them, since callers see the texts in outputs.
//!
//! What an author of policies is told while they are compiled is worded elsewhere, and in our own way.

use super::val::{Opaque, Val};
use crate::limits::ERROR_TEXT_CHARS;

/// That no overload of a function or operator takes `args`.
pub(crate) fn no_overload(name: &str, args: &[Val<'_>]) -> String {
    const BARE: &str = "no such overload";
    match (name, args) {
        ("!" | "in" | "==" | "!=", _) => BARE.to_owned(),
        ("+" | "-" | "*" | "/" | "%" | "<" | "<=" | ">" | ">=", [operand, ..]) => {
            if knows_operator(name, args.len(), operand) {
                return BARE.to_owned();
            }
            let operator = if args.len() == 1 { format!("{name}_") } else { format!("_{name}_") };
            format!("{BARE}: {operator}")
        }
        ("size" | "sort", [receiver, ..]) if is_receiver(receiver) => BARE.to_owned(),
        ("size" | "sort" | "@sortByAssociatedKeys", _) => format!("{BARE}: {name}"),
        ("flatten", [list, levels @ ..]) => {
            let list = if matches!(list, Val::List(_)) { "list(dyn)" } else { list.type_name() };
            format!("{BARE}: {list}.flatten({})", types(levels))
        }
        ("math.greatest", _) => format!("{BARE}: {}", extreme("math.@max", args)),
        ("math.least", _) => format!("{BARE}: {}", extreme("math.@min", args)),
        ("contains" | "startsWith" | "endsWith" | "timeSince" | "or" | "orValue", _) => BARE.to_owned(),
        (_, [receiver, ..]) if METHODS.contains(&name) => {
            if is_receiver(receiver) {
                BARE.to_owned()
            } else {
                format!("{BARE}: {name}")
            }
        }
        _ => format!("{BARE}: {name}({})", types(args)),
    }
}

/// Methods that the peer finds by asking their receiver, which names nothing when it refuses.
const METHODS: &[&str] = &[
    "ancestorOf",
    "commonAncestors",
    "descendentOf",
    "immediateChildOf",
    "immediateParentOf",
    "isMemberOf",
    "matches",
    "matchesID",
    "name",
    "overlaps",
    "path",
    "siblingOf",
    "trustDomain",
];

fn is_receiver(value: &Val<'_>) -> bool {
    match value {
        Val::String(_) | Val::Timestamp(_) | Val::Duration(_) => true,
        Val::Opaque(opaque) => !matches!(**opaque, Opaque::Ip(_) | Opaque::Cidr(..)),
        _ => false,
    }
}

/// Whether values of the type of `operand` have the operator at all, if not for what stands on its other side.
fn knows_operator(name: &str, operands: usize, operand: &Val<'_>) -> bool {
    match operand {
        receiver if is_receiver(receiver) => true,
        Val::Int(_) => true,
        Val::Uint(_) => operands == 2,
        Val::Double(_) => name != "%",
        Val::Bool(_) => operands == 1 || matches!(name, "<" | "<=" | ">" | ">="),
        Val::Bytes(_) => operands == 2 && matches!(name, "+" | "<" | "<=" | ">" | ">="),
        Val::List(_) => name == "+",
        _ => false,
    }
}

fn extreme(name: &str, args: &[Val<'_>]) -> String {
    match args {
        [first, _, _, ..] if !is_number(first) => format!("{name}(list)"),
        [Val::List(_)] | [_, _, _, ..] => name.to_owned(),
        _ => format!("{name}({})", types(args)),
    }
}

fn is_number(value: &Val<'_>) -> bool {
    matches!(value, Val::Int(_) | Val::Uint(_) | Val::Double(_))
}

fn types(args: &[Val<'_>]) -> String {
    args.iter().map(Val::type_name).collect::<Vec<_>>().join(", ")
}

/// That a value of a scalar, or a map, has nothing under `key`.
pub(crate) fn no_such_key(key: &str) -> String {
    format!("no such key: {}", shortened(key))
}

/// That `value` cannot become the text that a key of a JSON map, or an item of a list of texts, must be.
pub(crate) fn no_text(value: &Val<'_>) -> String {
    match value {
        Val::Int(_) | Val::Uint(_) => {
            format!("unsupported type conversion from '{}' to string", value.type_name())
        }
        Val::Double(_) => "type conversion error from Double to 'string'".to_owned(),
        Val::Bool(_) | Val::List(_) => {
            format!("type conversion error from {} to 'string'", value.type_name())
        }
        Val::Timestamp(_) => no_conversion("Timestamp", "string"),
        _ => no_conversion(value.type_name(), "string"),
    }
}

/// That a value of one type cannot become one of another.
pub(crate) fn no_conversion(from: &str, to: &str) -> String {
    format!("type conversion error from '{from}' to '{to}'")
}

/// That `value` has no JSON form.
pub(crate) fn no_json_form(value: &Val<'_>) -> String {
    match value {
        Val::Double(n) => {
            let name = if n.is_nan() {
                "NaN"
            } else if *n > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            format!("proto: google.protobuf.Value.number_value: invalid {name} value")
        }
        Val::Optional(_) => "optional.none() dereference".to_owned(),
        Val::Opaque(opaque) => {
            let name = match **opaque {
                Opaque::Hierarchy(_) => "hierarchy",
                Opaque::SpiffeId { .. } => "SPIFFEID",
                Opaque::SpiffeTrustDomain(_) => "SPIFFETrustDomain",
                Opaque::SpiffeMatcher(_) => "SPIFFEMatcher",
                Opaque::Ip(_) | Opaque::Cidr(..) => {
                    return "unsupported type conversion to '*structpb.Value'".to_owned();
                }
            };
            format!("unsupported native conversion from {name} to '*structpb.Value'")
        }
        other => format!("type conversion not supported for '{}'", other.type_name()),
    }
}

/// The peer's own name of the type of `value`, which some of its messages show.
pub(crate) fn native_type(value: &Val<'_>) -> &'static str {
    match value {
        Val::Null => "types.Null",
        Val::Bool(_) => "types.Bool",
        Val::Int(_) => "types.Int",
        Val::Uint(_) => "types.Uint",
        Val::Double(_) => "types.Double",
        Val::String(_) => "types.String",
        Val::Bytes(_) => "types.Bytes",
        Val::List(_) => "*types.baseList",
        Val::Map(_) => "*types.baseMap",
        Val::Timestamp(_) => "types.Timestamp",
        Val::Duration(_) => "types.Duration",
        Val::Type(_) => "*types.Type",
        Val::Optional(_) => "*types.Optional",
        Val::Opaque(opaque) => match **opaque {
            Opaque::Hierarchy(_) => "types.Hierarchy",
            Opaque::Ip(_) => "ext.IP",
            Opaque::Cidr(..) => "ext.CIDR",
            Opaque::SpiffeId { .. } => "types.SPIFFEID",
            Opaque::SpiffeTrustDomain(_) => "types.SPIFFETrustDomain",
            Opaque::SpiffeMatcher(_) => "types.SPIFFEMatcher",
        },
    }
}

/// A key, an index or a small value inside a message.
pub(crate) fn shown(value: &Val<'_>) -> String {
    match value {
        Val::Bool(b) => b.to_string(),
        Val::Int(n) => n.to_string(),
        Val::Uint(n) => n.to_string(),
        Val::Double(n) => super::functions::conversions::double_text(*n),
        Val::String(text) => shortened(text.as_str()),
        other => other.type_name().to_owned(),
    }
}

/// Text inside a message: hostile text is cut at a readable length.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(ERROR_TEXT_CHARS).collect()
}

/// Text in double quotes inside a message, with escapes for what does not print.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars().take(ERROR_TEXT_CHARS) {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
