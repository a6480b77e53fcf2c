//! Facts and what was presented, without what must not be seen.
//!
//! Much of it repeats what stands elsewhere in a call: the id of the principal, a claim, an attribute. So besides what rules
//! say of facts, every text that is masked elsewhere in the call is masked here as well.

use std::borrow::Cow;
use std::sync::Arc;

use super::path::Place;
use super::walk::Walker;
use super::{MaskKeys, Masks};
use crate::model::{Entity, EntityKind, Fact, Presented, Signals};
use crate::record::{Caller, FactRecord, SignalRecord, SignalsRefused};
use crate::value::{Map, Value};

/// What stands in the place of a text that must be there.
const MASKED: &str = "masked";

impl SignalRecord<'_> {
    /// The record with what `masks` says, whatever kinds of resources the rules name: a signal is about all of them. What is
    /// equal in it and in the record of a call has the same digest in both.
    #[must_use]
    pub fn masked(&self, masks: &Masks, keys: &MaskKeys) -> SignalRecord<'static> {
        let mut walker = Walker::of_signal(masks, keys);
        let facts = self.facts.iter().map(|fact| walker.recorded(fact)).collect();
        let owned = |text: &Cow<'_, str>| Cow::Owned(text.clone().into_owned());
        SignalRecord {
            at: self.at,
            source: owned(&self.source),
            via: owned(&self.via),
            id: owned(&self.id),
            txn: self.txn.as_ref().and_then(|txn| walker.text(txn, &[Place::Txn], None)).as_ref().map(owned),
            events: self.events.iter().map(owned).collect(),
            facts,
            ignored: self.ignored.as_ref().map(owned),
            caller: self.caller.as_ref().map(|caller| walker.caller(caller).into_owned()),
        }
    }
}

impl SignalsRefused<'_> {
    /// The record with what `masks` says.
    #[must_use]
    pub fn masked(&self, masks: &Masks, keys: &MaskKeys) -> SignalsRefused<'_> {
        let mut walker = Walker::of_signal(masks, keys);
        SignalsRefused { caller: self.caller.as_ref().map(|caller| walker.caller(caller)), ..self.clone() }
    }
}

impl Walker<'_> {
    /// Who sent a call or a signal, as it may be seen.
    pub(super) fn caller<'v>(&mut self, caller: &Caller<'v>) -> Caller<'v> {
        let Caller { name, method, issuer, key, tenants, address } = caller;
        let mut seen = |text: &Option<Cow<'v, str>>, places: &[Place]| {
            text.as_ref().and_then(|text| self.text(text, places, None))
        };
        Caller {
            name: seen(name, &[Place::Caller, Place::CallerName]),
            method: method.clone(),
            issuer: seen(issuer, &[Place::Caller]),
            key: seen(key, &[Place::Caller]),
            tenants: tenants.clone(),
            address: seen(address, &[Place::Caller, Place::CallerAddress]),
        }
    }

    /// What is held true about a call and what it presents, as it may be seen. To be called once everything else of the call
    /// is masked.
    pub(super) fn signals<'v>(&mut self, signals: &Signals<'v>) -> Signals<'v> {
        let Presented { session, device, began, methods } = &signals.presented;
        let facts = signals.facts.iter().map(|fact| Arc::new(self.fact(fact)));
        Signals {
            too_many: signals.too_many,
            facts: facts.collect(),
            presented: Presented {
                session: session.as_ref().and_then(|text| self.seen(text, &[Place::Session], None)),
                device: device.as_ref().and_then(|text| self.seen(text, &[Place::Device], None)),
                began: *began,
                methods: methods.clone(),
            },
        }
    }

    fn recorded(&mut self, record: &FactRecord<'_>) -> FactRecord<'static> {
        match record.fact() {
            Some(fact) => FactRecord::new(&self.fact(&fact)).into_owned(),
            // Nobody can tell what is in it.
            None => FactRecord { subject: [].into(), data: None, ..record.clone() }.into_owned(),
        }
    }

    fn fact(&mut self, fact: &Fact) -> Fact {
        let subject = fact.subject.renamed(|entity| self.seen_id(entity));
        let value = fact.value.as_ref().map(|data| self.data(data));
        let id = self.seen(&Cow::Borrowed(&*fact.id), &[], None);
        Fact { subject, value, id: id.as_deref().unwrap_or(MASKED).into(), ..fact.clone() }
    }

    fn seen_id(&mut self, entity: &Entity<'static>) -> Cow<'static, str> {
        let Entity { kind, of, id } = entity;
        let place = match kind {
            EntityKind::Principal => Place::PrincipalId,
            EntityKind::Session => Place::Session,
            EntityKind::Device => Place::Device,
            EntityKind::Resource => Place::ResourceId,
            EntityKind::Token | EntityKind::Group | EntityKind::Application | EntityKind::Tenant => {
                Place::SignalSubject
            }
        };
        let resource = (*kind == EntityKind::Resource).then_some(&**of);
        let id = self.seen(id, &[place, Place::SignalSubject], resource);
        id.unwrap_or(Cow::Borrowed(MASKED))
    }

    /// The text as it may be seen, by the rules for `places` or because it is masked elsewhere.
    fn seen<'v>(
        &mut self,
        text: &Cow<'v, str>,
        places: &[Place],
        kind: Option<&str>,
    ) -> Option<Cow<'v, str>> {
        let by_place = self.text(text, places, kind)?;
        if by_place != *text {
            return Some(by_place);
        }
        match self.hidden_by(text) {
            None => Some(by_place),
            Some(number) => match self.masked(number, &Value::String(Cow::Borrowed(text))) {
                Some(Value::String(digest)) => Some(Cow::Owned(digest.into_owned())),
                _ => None,
            },
        }
    }

    fn data(&mut self, data: &Value<'static>) -> Value<'static> {
        let by_rules = match data {
            Value::Map(map) => Value::Map(self.map(map, Place::SignalData, None)),
            // What is no map is of no member, and so of every rule.
            other => {
                let rule = self.first_at(Place::SignalData);
                rule.map_or_else(|| other.clone(), |number| self.masked(number, other).unwrap_or(Value::Null))
            }
        };
        self.unhide(&by_rules)
    }

    /// `value` without the texts that are masked elsewhere.
    fn unhide(&mut self, value: &Value<'static>) -> Value<'static> {
        match value {
            Value::String(text) => match self.hidden_by(text) {
                Some(number) => self.masked(number, value).unwrap_or(Value::Null),
                None => value.clone(),
            },
            Value::List(items) => Value::List(items.iter().map(|item| self.unhide(item)).collect()),
            Value::Map(map) => {
                let mut seen = Map::default();
                for (key, value) in
                    map.iter().filter(|(key, _)| self.hidden_by(key).is_none()).collect::<Vec<_>>()
                {
                    seen.insert(Cow::Owned(key.to_owned()), self.unhide(value));
                }
                Value::Map(seen)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
}
