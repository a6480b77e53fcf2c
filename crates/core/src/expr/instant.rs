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
        let (date_time, offset) = rfc3339(text).ok_or(NotAnInstant::Malformed)?;
        let utc = date_time.duration_since(EPOCH) - SignedDuration::from_secs(offset.seconds().into());
        Self { second: 0, nanosecond: 0, offset }.plus(utc).ok_or(NotAnInstant::OutOfRange)
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

/// Whether each part of `text` by itself could be part of a timestamp, be there such a day or not.
pub(crate) fn has_shape(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let mut rest = upper.as_str();
    let mut parts = || {
        let year = digits(&mut rest, 4)?;
        let date = [after(&mut rest, '-', 2)?, after(&mut rest, '-', 2)?];
        let time = [after(&mut rest, 'T', 2)?, after(&mut rest, ':', 2)?, after(&mut rest, ':', 2)?];
        fraction(&mut rest)?;
        offset(rest)?;
        Some((year, date, time))
    };
    matches!(parts(), Some((_, [1..=12, 1..=31], [0..=23, 0..=59, 0..=60])))
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
