//! Whether a record matches a query: first on its bytes, cheaply, then on what it says.

use memchr::memmem::Finder;
use procura_core::record::{DecisionEntry, DecisionRecord, Record};

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
        let texts = [
            &filter.principal,
            &filter.resource_kind,
            &filter.resource_id,
            &filter.action,
            &filter.call_id,
        ];
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
        may_match && matches!(Record::decode(payload), Ok(Record::Decision(record)) if self.holds(&record))
    }

    fn holds(&self, record: &DecisionRecord<'_>) -> bool {
        let filter = self.filter;
        is(filter.principal.as_deref(), &record.principal.id)
            && is(filter.call_id.as_deref(), &record.call.id)
            && filter.since.is_none_or(|since| record.at >= since)
            && filter.until.is_none_or(|until| record.at < until)
            && record
                .decisions
                .iter()
                .any(|decision| self.decision_holds(record, decision))
    }

    /// What is asked about the resource, the action and the effect must hold for one and the same decision.
    fn decision_holds(&self, record: &DecisionRecord<'_>, decision: &DecisionEntry<'_>) -> bool {
        let filter = self.filter;
        let Some(resource) = record.resource_of(decision) else {
            return false;
        };
        is(filter.resource_kind.as_deref(), &resource.kind)
            && is(filter.resource_id.as_deref(), &resource.id)
            && is(filter.action.as_deref(), &decision.action)
            && filter.effect.is_none_or(|effect| effect == decision.effect)
    }
}

fn is(wanted: Option<&str>, found: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == found)
}
