//! How signals look in records.

use std::borrow::Cow;
use std::collections::BTreeMap;

use procura_core::model::{Entity, Fact, Timestamp};
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
        facts: stated.facts.iter().map(fact).collect(),
        ignored: stated.ignored.map(|why| Cow::Borrowed(why.code())),
        caller: caller.map(sender),
    }
}

fn fact(fact: &Fact) -> FactRecord<'_> {
    FactRecord {
        name: Cow::Borrowed(&fact.name),
        slot: (fact.slot != fact.name).then(|| Cow::Borrowed(&*fact.slot)),
        subject: subject(fact.subject.entities()),
        source: Cow::Borrowed(&fact.source),
        id: Cow::Borrowed(&fact.id),
        since: fact.at,
        received: fact.received,
        expires: fact.expires.map(|at| Cow::Owned(at.to_string())),
        data: fact.value.as_ref().map(Cow::Borrowed),
    }
}

fn subject<'a>(entities: &'a [Entity<'static>]) -> BTreeMap<Cow<'a, str>, Cow<'a, str>> {
    let named = |entity: &'a Entity<'static>| match &*entity.of {
        "" => Cow::Borrowed(&*entity.id),
        of => Cow::Owned(format!("{of}\n{}", entity.id)),
    };
    entities.iter().map(|entity| (Cow::Borrowed(entity.kind.as_str()), named(entity))).collect()
}
