//! Points in time, from the first to the last nanosecond of the years 1 to 9999.
//!
//! The range is that of `google.protobuf.Timestamp`, so that an expiry at the end of the year 9999 stands for never.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use super::wording;
use crate::model::Timestamp;

/// A point in time, nanosecond resolution. It is shown at the offset that it was written with; two are equal if they
/// are the same point in time.
#[derive(Clone, Copy, Debug)]
pub struct Instant {
    /// Since 1970, rounded down.
    second: i64,
    /// Past the second, 0 to 999 999 999.
    nanosecond: i32,
    /// How far local time is ahead of UTC.
    offset: Offset,
}

const FIRST_SECOND: i64 = -62_135_596_800;
const LAST_SECOND: i64 = 253_402_300_799;
const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

impl Instant {
    /// `second` and `nanosecond` (0 to 999 999 999) after the start of 1970; `None` outside the years 1 to 9999.
    #[must_use]
    pub fn new(second: i64, nanosecond: i32) -> Option<Self> {
        let in_range =
            (FIRST_SECOND..=LAST_SECOND).contains(&second) && (0..1_000_000_000).contains(&nanosecond);
        in_range.then_some(Self { second, nanosecond, offset: Offset::UTC })
    }

    /// Seconds since the start of 1970, rounded down.
    #[must_use]
    pub fn second(self) -> i64 {
        self.second
    }

    /// The instant `d` later; `None` outside the years 1 to 9999.
    #[must_use]
    pub fn plus(self, d: SignedDuration) -> Option<Self> {
        let since_epoch = self.since_epoch().checked_add(d)?;
        let down = i64::from(since_epoch.subsec_nanos() < 0);
        let moved = Self::new(
            since_epoch.as_secs() - down,
            since_epoch.subsec_nanos() + i32::try_from(down).ok()? * 1_000_000_000,
        )?;
        Some(Self { offset: self.offset, ..moved })
    }

    /// The same point in time, to be shown in UTC.
    #[must_use]
    pub(crate) fn in_utc(self) -> Self {
        Self { offset: Offset::UTC, ..self }
    }

    /// How long after `earlier` this is.
    #[must_use]
    pub fn since(self, earlier: Self) -> SignedDuration {
        self.since_epoch() - earlier.since_epoch()
    }

    fn since_epoch(self) -> SignedDuration {
        SignedDuration::new(self.second, self.nanosecond)
    }

    /// Date and time in a zone: an IANA name, or an offset such as `+02:00` or `-09:30`.
    /// `Err` says why there is no such zone; or the year there is no longer within range.
    pub(crate) fn in_zone(self, zone: &str) -> Result<DateTime, String> {
        let unknown = || format!("unknown time zone {}", wording::shortened(zone));
        let time_zone = time_zone(zone)?.ok_or_else(unknown)?;
        let known = self.second.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let known = Timestamp::from_second(known).map_err(|_| unknown())?;
        self.at_offset(time_zone.to_offset(known)).ok_or_else(unknown)
    }

    fn at_offset(self, offset: Offset) -> Option<DateTime> {
        let local = self.since_epoch().checked_add(SignedDuration::from_secs(offset.seconds().into()))?;
        EPOCH.checked_add(local).ok()
    }
}

/// The nearest instant within range.
impl From<Timestamp> for Instant {
    fn from(t: Timestamp) -> Self {
        let down = i64::from(t.subsec_nanosecond() < 0);
        let second = (t.as_second() - down).clamp(FIRST_SECOND, LAST_SECOND);
        let nanosecond = t.subsec_nanosecond().rem_euclid(1_000_000_000);
        Self { second, nanosecond, offset: Offset::UTC }
    }
}

impl PartialEq for Instant {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Instant {}

impl PartialOrd for Instant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Instant {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.second, self.nanosecond).cmp(&(other.second, other.nanosecond))
    }
}

/// RFC 3339, with as many decimals as needed.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(date_time) = self.at_offset(self.offset) else {
            return Err(fmt::Error);
        };
        let minutes = self.offset.seconds() / 60;
        if minutes == 0 {
            return write!(f, "{date_time}Z");
        }
        let sign = if minutes < 0 { '-' } else { '+' };
        write!(f, "{date_time}{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
    }
}

/// Why a text is not an [`Instant`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAnInstant {
    /// It is not RFC 3339.
    Malformed,
    /// It lies outside the years 1 to 9999.
    OutOfRange,
}

