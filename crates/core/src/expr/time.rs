//! Timestamps and durations as values: their ranges and text forms.
//!
//! A timestamp lies in the years 1 to 9999; a duration has 64 bits of nanoseconds, about 292 years, as the peer
//! has it. Source: CEL language definition, "Timestamps and Durations"; the text of a duration is that of Go.

use jiff::SignedDuration;

use super::functions::{CallError, Outcome};
use super::instant::{self, Instant, NotAnInstant};
use super::val::Val;
use super::wording;

/// A duration within range.
pub(crate) fn duration<'r>(d: Option<SignedDuration>) -> Outcome<'r> {
    let in_range = d.filter(|d| i64::try_from(d.as_nanos()).is_ok());
    in_range.map(Val::Duration).ok_or_else(|| CallError::range("integer overflow"))
}

/// A timestamp within range, `seconds` after 1970.
pub(crate) fn timestamp<'r>(seconds: i64) -> Outcome<'r> {
    in_range(Instant::new(seconds, 0))
}

/// `t` moved by `d`.
pub(crate) fn later<'r>(t: Instant, d: SignedDuration) -> Outcome<'r> {
    in_range(t.plus(d))
}

fn in_range<'r>(t: Option<Instant>) -> Outcome<'r> {
    t.map(Val::Timestamp).ok_or_else(out_of_range)
}

fn out_of_range() -> CallError {
    CallError::range("timestamp overflow")
}

/// Reads `2026-11-22T09:30:00.5+01:00` (RFC 3339).
pub(crate) fn parse_timestamp<'r>(text: &str) -> Outcome<'r> {
    text.parse().map(Val::Timestamp).map_err(|error| match error {
        NotAnInstant::Malformed if instant::has_shape(text) => {
            CallError::invalid(wording::no_conversion("string", "google.protobuf.Timestamp"))
        }
        NotAnInstant::Malformed => {
            CallError::invalid(format!("invalid RFC 3339 timestamp {}", wording::quoted(text)))
        }
        NotAnInstant::OutOfRange => out_of_range(),
    })
}

/// Reads `1h30m`, `-1.5s`, `250ms`: numbers with units.
pub(crate) fn parse_duration<'r>(text: &str) -> Outcome<'r> {
    match nanoseconds(text) {
        Some(nanos) => match i64::try_from(nanos) {
            Ok(nanos) => Ok(Val::Duration(SignedDuration::from_nanos(nanos))),
            Err(_) => Err(no_duration()),
        },
        None => Err(no_duration()),
    }
}

fn no_duration() -> CallError {
    CallError::invalid(wording::no_conversion("string", "google.protobuf.Duration"))
}

fn nanoseconds(text: &str) -> Option<i128> {
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Some(0);
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let (amount, tail) = rest.split_at_checked(number)?;
        let unit_length = tail.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_length)?;
        total = total.checked_add(amount_in_nanos(amount, unit)?)?;
        rest = tail;
    }
    let any = !text.trim_start_matches(['-', '+']).is_empty();
    any.then_some(if negative { -total } else { total })
}

fn amount_in_nanos(amount: &str, unit: &str) -> Option<i128> {
    let unit: i128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    // A number too long to parse is out of range in any unit.
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(i128::from(u64::MAX)) };
    let fraction = fraction.get(..fraction.len().min(15))?;
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    whole.checked_mul(unit)?.checked_add(fraction * unit / scale)
}

/// The text of a duration: seconds, with as many decimals as needed, and `s`.
pub(crate) fn duration_text(d: SignedDuration) -> String {
    let sign = if d.is_negative() { "-" } else { "" };
    let (seconds, nanos) = (d.as_secs().unsigned_abs(), d.subsec_nanos().unsigned_abs());
    if nanos == 0 {
        return format!("{sign}{seconds}s");
    }
    let decimals = format!("{nanos:09}");
    format!("{sign}{seconds}.{}s", decimals.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_go_does() {
        let cases = [
            ("1h30m", "5400s"),
            ("-1.5s", "-1.5s"),
            ("250ms", "0.25s"),
            ("1us", "0.000001s"),
            ("+2h", "7200s"),
            ("0", "0s"),
            (".5s", "0.5s"),
            ("1.s", "1s"),
            ("1h1m1s1ms1us1ns", "3661.001001001s"),
            ("0.000000001s", "0.000000001s"),
        ];
        for (text, expected) in cases {
            let Ok(Val::Duration(d)) = parse_duration(text) else { panic!("{text}") };
            assert_eq!(duration_text(d), expected, "{text}");
        }
        for text in [
            "",
            "-",
            "1",
            "s",
            "1x",
            "1 s",
            "1.2.3s",
            ".s",
            "--1s",
            "1s-",
            "9223372037s",
            "99999999999999999999h",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
