//! What a recorded call met on its way, found out by deciding it again.

use procura_core::engine::{Trail, retrace};
use procura_core::model::Timestamp;
use procura_core::record::DecisionRecord;
use procura_core::replay::RecordedCall;

use super::Pdp;

impl Pdp {
    /// What the call of `record` met on its way; `None` if that cannot be found out: another policy set is live than
    /// the one that decided it, or something of it is masked.
    #[must_use]
    pub fn retrace(&self, record: &DecisionRecord<'_>) -> Option<Trail> {
        let active = self.active.load_full()?;
        if !record.is_complete() || active.snapshot.revision.as_str() != record.basis.policy_revision {
            return None;
        }
        let call = RecordedCall::of(record).ok()?;
        Some(retrace(&active.snapshot, &call.request, &call.settings, call.at))
    }

    /// The instant at which a call would be decided.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
