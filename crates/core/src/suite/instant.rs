//! `now` of the test options: an instant as RFC 3339 writes it, refused in the peer's words.

use crate::model::Timestamp;

/// What the peer calls the form; it is part of its messages.
const FORM: &str = "2006-01-02T15:04:05.999999999Z07:00";

/// The parts before the fraction: as the form writes them, how many digits (none for a sign that stands for itself),
/// the range, and what the peer calls it.
const PARTS: [(&str, usize, std::ops::RangeInclusive<u32>, &str); 11] = [
    ("2006", 4, 0..=9999, "year"),
    ("-", 0, 0..=0, ""),
    ("01", 2, 1..=12, "month"),
    ("-", 0, 0..=0, ""),
    ("02", 2, 1..=31, "day"),
    ("T", 0, 0..=0, ""),
    ("15", 2, 0..=23, "hour"),
    (":", 0, 0..=0, ""),
    ("04", 2, 0..=59, "minute"),
    (":", 0, 0..=0, ""),
    ("05", 2, 0..=59, "second"),
];

/// The instant that `text` says, or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    scan(text).and_then(|()| text.parse().map_err(|_| "day out of range".to_owned())).map_err(|reason| {
        let form = if reason.starts_with("cannot") { format!(" as {FORM:?}") } else { String::new() };
        format!("invalid timestamp value {text:?}: parsing time {text:?}{form}: {reason}")
    })
}

fn scan(text: &str) -> Result<(), String> {
    let mut rest = text;
    for (written, digits, range, name) in PARTS {
        let mismatch = || format!("cannot parse {rest:?} as {written:?}");
        if digits == 0 {
            rest = rest.strip_prefix(written).ok_or_else(mismatch)?;
            continue;
        }
        let (number, after) = rest.split_at_checked(digits).ok_or_else(mismatch)?;
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(mismatch());
        }
        if !number.parse().is_ok_and(|number| range.contains(&number)) {
            return Err(format!("{name} out of range"));
        }
        rest = after;
    }
    zone(without_fraction(rest))
}

fn without_fraction(rest: &str) -> &str {
    match rest.strip_prefix('.').map(|fraction| fraction.trim_start_matches(|c: char| c.is_ascii_digit())) {
        Some(after) if after.len() + 1 < rest.len() => after,
        _ => rest,
    }
}

fn zone(rest: &str) -> Result<(), String> {
    let after = match rest.strip_prefix('Z') {
        Some(after) => Some(after),
        None => rest.split_at_checked(6).filter(|(offset, _)| is_offset(offset)).map(|(_, after)| after),
    };
    match after {
        Some("") => Ok(()),
        Some(extra) => Err(format!("extra text: {extra:?}")),
        None => Err(format!("cannot parse {rest:?} as \"Z07:00\"")),
    }
}

/// Whether `offset` is of the form `+07:00`.
fn is_offset(offset: &str) -> bool {
    let matches = |(b, form): (u8, u8)| match form {
        b'+' => matches!(b, b'+' | b'-'),
        b'0' => b.is_ascii_digit(),
        _ => b == form,
    };
    offset.len() == 6 && offset.bytes().zip(*b"+00:00").all(matches)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn instants_are_read_as_the_peer_reads_them() {
        for text in ["2022-08-02T15:00:00Z", "2022-08-02T15:00:00.123456789+02:00", "0001-01-01T00:00:00Z"] {
            assert_eq!(parse(text), Ok(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused_in_the_peers_words() {
        let cases = [
            ("blah", "cannot parse \"blah\" as \"2006\""),
            ("", "cannot parse \"\" as \"2006\""),
            ("20220201", "cannot parse \"0201\" as \"-\""),
            ("2022-2-01T25:00:00Z", "cannot parse \"2-01T25:00:00Z\" as \"01\""),
            ("2022-08-02", "cannot parse \"\" as \"T\""),
            ("2022-02-01 20:00:00Z", "cannot parse \" 20:00:00Z\" as \"T\""),
            ("2022-08-02T15:00:00", "cannot parse \"\" as \"Z07:00\""),
            ("2022-02-01T20:00:00.Z", "cannot parse \".Z\" as \"Z07:00\""),
        ];
        for (text, reason) in cases {
            let form = "2006-01-02T15:04:05.999999999Z07:00";
            let expected =
                format!("invalid timestamp value {text:?}: parsing time {text:?} as {form:?}: {reason}");
            assert_eq!(parse(text), Err(expected));
        }
        let cases = [
            ("2022-13-01T00:00:00Z", "month out of range"),
            ("2022-02-31T00:00:00Z", "day out of range"),
            ("2022-02-01T25:00:00Z", "hour out of range"),
            ("2022-02-01T20:00:00Zfoo", "extra text: \"foo\""),
        ];
        for (text, reason) in cases {
            let expected = format!("invalid timestamp value {text:?}: parsing time {text:?}: {reason}");
            assert_eq!(parse(text), Err(expected));
        }
    }
}
