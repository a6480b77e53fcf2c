//! `"...".format([...])`: a template with clauses, each filled with the next value of a list.
//!
//! `%s` text of any value, `%d` decimal, `%f` and `%e` with `.N` digits after the point (6 by default), `%b`
//! binary, `%o` octal, `%x` and `%X` hexadecimal, `%%` a percent sign.
//! Source: the strings extension of CEL, "Format".

use super::functions::{CallCx, CallError};
use super::types::Type;
use super::val::{List, MapVal, Val};
use super::wording;
use crate::limits;

/// Fills `template` with `values`. Values left over are ignored; a clause without a value is an error.
pub(crate) fn format(cx: &CallCx<'_>, template: &str, values: &List<'_>) -> Result<String, CallError> {
    cx.charge_bytes(template.len())?;
    let mut out = Output { cx, text: String::new() };
    let mut rest = template;
    let mut next = 0;
    while let Some((literal, clause)) = rest.split_once('%') {
        out.push(literal)?;
        if let Some(after) = clause.strip_prefix('%') {
            out.push("%")?;
            rest = after;
            continue;
        }
        let (clause, after) = parse_clause(clause)?;
        let value = values.get(next).ok_or_else(|| CallError::range(format!("index {next} out of range")))?;
        out.fill(clause, &value)?;
        next += 1;
        rest = after;
    }
    out.push(rest)?;
    Ok(out.text)
}

/// The verbs of the clauses of `template`, in order.
pub(crate) fn verbs(template: &str) -> Result<Vec<char>, CallError> {
    let mut verbs = Vec::new();
    let mut rest = template;
    while let Some((_, clause)) = rest.split_once('%') {
        rest = match clause.strip_prefix('%') {
            Some(after) => after,
            None => {
                let (clause, after) = parse_clause(clause)?;
                verbs.push(clause.verb);
                after
            }
        };
    }
    Ok(verbs)
}

/// Whether a clause may take values of a type, as far as it is known.
pub(crate) fn takes_type(verb: char, ty: &Type) -> bool {
    let integer = matches!(ty, Type::Int | Type::Uint);
    match (verb, ty) {
        (_, Type::Dyn | Type::Parameter(_)) => true,
        ('s', Type::List(item)) => takes_type('s', item),
        ('s', Type::Map(key, value)) => takes_type('s', key) && takes_type('s', value),
        ('s', other) => !matches!(other, Type::Optional(_) | Type::Opaque(_) | Type::Record(_)),
        ('d' | 'f' | 'e', other) => integer || *other == Type::Double,
        ('b', other) => integer || *other == Type::Bool,
        ('o', _) => integer,
        (_, other) => integer || matches!(other, Type::String | Type::Bytes),
    }
}

#[derive(Clone, Copy)]
struct Clause {
    verb: char,
    precision: usize,
}

/// Reads a clause after its `%`; returns what follows it.
fn parse_clause(text: &str) -> Result<(Clause, &str), CallError> {
    let (precision, text) = match text.strip_prefix('.') {
        None => (6, text),
        Some(digits) => {
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            let (number, rest) = digits.split_at_checked(end).unwrap_or_default();
            if rest.is_empty() {
                return Err(bad_precision("could not find end of precision specifier"));
            }
            if number.is_empty() {
                return Err(bad_precision(
                    "error while converting precision to integer: strconv.Atoi: parsing \"\": invalid syntax",
                ));
            }
            let too_many = || {
                let number = wording::shortened(number);
                let most = limits::FORMAT_PRECISION;
                bad_precision(&format!("precision {number} exceeds maximum allowed precision {most}"))
            };
            let precision =
                number.parse().ok().filter(|n| *n <= limits::FORMAT_PRECISION).ok_or_else(too_many)?;
            (precision, rest)
        }
    };
    let mut chars = text.chars();
    match chars.next() {
        Some(verb @ ('s' | 'd' | 'f' | 'e' | 'b' | 'o' | 'x' | 'X')) => {
            Ok((Clause { verb, precision }, chars.as_str()))
        }
        Some(other) => {
            let clause = wording::quoted(other.encode_utf8(&mut [0; 4]));
            let why = "could not parse formatting clause: unrecognized formatting clause";
            Err(CallError::invalid(format!("{why} {clause}")))
        }
        None => Err(CallError::invalid("unexpected end of string")),
    }
}

fn bad_precision(why: &str) -> CallError {
    CallError::invalid(format!("could not parse formatting clause: error while parsing precision: {why}"))
}

/// The text so far, paid for as it grows.
struct Output<'a, 'c> {
    cx: &'a CallCx<'c>,
    text: String,
}

impl Output<'_, '_> {
    fn push(&mut self, text: &str) -> Result<(), CallError> {
        self.cx.charge_bytes(text.len())?;
        self.text.push_str(text);
        Ok(())
    }

    fn fill(&mut self, clause: Clause, value: &Val<'_>) -> Result<(), CallError> {
        match clause.verb {
            's' => self.push_value(value, 0),
            'd' => self.push(&decimal(value)?),
            'f' => self.push(&fixed(value, clause.precision)?),
            'e' => self.push(&scientific(value, clause.precision)?),
            'b' => self.push(&binary(value)?),
            'o' => self.push(&octal(value)?),
            _ => self.push_hex(value, clause.verb == 'X'),
        }
    }

