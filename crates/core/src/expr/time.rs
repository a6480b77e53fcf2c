//! Timestamps and durations: their ranges, their text forms, and the parts of a date.
//!
//! A timestamp lies in the years 1 to 9999; a duration has 64 bits of nanoseconds, about 292 years, as the peer
//! has it. Source: CEL language definition, "Timestamps and Durations"; the text of a duration is that of Go.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Zoned};

use super::functions::{CallError, Outcome};
use super::val::Val;
use crate::model::Timestamp;

const FIRST_SECOND: i64 = -62_135_596_800;
const LAST_SECOND: i64 = 253_402_300_799;

/// A duration within range.
pub(crate) fn duration<'r>(d: Option<SignedDuration>) -> Outcome<'r> {
    let in_range = d.filter(|d| i64::try_from(d.as_nanos()).is_ok());
    in_range.map(Val::Duration).ok_or_else(|| CallError::range("the duration is out of range"))
}

/// A timestamp within range, `seconds` after 1970.
pub(crate) fn timestamp<'r>(seconds: i64) -> Outcome<'r> {
    in_range(Timestamp::from_second(seconds).ok())
}

/// `t` moved by `d`.
pub(crate) fn later<'r>(t: Timestamp, d: SignedDuration) -> Outcome<'r> {
    in_range(t.checked_add(d).ok())
}

fn in_range<'r>(t: Option<Timestamp>) -> Outcome<'r> {
    let in_range = t.filter(|t| {
        let after_first =
            t.as_second() > FIRST_SECOND || (t.as_second() == FIRST_SECOND && t.subsec_nanosecond() >= 0);
        after_first && t.as_second() <= LAST_SECOND
    });
    in_range.map(Val::Timestamp).ok_or_else(|| CallError::range("the timestamp is out of range"))
}

/// Reads `2026-11-22T09:30:00.5+01:00` (RFC 3339).
pub(crate) fn parse_timestamp<'r>(text: &str) -> Outcome<'r> {
    let invalid =
        || CallError::invalid("the text is not an RFC 3339 timestamp such as `2026-01-31T09:30:00Z`");
    let (date_time, zone) = rfc3339(text).ok_or_else(invalid)?;
    in_range(Some(zone.to_timestamp(date_time).map_err(|_| invalid())?))
}

fn rfc3339(text: &str) -> Option<(DateTime, Offset)> {
    let mut rest = text;
    let year = digits(&mut rest, 4)?;
    let month = after(&mut rest, '-', 2)?;
    let day = after(&mut rest, '-', 2)?;
    let hour = after(&mut rest, 'T', 2)?;
    let minute = after(&mut rest, ':', 2)?;
    let second = after(&mut rest, ':', 2)?;
    let nanos = fraction(&mut rest)?;
    let small = |n: i32| i8::try_from(n).ok();
    let date_time = DateTime::new(
        i16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        nanos,
    );
    Some((date_time.ok()?, offset(rest)?))
}

/// `Z`, `+01:00` or `-01:00`.
fn offset(text: &str) -> Option<Offset> {
    if text == "Z" {
        return Some(Offset::UTC);
    }
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let hours = digits(&mut rest, 2)?;
    let minutes = after(&mut rest, ':', 2)?;
    let valid = rest.is_empty() && hours < 24 && minutes < 60;
    if valid { Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok() } else { None }
}

/// Takes exactly `count` digits off `rest`.
fn digits(rest: &mut &str, count: usize) -> Option<i32> {
    let text = rest.get(..count).filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    *rest = rest.get(count..)?;
    text.parse().ok()
}

fn after(rest: &mut &str, mark: char, count: usize) -> Option<i32> {
    *rest = rest.strip_prefix(mark)?;
    digits(rest, count)
}

/// An optional fraction of a second, in nanoseconds; digits beyond the ninth are dropped.
fn fraction(rest: &mut &str) -> Option<i32> {
    let Some(text) = rest.strip_prefix('.') else {
        return Some(0);
    };
    let length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if length == 0 {
        return None;
    }
    *rest = text.get(length..)?;
    let nine = format!("{:0<9}", text.get(..length.min(9))?);
    nine.parse().ok()
}

/// Reads `1h30m`, `-1.5s`, `250ms`: numbers with units.
pub(crate) fn parse_duration<'r>(text: &str) -> Outcome<'r> {
    match nanoseconds(text) {
        Some(nanos) => match i64::try_from(nanos) {
            Ok(nanos) => Ok(Val::Duration(SignedDuration::from_nanos(nanos))),
            Err(_) => Err(CallError::range("the duration is out of range")),
        },
        None => Err(CallError::invalid("the text is not a duration such as `1h30m` or `2.5s`")),
    }
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

/// `t` as seen in a time zone: an IANA name, or an offset such as `+02:00` or `-09:30`.
pub(crate) fn in_zone(t: Timestamp, zone: &str) -> Result<Zoned, CallError> {
    let zone = time_zone(zone).ok_or_else(|| CallError::invalid("there is no such time zone"))?;
    Ok(t.to_zoned(zone))
}

fn time_zone(name: &str) -> Option<TimeZone> {
    if name.is_empty() || name == "UTC" {
        return Some(TimeZone::UTC);
    }
    let signed = if name.starts_with(['+', '-']) { name.to_owned() } else { format!("+{name}") };
    if let Some(offset) = offset(&signed) {
        return Some(TimeZone::fixed(offset));
    }
    // The zones that come with the program: the core reads no file.
    TimeZoneDatabase::bundled().get(name).ok()
}
