//! The record of a signal without what must not be seen: who its facts are about.

use std::borrow::Cow;

use super::call::{MASKED, caller};
use super::path::Place;
use super::walk::Walker;
use super::{MaskKeys, Masks};
use crate::model::EntityKind;
use crate::record::{FactRecord, Record, RecordError, SignalRecord};

impl SignalRecord<'_> {
    /// The encoded record with what `masks` says of principals, resources and callers.
    ///
    /// # Errors
    /// If it has no record.
    pub fn encode_masked(&self, masks: &Masks, keys: &MaskKeys) -> Result<Vec<u8>, RecordError> {
        let kinds = self.facts.iter().filter_map(resource).map(|(kind, _)| kind).collect();
        let mut walker = Walker::new(masks, keys, kinds);
        let mut seen = self.clone();
        seen.caller = self.caller.as_ref().map(|shown| caller(shown, &mut walker));
        for fact in &mut seen.facts {
            mask(fact, &mut walker);
        }
        Record::Signal(seen).encode()
    }
}

fn mask(fact: &mut FactRecord<'_>, walker: &mut Walker<'_>) {
    walker.take_has_masked();
    let resource = resource(fact).map(|(kind, id)| (kind.to_owned(), id.to_owned()));
    for (kind, name) in &mut fact.subject {
        if *kind == EntityKind::Principal.as_str() {
            *name = walker.text(name, &[Place::PrincipalId], None).unwrap_or(Cow::Borrowed(MASKED));
        } else if let (true, Some((of, id))) = (*kind == EntityKind::Resource.as_str(), &resource) {
            let seen = walker.text(&Cow::Borrowed(id), &[Place::ResourceId], Some(of));
            *name = format!("{of}\n{}", seen.as_deref().unwrap_or(MASKED)).into();
        }
    }
    // What is said of somebody can repeat who that is.
    if walker.take_has_masked() {
        fact.data = None;
    }
}

/// Kind and id of the resource that a fact is about.
fn resource<'f>(fact: &'f FactRecord<'_>) -> Option<(&'f str, &'f str)> {
    fact.subject.get(EntityKind::Resource.as_str())?.split_once('\n')
}