/// Reads `2026-11-22T09:30:00.5+01:00` (RFC 3339).
impl FromStr for Instant {
    type Err = NotAnInstant;

    fn from_str(text: &str) -> Result<Self, NotAnInstant> {
        let (local, nanosecond, offset) = rfc3339(text).ok_or(NotAnInstant::Malformed)?;
        let utc = Self::new(local - i64::from(offset.seconds()), nanosecond);
        utc.map(|utc| Self { offset, ..utc }).ok_or(NotAnInstant::OutOfRange)
    }
}

/// Seconds of the local time since 1970, nanoseconds, and how far that is ahead of UTC.
fn rfc3339(text: &str) -> Option<(i64, i32, Offset)> {
    let Written { year, date: [month, day], time: [hour, minute, second], nanosecond, offset } =
        Written::read(text)?;
    let valid = (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let local = days_since_1970(year, month, day) * 86_400 + i64::from(hour * 3_600 + minute * 60 + second);
    valid.then_some((local, nanosecond, offset))
}

/// Whether each part of `text` by itself could be part of a timestamp, be there such a day or not.
pub(crate) fn has_shape(text: &str) -> bool {
    let parts = Written::read(&text.to_ascii_uppercase()).map(|written| (written.date, written.time));
    matches!(parts, Some(([1..=12, 1..=31], [0..=23, 0..=59, 0..=60])))
}

fn days_of_month(year: i32, month: i32) -> i32 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar, for years from 0 on. A year begins in March here, so that the leap day is
/// its last: five months take 153 days, whichever they are.
fn days_since_1970(year: i32, month: i32, day: i32) -> i64 {
    const MARCH_OF_YEAR_0: i32 = 719_468;
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    i64::from(year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - MARCH_OF_YEAR_0)
}

/// A timestamp as it is written, its parts not checked against each other.
struct Written {
    year: i32,
    /// Month and day.
    date: [i32; 2],
    /// Hour, minute and second.
    time: [i32; 3],
    nanosecond: i32,
    offset: Offset,
}

impl Written {
    fn read(text: &str) -> Option<Self> {
        let mut rest = text.as_bytes();
        let year = digits(&mut rest, 4)?;
        let date = [after(&mut rest, b'-', 2)?, after(&mut rest, b'-', 2)?];
        let time = [after(&mut rest, b'T', 2)?, after(&mut rest, b':', 2)?, after(&mut rest, b':', 2)?];
        let nanosecond = fraction(&mut rest)?;
        Some(Self { year, date, time, nanosecond, offset: offset(rest)? })
    }
}

/// `Z`, `+01:00` or `-01:00`.
fn offset(text: &[u8]) -> Option<Offset> {
    let (sign, mut rest) = match text {
        b"Z" => return Some(Offset::UTC),
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => return None,
    };
    let hours = digits(&mut rest, 2)?;
    let minutes = after(&mut rest, b':', 2)?;
    let valid = rest.is_empty() && hours < 24 && minutes < 60;
    if valid { Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok() } else { None }
}

/// Takes exactly `count` digits off `rest`.
fn digits(rest: &mut &[u8], count: usize) -> Option<i32> {
    let (digits, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    digits.iter().try_fold(0, |number, byte| Some(number * 10 + digit(*byte)?))
}

fn digit(byte: u8) -> Option<i32> {
    byte.is_ascii_digit().then(|| i32::from(byte - b'0'))
}

fn after(rest: &mut &[u8], mark: u8, count: usize) -> Option<i32> {
    *rest = rest.strip_prefix(&[mark])?;
    digits(rest, count)
}

/// An optional fraction of a second, in nanoseconds; digits beyond the ninth are dropped.
fn fraction(rest: &mut &[u8]) -> Option<i32> {
    let [b'.', tail @ ..] = *rest else {
        return Some(0);
    };
    let (mut nanosecond, mut unit, mut tail) = (0, 100_000_000, tail);
    let [first, ..] = tail else { return None };
    digit(*first)?;
    while let [byte, beyond @ ..] = tail
        && let Some(digit) = digit(*byte)
    {
        nanosecond += digit * unit;
        unit /= 10;
        tail = beyond;
    }
    *rest = tail;
    Some(nanosecond)
}

fn time_zone(name: &str) -> Result<Option<TimeZone>, String> {
    if name.is_empty() || name == "UTC" {
        return Ok(Some(TimeZone::UTC));
    }
    if let Some((hours, minutes)) = name.split_once(':') {
        return zone_offset(hours, minutes).map(|offset| offset.map(TimeZone::fixed));
    }
    if name.starts_with(['/', '\\']) || name.contains("..") {
        return Err("time: invalid location name".to_owned());
    }
    // The zones that come with the program: the core reads no file. Their names have one spelling.
    let zone = TimeZoneDatabase::bundled().get(name).ok();
    Ok(zone.filter(|zone| zone.iana_name() == Some(name)))
}

/// The offset of `+02:00`, read as the peer reads it: neither part has a fixed width.
fn zone_offset(hours: &str, minutes: &str) -> Result<Option<Offset>, String> {
    let number = |text: &str| {
        let malformed = || format!("strconv.Atoi: parsing {}: invalid syntax", wording::quoted(text));
        text.parse::<i32>().map_err(|_| malformed())
    };
    let (h, m) = (number(hours)?, number(minutes)?);
    let m = if hours.starts_with('-') { m.checked_neg() } else { Some(m) };
    let seconds = h.checked_mul(60).zip(m).and_then(|(h, m)| h.checked_add(m)?.checked_mul(60));
    Ok(seconds.and_then(|seconds| Offset::from_seconds(seconds).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc_3339_and_within_range() {
        let cases = [
            ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00Z"),
            ("2026-01-31T09:30:00.5+01:30", "2026-01-31T09:30:00.5+01:30"),
            ("2026-01-31T09:30:00.1234567891234-00:30", "2026-01-31T09:30:00.123456789-00:30"),
            ("2026-01-31T09:30:00-00:00", "2026-01-31T09:30:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
        ];
        for (text, expected) in cases {
            let t: Instant = text.parse().unwrap();
            assert_eq!(t.to_string(), expected, "{text}");
        }
        let refused = [
            "2026-01-31",
            "2026-01-31T09:30Z",
            "2026-01-31 09:30:00Z",
            "2026-02-30T00:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T09:30:00",
            "2026-01-31T09:30:00z",
            "2026-01-31T09:30:00.Z",
            "2026-01-31T09:30:00+1:00",
            "2026-01-31T09:30:00+24:00",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
        ];
        for text in refused {
            assert!(text.parse::<Instant>().is_err(), "{text}");
        }
    }

    #[test]
    fn days_are_counted_as_the_calendar_has_them() {
        let mut day = date(0, 1, 1);
        for expected in -719_528.. {
            let (year, month) = (i32::from(day.year()), i32::from(day.month()));
            assert_eq!(days_since_1970(year, month, day.day().into()), expected, "{day}");
            assert_eq!(days_of_month(year, month), i32::from(day.days_in_month()), "{day}");
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        assert_eq!(day, date(9999, 12, 31));
    }

    #[test]
    fn zones_are_names_or_offsets() {
        let t = "2026-07-01T12:00:00Z".parse::<Instant>().unwrap();
        for (zone, hour) in
            [("UTC", 12), ("", 12), ("Europe/Vienna", 14), ("+02:00", 14), ("02:30", 14), ("-09:30", 2)]
        {
            assert_eq!(t.in_zone(zone).unwrap().hour(), hour, "{zone}");
        }
        for zone in ["Nowhere/Land", "../../etc/passwd", "+99:00", "é", "europe/vienna", "+1:a", "Local"] {
            assert!(t.in_zone(zone).is_err(), "{zone}");
        }
    }

    #[test]
    fn the_whole_range_can_be_read_moved_and_shown() {
        let last: Instant = "9999-12-31T23:59:59.999999999Z".parse().unwrap();
        let first: Instant = "0001-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(first.plus(last.since(first)), Some(last));
        assert_eq!(last.plus(SignedDuration::from_nanos(1)), None);
        assert_eq!(first.plus(SignedDuration::from_nanos(-1)), None);
        assert_eq!(last.in_zone("America/New_York").unwrap().hour(), 18);
        assert!(last.in_zone("Asia/Tokyo").is_err());
        let before = first.plus(SignedDuration::from_nanos(1)).unwrap();
        assert_eq!(before.to_string(), "0001-01-01T00:00:00.000000001Z");
    }
}
