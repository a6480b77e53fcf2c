//! Encodings: `base64.encode`, `base64.decode`, `json.encode`.
//!
//! Source: the encoders extension of CEL. Base64 is the standard alphabet of RFC 4648 §4.

use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{DecodeError, Engine as _};

use super::{CallCx, CallError, Function, Outcome, Overload, Ty};
use crate::expr::val::{List, MapVal, Val};
use crate::expr::wording;
use crate::limits;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        name: "base64.decode",
        overloads: &[Overload::function(&[Ty::String], Ty::Bytes)],
        call: base64_decode,
    },
    Function {
        name: "base64.encode",
        overloads: &[Overload::function(&[Ty::Bytes], Ty::String)],
        call: base64_encode,
    },
    Function {
        name: "json.encode",
        overloads: &[Overload::function(&[Ty::Dyn], Ty::String)],
        call: json_encode,
    },
];

/// With padding, or without it altogether. Line breaks are skipped before.
const READERS: [GeneralPurpose; 2] =
    [reader(DecodePaddingMode::RequireCanonical), reader(DecodePaddingMode::RequireNone)];

const fn reader(padding: DecodePaddingMode) -> GeneralPurpose {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(padding).with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&base64::alphabet::STANDARD, config)
}

fn base64_encode<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::Bytes(bytes)] = args else {
        return Err(CallError::no_overload());
    };
    cx.charge_bytes(bytes.len().saturating_mul(2))?;
    Ok(Val::string(&STANDARD.encode(bytes)))
}

fn base64_decode<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(text)] = args else {
        return Err(CallError::no_overload());
    };
    cx.charge_bytes(text.as_str().len())?;
    let kept = text.as_str().replace(['\n', '\r'], "");
    let [padded, unpadded] = READERS;
    match padded.decode(&kept).or_else(|_| unpadded.decode(&kept)) {
        Ok(bytes) => Ok(Val::Bytes(bytes.into())),
        Err(error) => {
            let at = place(&error, text.as_str());
            Err(CallError::invalid(format!("illegal base64 data at input byte {at}")))
        }
    }
}

/// The byte of `text` that cannot be decoded.
fn place(error: &DecodeError, text: &str) -> usize {
    let is_break = |b: u8| matches!(b, b'\n' | b'\r');
    match error {
        DecodeError::InvalidByte(at, _) => {
            let kept = text.bytes().enumerate().filter(|(_, b)| !is_break(*b));
            kept.map(|(position, _)| position).nth(*at).unwrap_or(text.len())
        }
        _ => text.find('=').unwrap_or_else(|| text.len().saturating_sub(1) / 4 * 4),
    }
}

/// Compact JSON with the keys of maps in order.
fn json_encode<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [value] = args else {
        return Err(CallError::no_overload());
    };
    let mut writer = JsonWriter { cx, text: String::new() };
    writer.value(value, 0)?;
    Ok(Val::string(&writer.text))
}

struct JsonWriter<'a, 'c> {
    cx: &'a CallCx<'c>,
    text: String,
}

impl JsonWriter<'_, '_> {
    fn value(&mut self, value: &Val<'_>, depth: usize) -> Result<(), CallError> {
        if depth == limits::COMPUTED_DEPTH {
            return Err(CallError::invalid(format!("values nest deeper than {}", limits::COMPUTED_DEPTH)));
        }
        self.cx.charge(1)?;
        match value {
            Val::Null => self.text.push_str("null"),
            Val::Bool(b) => self.text.push_str(if *b { "true" } else { "false" }),
            Val::Int(n) => self.integer(i128::from(*n)),
            Val::Uint(n) => self.integer(i128::from(*n)),
            Val::Double(n) => self.double(*n)?,
            Val::String(text) => self.string(text.as_str())?,
            Val::Bytes(bytes) => {
                self.cx.charge_bytes(bytes.len())?;
                self.string(&STANDARD.encode(bytes))?;
            }
            Val::List(items) => self.list(items, depth)?,
            Val::Map(map) => self.map(map, depth)?,
            Val::Timestamp(at) => self.string(&at.to_string())?,
            Val::Duration(span) => self.string(&format!("{}s", span.as_secs_f64()))?,
            Val::Optional(Some(inner)) => self.value(inner, depth + 1)?,
            Val::Optional(None) | Val::Type(_) | Val::Opaque(_) => {
                return Err(no_json_form(value));
            }
        }
        Ok(())
    }

    /// Numbers that a double cannot hold become strings, as in the JSON form of Protocol Buffers.
    fn integer(&mut self, number: i128) {
        const EXACT: i128 = 1 << 53;
        if number.abs() < EXACT {
            self.text.push_str(&number.to_string());
        } else {
            self.text.push_str(&format!("\"{number}\""));
        }
    }

