//! Whether a record matches a query: first on its bytes, cheaply, then on what it says.

use memchr::memmem::Finder;
use procura_core::query::{Condition, Facts};

use crate::ports::DecisionFilter;

/// A filter made ready for many records.
pub(super) struct Matcher {
    /// All that is asked of one decision.
    pub(super) condition: Condition,
    call_id: Option<String>,
    /// Texts that every match contains.
    needles: Vec<Finder<'static>>,
}

impl Matcher {
    /// Prepares `filter`.
    pub(super) fn new(filter: &DecisionFilter) -> Self {
        let condition = filter.whole_condition();
        let mut needles: Vec<_> = condition.necessary().filter_map(needle).collect();
        needles.extend(filter.call_id.as_deref().and_then(quoted));
        let needles = needles.into_iter().map(|needle| Finder::new(&needle).into_owned()).collect();
        Self { condition, call_id: filter.call_id.clone(), needles }
    }

    /// What `payload` says, if it may match at all.
    pub(super) fn facts<'p>(&self, payload: &'p [u8]) -> Option<Facts<'p>> {
        let may_match = self.needles.iter().all(|needle| needle.find(payload).is_some());
        let facts = may_match.then(|| Facts::decode(payload).ok())??;
        let is_call = self.call_id.as_deref().is_none_or(|id| facts.call_id() == Some(id));
        is_call.then_some(facts)
    }

    /// Whether the record `payload` has a decision that matches.
    pub(super) fn matches(&self, payload: &[u8]) -> bool {
        self.facts(payload).is_some_and(|facts| self.condition.matches(&facts))
    }
}

/// Bytes that every record contains for which `condition` holds. All records have one encoder, so that a text always
/// looks the same in them; an empty one may be left out.
fn needle(condition: &Condition) -> Option<Vec<u8>> {
    match condition {
        Condition::Is(field, text) if field.is_verbatim() && !text.is_empty() => quoted(text),
        Condition::StartsWith(field, text) if field.is_verbatim() && !text.is_empty() => {
            let mut needle = quoted(text)?;
            needle.pop();
            Some(needle)
        }
        _ => None,
    }
}

fn quoted(text: &str) -> Option<Vec<u8>> {
    serde_json::to_vec(text).ok()
}
