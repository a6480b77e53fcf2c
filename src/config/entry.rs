//! The members of an entry of a list of the configuration, checked one by one.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::SignedDuration;

/// The path of a member below its list, and how to mend it.
pub(super) type Problem = (String, String);

/// Longest name, in bytes: it names a file, a metric, a path.
const MAX_NAME_BYTES: usize = 64;

/// Fails unless `text` can name something: lower-case letters, digits and `-`.
pub(super) fn name(member: &str, text: &str) -> Result<(), Problem> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=MAX_NAME_BYTES).contains(&text.len()) && text.chars().all(fits) && !text.starts_with('-') {
        return Ok(());
    }
    let shown = text.escape_debug();
    let advice = format!("must be 1 to {MAX_NAME_BYTES} lower-case letters, digits and `-`, not `{shown}`");
    Err((member.to_owned(), advice))
}

/// A whole number within `range`; `usual` if none is given.
pub(super) fn number(
    member: &str,
    given: Option<u64>,
    usual: u64,
    range: RangeInclusive<u64>,
) -> Result<u64, Problem> {
    let number = given.unwrap_or(usual);
    if range.contains(&number) {
        return Ok(number);
    }
    let (least, most) = range.into_inner();
    Err((member.to_owned(), format!("must be a whole number from {least} to {most}, not `{number}`")))
}

/// [`number`], of things.
pub(super) fn count(
    member: &str,
    given: Option<u64>,
    usual: u64,
    range: RangeInclusive<u64>,
) -> Result<usize, Problem> {
    number(member, given, usual, range).map(|count| usize::try_from(count).unwrap_or(usize::MAX))
}

/// A duration within `range`, `usual` if none is given; both are milliseconds.
pub(super) fn duration(
    member: &str,
    given: Option<&str>,
    usual: u64,
    range: RangeInclusive<u64>,
) -> Result<Duration, Problem> {
    let Some(text) = given else { return Ok(Duration::from_millis(usual)) };
    let (least, most) = range.into_inner();
    let (least, most) = (Duration::from_millis(least), Duration::from_millis(most));
    let parsed = text.parse::<SignedDuration>().ok().and_then(|parsed| Duration::try_from(parsed).ok());
    parsed.filter(|duration| (least..=most).contains(duration)).ok_or_else(|| {
        let advice = format!("must be a duration from {least:?} to {most:?}, such as `1s`, not `{text}`");
        (member.to_owned(), advice)
    })
}