    /// Very large and very small numbers have an exponent, with its sign.
    fn double(&mut self, number: f64) -> Result<(), CallError> {
        if !number.is_finite() {
            return Err(no_json_form(&Val::Double(number)));
        }
        let plain = number == 0.0 || (1e-6..1e21).contains(&number.abs());
        let text = if plain { number.to_string() } else { format!("{number:e}") };
        let text = if text.contains("e-") { text } else { text.replace('e', "e+") };
        self.text.push_str(&text);
        Ok(())
    }

    /// As the peer writes it, so that the text is safe inside HTML.
    fn string(&mut self, text: &str) -> Result<(), CallError> {
        self.cx.charge_bytes(text.len().saturating_mul(6))?;
        let quoted =
            serde_json::to_string(text).map_err(|_| CallError::invalid("the text has no JSON form"))?;
        for c in quoted.chars() {
            match c {
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    self.text.push_str(&format!("\\u{:04x}", u32::from(c)));
                }
                other => self.text.push(other),
            }
        }
        Ok(())
    }

    fn list(&mut self, items: &List<'_>, depth: usize) -> Result<(), CallError> {
        self.text.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.value(&item, depth + 1)?;
        }
        self.text.push(']');
        Ok(())
    }

    fn map(&mut self, map: &MapVal<'_>, depth: usize) -> Result<(), CallError> {
        self.text.push('{');
        for (index, (key, value)) in sorted_entries(self.cx, map)?.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.string(key)?;
            self.text.push(':');
            self.value(value, depth + 1)?;
        }
        self.text.push('}');
        Ok(())
    }
}

/// The entries by key, so the order of a map is never visible. JSON has string keys only.
fn sorted_entries<'r>(cx: &CallCx<'_>, map: &MapVal<'r>) -> Result<Vec<(String, Val<'r>)>, CallError> {
    let mut entries = Vec::new();
    match map {
        MapVal::Values(map) => {
            cx.charge(map.len())?;
            entries.extend(map.iter().map(|(key, value)| (key.to_owned(), Val::from(value))));
        }
        MapVal::Owned(pairs) => {
            cx.charge(pairs.len())?;
            for (key, value) in pairs.iter() {
                let Val::String(key) = key else {
                    return Err(CallError::invalid(wording::no_text(key)));
                };
                cx.charge_bytes(key.as_str().len())?;
                entries.push((key.as_str().to_owned(), value.clone()));
            }
        }
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(entries)
}

fn no_json_form(value: &Val<'_>) -> CallError {
    CallError::invalid(wording::no_json_form(value))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, check, refuses, s};
    use super::*;
    use crate::value::Value;

    #[test]
    fn base64_goes_both_ways() {
        let bytes = || Val::Bytes(b"hello".as_slice().into());
        check("base64.encode", &[bytes()], &s("aGVsbG8="));
        check("base64.decode", &[s("aGVsbG8=")], &bytes());
        check("base64.decode", &[s("aGVsbG8")], &bytes());
        check("base64.decode", &[s("aGVs\r\nbG8=")], &bytes());
        refuses("base64.decode", &[s("not base64!")]);
        refuses("base64.encode", &[s("hello")]);
    }

    #[test]
    fn json_is_compact_and_sorted() {
        let map = crate::value::Map::from_entries(vec![
            ("id".into(), Value::String("1\"25".into())),
            ("department".into(), Value::Number(1.5)),
            ("tags".into(), Value::List(vec![Value::Null, Value::Bool(true), Value::Number(5.0)])),
        ]);
        let value = Value::Map(map.unwrap());
        let expected = r#"{"department":1.5,"id":"1\"25","tags":[null,true,5]}"#;
        check("json.encode", &[Val::from(&value)], &s(expected));
        check("json.encode", &[Val::Int(i64::MAX)], &s("\"9223372036854775807\""));
        check("json.encode", &[Val::Bytes(b"hi".as_slice().into())], &s("\"aGk=\""));
        let owned = |a, b| Val::Map(MapVal::Owned([(b, s("b")), (a, s("a"))].into()));
        check("json.encode", &[owned(s("1"), s("2"))], &s(r#"{"1":"a","2":"b"}"#));
        refuses("json.encode", &[owned(Val::Int(1), Val::Int(2))]);
        check("json.encode", &[s("<a&b>\u{2028}\u{1}")], &s(r#""\u003ca\u0026b\u003e\u2028\u0001""#));
        for (number, expected) in
            [(1e21, "1e+21"), (1e20, "100000000000000000000"), (-1.5e-7, "-1.5e-7"), (0.0, "0")]
        {
            check("json.encode", &[Val::Double(number)], &s(expected));
        }
        refuses("json.encode", &[Val::Double(f64::NAN)]);
        refuses("json.encode", &[Val::Type("int")]);
    }

    #[test]
    fn a_value_that_nests_too_deep_is_refused() {
        let deep = (0..limits::COMPUTED_DEPTH).fold(Val::list(vec![]), |inner, _| Val::list(vec![inner]));
        assert!(call("json.encode", &[deep]).is_err());
    }
}
