//! Whether a record matches a query: first on its bytes, cheaply, then on what it says.

use memchr::memmem::Finder;
use procura_core::record::{DecisionRecord, Record};

use crate::ports::DecisionFilter;

/// A filter made ready for many records.
pub(super) struct Matcher<'f> {
    filter: &'f DecisionFilter,
    /// Texts that every match contains.
    needles: Vec<Finder<'static>>,
}

impl<'f> Matcher<'f> {
    /// Prepares `filter`.
    pub(super) fn new(filter: &'f DecisionFilter) -> Self {
        let texts =
            [&filter.principal, &filter.resource_kind, &filter.resource_id, &filter.action, &filter.call_id];
        let effect = filter.effect.map(|effect| effect.wire_name().to_owned());
        let needles = texts
            .into_iter()
            .flatten()
            .chain(&effect)
            // All records have one encoder, so a text always looks the same in them.
            .filter_map(|text| serde_json::to_vec(text).ok())
            .map(|quoted| Finder::new(&quoted).into_owned())
            .collect();
        Self { filter, needles }
    }

    /// Whether `payload` is the record of a call that matches. Records of other kinds never do.
    pub(super) fn matches(&self, payload: &[u8]) -> bool {
        let may_match = self.needles.iter().all(|needle| needle.find(payload).is_some());
        may_match
            && matches!(Record::decode(payload), Ok(Record::Decision(record)) if self.is_asked_for(&record))
    }

    fn is_asked_for(&self, record: &DecisionRecord<'_>) -> bool {
        let filter = self.filter;
        filter.principal.as_ref().is_none_or(|id| *id == record.principal.id)
            && filter.call_id.as_ref().is_none_or(|id| *id == record.call.id)
            && filter.since.is_none_or(|since| record.at >= since)
            && filter.until.is_none_or(|until| record.at < until)
            && record.decisions().any(|decision| filter.decision_matches(&decision))
    }
}