    fn push_value(&mut self, value: &Val<'_>, depth: usize) -> Result<(), CallError> {
        if depth == limits::COMPUTED_DEPTH {
            return Err(CallError::invalid(format!("values nest deeper than {}", limits::COMPUTED_DEPTH)));
        }
        self.cx.charge(1)?;
        match value {
            Val::Null => self.push("null"),
            Val::Bool(b) => self.push(if *b { "true" } else { "false" }),
            Val::Int(_) | Val::Uint(_) | Val::Double(_) => self.push(&decimal(value)?),
            Val::String(text) => self.push(text.as_str()),
            Val::Bytes(bytes) => self.push(&String::from_utf8_lossy(bytes)),
            Val::Timestamp(at) => self.push(&at.in_utc().to_string()),
            Val::Duration(span) => self.push(&format!("{}s", span.as_secs_f64())),
            Val::Type(name) => self.push(name),
            Val::List(items) => self.push_list(items, depth),
            Val::Map(map) => self.push_map(map, depth),
            Val::Optional(_) | Val::Opaque(_) => Err(takes(
                "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, \
                 durations, and timestamps",
                value,
            )),
        }
    }

    fn push_list(&mut self, items: &List<'_>, depth: usize) -> Result<(), CallError> {
        self.push("[")?;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.push(", ")?;
            }
            self.push_value(&item, depth + 1)?;
        }
        self.push("]")
    }

    /// Entries are sorted by the text of their keys, so the order of a map is never visible.
    fn push_map(&mut self, map: &MapVal<'_>, depth: usize) -> Result<(), CallError> {
        let mut entries = Vec::new();
        match map {
            MapVal::Values(map) => {
                for (key, value) in map.iter() {
                    entries.push((key.to_owned(), self.text_of(&Val::from(value), depth + 1)?));
                }
            }
            MapVal::Owned(pairs) => {
                for (key, value) in pairs.iter() {
                    entries.push((self.text_of(key, depth + 1)?, self.text_of(value, depth + 1)?));
                }
            }
        }
        entries.sort();
        let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        self.push("{")?;
        self.push(&entries.join(", "))?;
        self.push("}")
    }

    fn text_of(&self, value: &Val<'_>, depth: usize) -> Result<String, CallError> {
        let mut out = Output { cx: self.cx, text: String::new() };
        out.push_value(value, depth)?;
        Ok(out.text)
    }

    fn push_hex(&mut self, value: &Val<'_>, upper: bool) -> Result<(), CallError> {
        let lower = match value {
            Val::Int(n) => signed(*n, format!("{:x}", n.unsigned_abs())),
            Val::Uint(n) => format!("{n:x}"),
            Val::String(text) => self.hex_of(text.as_str().as_bytes())?,
            Val::Bytes(bytes) => self.hex_of(bytes)?,
            _ => return Err(takes("only ints, uints, bytes, and strings can be formatted as hex", value)),
        };
        if upper { self.push(&lower.to_ascii_uppercase()) } else { self.push(&lower) }
    }

    fn hex_of(&self, bytes: &[u8]) -> Result<String, CallError> {
        self.cx.charge_bytes(bytes.len().saturating_mul(2))?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn decimal(value: &Val<'_>) -> Result<String, CallError> {
    match value {
        Val::Int(n) => Ok(n.to_string()),
        Val::Uint(n) => Ok(n.to_string()),
        Val::Double(n) => Ok(not_finite(*n).map_or_else(|| n.to_string(), str::to_owned)),
        _ => Err(takes("decimal clause can only be used on ints, uints, and doubles", value)),
    }
}

fn fixed(value: &Val<'_>, precision: usize) -> Result<String, CallError> {
    let number = double(value)
        .ok_or_else(|| takes("fixed-point clause can only be used on ints, uints, and doubles", value))?;
    Ok(not_finite(number).map_or_else(|| format!("{number:.precision$}"), str::to_owned))
}

/// The exponent has a sign and at least two digits.
fn scientific(value: &Val<'_>, precision: usize) -> Result<String, CallError> {
    let number = double(value)
        .ok_or_else(|| takes("scientific clause can only be used on ints, uints, and doubles", value))?;
    if let Some(name) = not_finite(number) {
        return Ok(name.to_owned());
    }
    let text = format!("{number:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    Ok(format!("{mantissa}e{sign}{digits:0>2}"))
}

fn binary(value: &Val<'_>) -> Result<String, CallError> {
    match value {
        Val::Bool(b) => Ok(u8::from(*b).to_string()),
        Val::Int(n) => Ok(signed(*n, format!("{:b}", n.unsigned_abs()))),
        Val::Uint(n) => Ok(format!("{n:b}")),
        _ => Err(takes("only ints, uints, and bools can be formatted as binary", value)),
    }
}

fn octal(value: &Val<'_>) -> Result<String, CallError> {
    match value {
        Val::Int(n) => Ok(signed(*n, format!("{:o}", n.unsigned_abs()))),
        Val::Uint(n) => Ok(format!("{n:o}")),
        _ => Err(takes("octal clause can only be used on ints and uints", value)),
    }
}

fn double(value: &Val<'_>) -> Option<f64> {
    match value {
        Val::Double(n) => Some(*n),
        Val::Int(n) => Some(*n as f64),
        Val::Uint(n) => Some(*n as f64),
        _ => None,
    }
}

fn not_finite(number: f64) -> Option<&'static str> {
    match number {
        n if n.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    }
}

fn signed(number: i64, magnitude: String) -> String {
    if number < 0 { format!("-{magnitude}") } else { magnitude }
}

fn takes(what: &str, value: &Val<'_>) -> CallError {
    CallError::invalid(format!("error during formatting: {what}, was given {}", value.type_name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::functions::testing::{call, call_within, check, ints, refuses, s, texts};
    use Val::{Bool, Double, Int, Uint};

    fn formats(template: &str, value: Val<'_>, expected: &str) {
        check("format", &[s(template), Val::list(vec![value])], &s(expected));
    }

    #[test]
    fn clauses_take_the_values_in_order() {
        check("format", &[s("%% and %%"), ints(&[])], &s("% and %"));
        check("format", &[s("%s-%d%%"), Val::list(vec![s("x"), Int(3), Int(9)])], &s("x-3%"));
        check("format", &[s("©%sα"), texts(&["T"])], &s("©Tα"));
        refuses("format", &[s("%d %d %d"), ints(&[0, 1])]);
        for malformed in ["%a", "%", "%.", "%.2", "%.101f", "%.99999999999999999999f"] {
            refuses("format", &[s(malformed), ints(&[1])]);
        }
    }

    #[test]
    fn any_value_has_a_text() {
        formats("%s", Val::Null, "null");
        formats("%s", Double(3.0), "3");
        formats("%s", Double(1e21), "1000000000000000000000");
        formats("%s", Val::Bytes(b"\xff!".as_slice().into()), "\u{fffd}!");
        formats("%s", Val::Timestamp("2023-02-03T23:31:20Z".parse().unwrap()), "2023-02-03T23:31:20Z");
        formats("%s", Val::Duration(jiff::SignedDuration::from_millis(-1500)), "-1.5s");
        formats("%s", Val::Type("int"), "int");
        formats("%s", Val::list(vec![s("a"), ints(&[9, 8]), Double(f64::NAN)]), "[a, [9, 8], NaN]");
        let map = MapVal::Owned([(Bool(true), Int(1)), (Int(2), s("b")), (Uint(1), Val::Null)].into());
        formats("%s", Val::Map(map), "{1: null, 2: b, true: 1}");
    }

    #[test]
    fn numbers_have_a_base() {
        formats("%d", Double(f64::NEG_INFINITY), "-Infinity");
        formats("%d", Uint(u64::MAX), "18446744073709551615");
        formats("%b", Int(-5), "-101");
        formats("%b", Bool(true), "1");
        formats("%o", Int(i64::MIN), "-1000000000000000000000");
        formats("%x", Int(-255), "-ff");
        formats("%X", s("Hi!"), "486921");
        formats("%X", Val::Bytes(b"\x0a\xff".as_slice().into()), "0AFF");
    }

    #[test]
    fn digits_after_the_point_are_rounded_to_even() {
        for (template, value, expected) in [
            ("%.3f", 1.2345, "1.234"),
            ("%.3f", -123.4999, "-123.500"),
            ("%.0f", 1.5, "2"),
            ("%.0f", 2.5, "2"),
            ("%f", 2.5, "2.500000"),
            ("%.6e", 1052.032911275, "1.052033e+03"),
            ("%.1e", -0.000_314, "-3.1e-04"),
            ("%e", 1e100, "1.000000e+100"),
            ("%e", f64::NAN, "NaN"),
        ] {
            formats(template, Double(value), expected);
        }
        formats("%f", Uint(3), "3.000000");
    }

    #[test]
    fn a_clause_refuses_values_of_other_types() {
        for template in ["%d", "%e", "%f", "%x", "%X", "%b", "%o"] {
            refuses("format", &[s(template), Val::list(vec![Val::Null])]);
        }
        refuses("format", &[s("%x"), Val::list(vec![Double(0.5)])]);
        refuses("format", &[s("%s"), Val::list(vec![Val::Optional(None)])]);
        let deep = (0..limits::COMPUTED_DEPTH).fold(ints(&[]), |inner, _| Val::list(vec![inner]));
        assert!(call("format", &[s("%s"), Val::list(vec![deep])]).is_err());
    }

    #[test]
    fn shared_values_are_paid_for_as_often_as_they_are_written() {
        let wide = (0..40).fold(ints(&[]), |inner, _| Val::list(vec![inner.clone(), inner]));
        let error = call_within(10_000, "format", &[s("%s"), Val::list(vec![wide])]).unwrap_err();
        assert_eq!(error.kind, crate::expr::EvalErrorKind::CostExceeded);
    }
}
