//! How signals look in records.

use std::borrow::Cow;

use procura_core::model::Timestamp;
use procura_core::record::{FactRecord, SignalRecord};

use super::keep::Stated;
use crate::pdp::Caller;
use crate::pdp::caller::sender;

/// The record of what was `stated`.
pub(super) fn signal<'a>(stated: &'a Stated, at: Timestamp, caller: Option<&'a Caller>) -> SignalRecord<'a> {
    SignalRecord {
        at,
        source: Cow::Borrowed(&stated.source),
        via: Cow::Borrowed(stated.via),
        id: Cow::Borrowed(&stated.id),
        txn: stated.txn.as_deref().map(Cow::Borrowed),
        events: stated.events.iter().map(|event| Cow::Borrowed(event.as_str())).collect(),
        facts: stated.facts.iter().map(FactRecord::new).collect(),
        ignored: stated.ignored.map(|why| Cow::Borrowed(why.code())),
        caller: caller.map(sender),
    }
}
