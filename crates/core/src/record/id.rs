//! The name of one decision: `<call id>/<n>`.

use std::borrow::Cow;
use std::fmt;

use serde::ser::{Serialize, Serializer};

/// The name of one decision of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionId<'a> {
    /// The call.
    pub call: Cow<'a, str>,
    /// Which decision of the call, from 1: resources in request order, within each its actions in request order.
    pub number: u32,
}

impl<'a> DecisionId<'a> {
    /// Reads `<call id>/<n>`; `None` if `text` is anything else.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (call, number) = text.rsplit_once('/')?;
        let plain = number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
        if call.is_empty() || !plain {
            return None;
        }
        Some(Self { call: Cow::Borrowed(call), number: number.parse().ok()? })
    }
}

impl fmt::Display for DecisionId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.call, self.number)
    }
}

impl Serialize for DecisionId<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_call_id_and_a_number_from_one_parse() {
        let id = DecisionId::parse("0193a/12").unwrap();
        assert_eq!((id.call.as_ref(), id.number), ("0193a", 12));
        for text in ["", "/", "a/", "/1", "a", "a/0", "a/01", "a/-1", "a/+1", "a/1/x", "a/99999999999"] {
            assert!(DecisionId::parse(text).is_none(), "{text}");
        }
    }
}
