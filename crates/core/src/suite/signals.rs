//! The facts in force that a test states, an addition of ours: `signals` of its input.

use std::sync::Arc;

use super::document::{Field, Object, Reader};
use super::instant;
use crate::model::{Entity, EntityKind, Fact, Subject, Timestamp};
use crate::value::Value;

/// What stands between the kind of a resource, or the issuer of a token, and its id.
const WITHIN: char = ' ';

/// Reads a list of facts.
pub(super) fn signals<'t>(field: Option<Field<'t>>, reader: &mut Reader<'t>) -> Vec<Arc<Fact>> {
    let items = reader.items(field);
    let mut facts: Vec<_> = items.into_iter().filter_map(|item| signal(item, reader)).collect();
    facts.sort_by_key(|fact| std::cmp::Reverse(fact.at));
    facts
}

fn signal<'t>(field: Field<'t>, reader: &mut Reader<'t>) -> Option<Arc<Fact>> {
    let mut fields = reader.object(field)?;
    let (name, _) = fields.some_text("type", reader);
    let at = at(&mut fields, reader);
    let (subject, slot) = (about(&mut fields, reader), fields.text("slot", reader));
    let (source, id) = (fields.text("source", reader), fields.text("id", reader));
    let value = fields.take("data").map(|field| reader.value(field));
    fields.finish(reader);
    Some(Arc::new(Fact {
        subject: subject?,
        slot: if slot.is_empty() { name.as_str() } else { &slot }.into(),
        name: name.into(),
        value: Some(value.unwrap_or(Value::Null)),
        source: source.into(),
        id: id.into(),
        at,
        received: at,
        expires: None,
        rank: 0,
    }))
}

/// Since when it is true.
fn at<'t>(fields: &mut Object<'t>, reader: &mut Reader<'t>) -> Timestamp {
    let (text, _) = fields.some_text("at", reader);
    instant::parse(&text).unwrap_or_else(|message| {
        fields.invalid(&message, reader);
        Timestamp::UNIX_EPOCH
    })
}

/// Ids by kind.
fn about<'t>(fields: &mut Object<'t>, reader: &mut Reader<'t>) -> Option<Subject> {
    let mut entities = Vec::new();
    for (kind, field) in reader.entries(fields.take("about")) {
        let text = reader.text(&field);
        match entity(&kind, &text) {
            Some(entity) => entities.push(entity),
            None => {
                let kinds = EntityKind::ALL.map(EntityKind::as_str).join(", ");
                let message = format!("must be one of {kinds}; a resource is `KIND ID`, a token `ISSUER ID`");
                reader.invalid(Some(field.place), &field.path, &message);
            }
        }
    }
    let subject = Subject::new(entities);
    if subject.is_none() {
        fields.invalid("about must say what the signal is about", reader);
    }
    subject
}

fn entity(kind: &str, text: &str) -> Option<Entity<'static>> {
    let kind = EntityKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
    let entity = match kind {
        EntityKind::Resource | EntityKind::Token => {
            let (of, id) = text.split_once(WITHIN)?;
            Entity::within(kind, of, id)
        }
        _ => Entity::new(kind, text),
    };
    Some(entity.into_owned())
}
