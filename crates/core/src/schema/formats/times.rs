//! `date`, `time`, `date-time` (RFC 3339 §5.6), `duration` (RFC 3339, appendix A) and `period`.

/// `2020-02-29`
pub(super) fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return false;
    };
    let is_leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap_year => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// `03:04:05.6Z`; a leap second only at the end of a day in UTC.
pub(super) fn is_time(text: &str) -> bool {
    let Some((clock, rest)) = text.split_at_checked(8) else { return false };
    let Some([hour, minute, second]) = clock_numbers(clock) else { return false };
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => match fraction.trim_start_matches(|c: char| c.is_ascii_digit()) {
            unchanged if unchanged.len() == fraction.len() => return false,
            rest => rest,
        },
        None => rest,
    };
    let Some(offset) = offset_minutes(rest) else { return false };
    if hour > 23 || minute > 59 || second > 60 {
        return false;
    }
    let minute_in_utc = (i64::from(hour * 60 + minute) - offset).rem_euclid(24 * 60);
    second < 60 || minute_in_utc == 24 * 60 - 1
}

/// A date and a time with `T` between them.
pub(super) fn is_date_time(text: &str) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else { return false };
    let time = rest.strip_prefix(['T', 't']);
    is_date(date) && time.is_some_and(is_time)
}

/// `P1Y2M3DT4H5M6S` or `P1W`; units stand in order and without gaps.
pub(super) fn is_duration(text: &str) -> bool {
    let Some(text) = text.strip_prefix('P') else { return false };
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let (Some(date), Some(time_units)) = (units(date), units(time.unwrap_or_default())) else { return false };
    let time_fits = match time {
        Some(_) => !time_units.is_empty() && "HMS".contains(&time_units),
        None => !date.is_empty(),
    };
    (date == "W" && time.is_none()) || ("YMD".contains(&date) && time_fits)
}

/// Two instants, or an instant and a duration, with `/` between them.
pub(super) fn is_period(text: &str) -> bool {
    let Some((start, end)) = text.split_once('/') else { return false };
    match (start.starts_with('P'), end.starts_with('P')) {
        (true, _) => is_duration(start) && is_date_time(end),
        (false, true) => is_date_time(start) && is_duration(end),
        (false, false) => is_date_time(start) && is_date_time(end),
    }
}

fn clock_numbers(clock: &str) -> Option<[u32; 3]> {
    let parts: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = parts.as_slice() else { return None };
    Some([number(hour, 2)?, number(minute, 2)?, number(second, 2)?])
}

/// `Z`, or an offset such as `+01:30`, in minutes.
fn offset_minutes(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, clock) = match text.strip_prefix('-') {
        Some(clock) => (-1, clock),
        None => (1, text.strip_prefix('+')?),
    };
    let (hour, minute) = clock.split_once(':')?;
    let (hour, minute) = (number(hour, 2)?, number(minute, 2)?);
    (hour <= 23 && minute <= 59).then(|| sign * i64::from(hour * 60 + minute))
}

/// The units of pairs of a number and a unit, such as `HM` of `1H2M`.
fn units(mut text: &str) -> Option<String> {
    let mut units = String::new();
    while !text.is_empty() {
        let after = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let unit = after.chars().next().filter(|_| after.len() < text.len())?;
        units.push(unit);
        text = after.strip_prefix(unit)?;
    }
    Some(units)
}

/// Exactly `digits` digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
