//! Points in time, from the first to the last nanosecond of the years 1 to 9999.
//!
//! The range is that of `google.protobuf.Timestamp`, so that an expiry at the end of the year 9999 stands for never.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use crate::model::Timestamp;

/// A point in time, nanosecond resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant {
    /// Since 1970, rounded down.
    second: i64,
    /// Past the second, 0 to 999 999 999.
    nanosecond: i32,
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
        in_range.then_some(Self { second, nanosecond })
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
        Self::new(
            since_epoch.as_secs() - down,
            since_epoch.subsec_nanos() + i32::try_from(down).ok()? * 1_000_000_000,
        )
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
    /// `None` if there is no such zone, or the year there is no longer within range.
    pub(crate) fn in_zone(self, zone: &str) -> Option<DateTime> {
        let zone = time_zone(zone)?;
        let known = self.second.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let offset = zone.to_offset(Timestamp::from_second(known).ok()?);
        self.at_offset(offset)
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
        Self { second, nanosecond: t.subsec_nanosecond().rem_euclid(1_000_000_000) }
    }
}

/// RFC 3339 in UTC, with as many decimals as needed.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at_offset(Offset::UTC) {
            Some(date_time) => write!(f, "{date_time}Z"),
            None => Err(fmt::Error),
        }
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
        let (date_time, offset) = rfc3339(text).ok_or(NotAnInstant::Malformed)?;
        let utc = date_time.duration_since(EPOCH) - SignedDuration::from_secs(offset.seconds().into());
        Self { second: 0, nanosecond: 0 }.plus(utc).ok_or(NotAnInstant::OutOfRange)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc_3339_and_within_range() {
        let cases = [
            ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00Z"),
            ("2026-01-31T09:30:00.5+01:30", "2026-01-31T08:00:00.5Z"),
            ("2026-01-31T09:30:00.1234567891234-00:30", "2026-01-31T10:00:00.123456789Z"),
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
    fn zones_are_names_or_offsets() {
        let t = "2026-07-01T12:00:00Z".parse::<Instant>().unwrap();
        for (zone, hour) in
            [("UTC", 12), ("", 12), ("Europe/Vienna", 14), ("+02:00", 14), ("02:30", 14), ("-09:30", 2)]
        {
            assert_eq!(t.in_zone(zone).unwrap().hour(), hour, "{zone}");
        }
        for zone in ["Nowhere/Land", "../../etc/passwd", "+99:00", "é"] {
            assert!(t.in_zone(zone).is_none(), "{zone}");
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
        assert!(last.in_zone("Asia/Tokyo").is_none());
        let before = first.plus(SignedDuration::from_nanos(1)).unwrap();
        assert_eq!(before.to_string(), "0001-01-01T00:00:00.000000001Z");
    }
}
