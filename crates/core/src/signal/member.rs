//! Members of objects from outside, read one by one, each of its type and within its bounds.

use crate::limits::SET_TEXT_BYTES;
use crate::model::Timestamp;
use crate::value::{Map, Value};

/// What is wrong with an object. It repeats nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{member}` {problem}")]
pub struct Malformed {
    /// The member at fault, by its name in the standard.
    pub member: &'static str,
    /// What is wrong with it: lower-case, follows the name of the member.
    pub problem: &'static str,
}

impl Malformed {
    pub(super) const fn new(member: &'static str, problem: &'static str) -> Self {
        Self { member, problem }
    }

    const fn missing(member: &'static str) -> Self {
        Self::new(member, "is missing")
    }
}

/// The text under `member`, which is there and not empty, at most `most` bytes long and without control characters.
pub(super) fn text<'m>(map: &'m Map<'_>, member: &'static str, most: usize) -> Result<&'m str, Malformed> {
    optional_text(map, member, most)?.ok_or(Malformed::missing(member))
}

/// As [`text`], of a member that may be left out.
pub(super) fn optional_text<'m>(
    map: &'m Map<'_>,
    member: &'static str,
    most: usize,
) -> Result<Option<&'m str>, Malformed> {
    match map.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => bounded(text, member, most).map(Some),
        Some(_) => Err(Malformed::new(member, "is not a text")),
    }
}

/// `text`, if it is not empty, at most `most` bytes long and without control characters.
pub(super) fn bounded<'t>(text: &'t str, member: &'static str, most: usize) -> Result<&'t str, Malformed> {
    match text {
        "" => Err(Malformed::new(member, "is empty")),
        _ if text.len() > most => Err(Malformed::new(member, "is too long")),
        _ if text.chars().any(char::is_control) => Err(Malformed::new(member, "has control characters")),
        _ => Ok(text),
    }
}

/// The text under `member`, which is there and one of `words`.
pub(super) fn word<'m>(map: &'m Map<'_>, member: &'static str, words: &[&str]) -> Result<&'m str, Malformed> {
    optional_word(map, member, words)?.ok_or(Malformed::missing(member))
}

/// As [`word`], of a member that may be left out.
pub(super) fn optional_word<'m>(
    map: &'m Map<'_>,
    member: &'static str,
    words: &[&str],
) -> Result<Option<&'m str>, Malformed> {
    match optional_text(map, member, SET_TEXT_BYTES)? {
        Some(word) if !words.contains(&word) => {
            Err(Malformed::new(member, "is none of the values of the standard"))
        }
        word => Ok(word),
    }
}

/// The object under `member`, which is there and not empty.
pub(super) fn object<'m, 'v>(map: &'m Map<'v>, member: &'static str) -> Result<&'m Map<'v>, Malformed> {
    match map.get(member) {
        None => Err(Malformed::missing(member)),
        Some(Value::Map(object)) if object.is_empty() => Err(Malformed::new(member, "is empty")),
        Some(Value::Map(object)) => Ok(object),
        Some(_) => Err(Malformed::new(member, "is not an object")),
    }
}

/// The list of texts under `member`, of at most `most` elements, if it is there.
pub(super) fn optional_texts<'m>(
    map: &'m Map<'_>,
    member: &'static str,
    most: usize,
) -> Result<Option<Vec<&'m str>>, Malformed> {
    let Some(value) = map.get(member) else {
        return Ok(None);
    };
    let Value::List(items) = value else {
        return Err(Malformed::new(member, "is not a list"));
    };
    if items.len() > most {
        return Err(Malformed::new(member, "has too many elements"));
    }
    let text = |item: &'m Value<'_>| match item {
        Value::String(text) => bounded(text, member, SET_TEXT_BYTES),
        _ => Err(Malformed::new(member, "has an element that is not a text")),
    };
    items.iter().map(text).collect::<Result<_, _>>().map(Some)
}

/// The instant under `member`, seconds since 1970, if it is there.
pub(super) fn optional_instant(map: &Map<'_>, member: &'static str) -> Result<Option<Timestamp>, Malformed> {
    match map.get(member) {
        None => Ok(None),
        Some(Value::Number(seconds)) => instant(*seconds, member).map(Some),
        Some(_) => Err(Malformed::new(member, "is not a number")),
    }
}

/// As [`optional_instant`], of a member that has to be there.
pub(super) fn required_instant(map: &Map<'_>, member: &'static str) -> Result<Timestamp, Malformed> {
    optional_instant(map, member)?.ok_or(Malformed::missing(member))
}

/// Microseconds are exact in a double for the next two centuries.
fn instant(seconds: f64, member: &'static str) -> Result<Timestamp, Malformed> {
    const OUT_OF_RANGE: &str = "is no instant";
    if seconds < 0.0 {
        return Err(Malformed::new(member, OUT_OF_RANGE));
    }
    // A float outside of the range of the integer becomes its greatest, which is no instant.
    Timestamp::from_microsecond((seconds * 1e6).round() as i64)
        .map_err(|_| Malformed::new(member, OUT_OF_RANGE))
}
