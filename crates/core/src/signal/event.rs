//! One event of a SET: what it states, once its content is held against the standard.

use std::borrow::Cow;
use std::sync::Arc;

use super::catalogue::{About, Content, EventType, Member, Rank, Reads};
use super::member::{self, Malformed};
use super::scim;
use crate::limits::{
    CHANGED_CLAIMS, FACT_TEXT_BYTES, FACT_VALUES, SET_TEXT_BYTES, SLOT_TEXT_BYTES, SUBJECT_PARTS,
};
use crate::model::{EntityKind, Timestamp};
use crate::value::{Map, Value};

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The stream works (Shared Signals Framework 1.0, section 8.1.4).
    Verification {
        /// What the receiver asked with; `None` if the transmitter sends it unasked.
        state: Option<Box<str>>,
    },
    /// The stream has another status (section 8.1.5).
    StreamUpdated {
        /// `enabled`, `paused` or `disabled`.
        status: &'static str,
        /// Why, if the transmitter says so.
        reason: Option<Box<str>>,
    },
    /// Something is so now.
    Stated(Statements),
    /// Of a type that is not known.
    Unknown,
}

/// What an event states about its subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Statements {
    /// Since when, if the event says so itself: `event_timestamp`.
    pub at: Option<Timestamp>,
    /// What a simple subject is; `None` if the event names a kind that we do not know.
    pub about: Option<EntityKind>,
    /// The statements; none if the event is known to say nothing.
    pub made: Vec<Statement>,
}

/// A fact in the making: what is said, but not yet of whom and by whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What is said; see `Fact::name`.
    pub name: Arc<str>,
    /// What it takes the place of; see `Fact::slot`.
    pub slot: Arc<str>,
    /// Which of two of one instant wins; see `Fact::rank`.
    pub rank: u8,
    /// Its content: that of the event, but for a `subject` in it.
    pub value: Value<'static>,
}

impl Event {
    /// Reads `content`, the value under `uri` in the `events` of a SET. With `scim_drafts` the URIs of drafts of RFC 9967
    /// count as well.
    ///
    /// # Errors
    /// What is wrong with the content of an event whose type is known.
    pub fn read(uri: &str, content: &Value<'_>, scim_drafts: bool) -> Result<Self, Malformed> {
        let Some(kind) = EventType::of(uri, scim_drafts) else {
            return Ok(Self::Unknown);
        };
        let Value::Map(content) = content else {
            return Err(Malformed::new("events", "has an event that is not an object"));
        };
        Ok(match kind.reads {
            Reads::Verification => Self::Verification {
                state: member::optional_text(content, "state", SET_TEXT_BYTES)?.map(Box::from),
            },
            Reads::StreamUpdated => stream_updated(content)?,
            Reads::Members { members, about, rank } => {
                for member in members {
                    check(member, content)?;
                }
                let about = about_what(about, content);
                Self::Stated(Statements {
                    at: common(content)?,
                    about,
                    made: stated(kind, members, rank, content)?,
                })
            }
            Reads::Scim { change, payload } => {
                let made = scim::statements(change, payload, content)?;
                Self::Stated(Statements { at: common(content)?, about: Some(EntityKind::Principal), made })
            }
        })
    }
}

/// A statement with the whole `content` of an event.
pub(super) fn statement(
    name: &'static str,
    slot: impl Into<Arc<str>>,
    rank: u8,
    content: &Map<'_>,
) -> Result<Statement, Malformed> {
    let mut size = Size::default();
    let mut content = content.clone().into_owned();
    content.remove("subject");
    let value = Value::Map(content);
    size.add(&value)?;
    Ok(Statement { name: name.into(), slot: slot.into(), rank, value })
}

fn stream_updated(content: &Map<'_>) -> Result<Event, Malformed> {
    const STATUS: [&str; 3] = ["enabled", "paused", "disabled"];
    let said = member::word(content, "status", &STATUS)?;
    let status = STATUS.into_iter().find(|status| *status == said);
    Ok(Event::StreamUpdated {
        status: status.ok_or(Malformed::new("status", "is missing"))?,
        reason: member::optional_text(content, "reason", SET_TEXT_BYTES)?.map(Box::from),
    })
}

/// Holds the members that every event may have against CAEP 1.0 (section 2); returns since when it is so.
fn common(content: &Map<'_>) -> Result<Option<Timestamp>, Malformed> {
    member::optional_word(content, "initiating_entity", &["admin", "user", "policy", "system"])?;
    for name in ["reason_admin", "reason_user"] {
        let is_text = |value: &Value<'_>| matches!(value, Value::String(_));
        let is_reason = match content.get(name) {
            // RISC 1.0 has them as plain texts, CAEP 1.0 by language.
            None | Some(Value::String(_)) => true,
            Some(Value::Map(by_language)) => {
                !by_language.is_empty() && by_language.iter().all(|(_, text)| is_text(text))
            }
            Some(_) => false,
        };
        if !is_reason {
            return Err(Malformed::new(name, "is no text by language"));
        }
    }
    member::optional_instant(content, "event_timestamp")
}

fn check(member: &Member, content: &Map<'_>) -> Result<(), Malformed> {
    let Member { name, is_required, content: kind } = *member;
    if is_required && content.get(name).is_none() {
        return Err(Malformed::new(name, "is missing"));
    }
    match kind {
        Content::Text => member::optional_text(content, name, FACT_TEXT_BYTES).map(drop),
        Content::Word(words) => member::optional_word(content, name, words).map(drop),
        Content::Texts => member::optional_texts(content, name, SUBJECT_PARTS).map(drop),
        Content::Claims => match member::object(content, name)?.len() {
            0..=CHANGED_CLAIMS => Ok(()),
            _ => Err(Malformed::new(name, "has too many members")),
        },
    }
}

fn about_what(about: About, content: &Map<'_>) -> Option<EntityKind> {
    match about {
        About::Principal => Some(EntityKind::Principal),
        About::Device => Some(EntityKind::Device),
        About::Said => match content.get("principal") {
            Some(Value::String(principal)) => match principal.as_ref() {
                "USER" => Some(EntityKind::Principal),
                "DEVICE" => Some(EntityKind::Device),
                "SESSION" => Some(EntityKind::Session),
                "TENANT" => Some(EntityKind::Tenant),
                "ORG_UNIT" | "GROUP" => Some(EntityKind::Group),
                _ => None,
            },
            _ => None,
        },
    }
}

/// One statement, or one for each claim.
fn stated(
    kind: &EventType,
    members: &[Member],
    rank: Rank,
    content: &Map<'_>,
) -> Result<Vec<Statement>, Malformed> {
    let rank = match rank {
        Rank::Fixed(rank) => rank,
        Rank::Of(member, ranks) => match content.get(member) {
            Some(Value::String(word)) => {
                ranks.iter().find(|(known, _)| known == word).map_or(0, |(_, rank)| *rank)
            }
            _ => 0,
        },
    };
    let Some(name) = kind.facts.first().copied() else {
        return Ok(Vec::new());
    };
    let (fixed, member) = match kind.slot.split_once('<') {
        None => return Ok(vec![statement(name, kind.slot, rank, content)?]),
        Some((fixed, member)) => (fixed, member.trim_end_matches('>')),
    };
    let of = members.iter().find(|known| known.name == member).map_or("", |known| known.name);
    match content.get(of) {
        Some(Value::Map(claims)) => {
            let mut rest = content.clone();
            rest.remove(of);
            let one = |(claim, value): (&str, &Value<'_>)| {
                let slot = format!("{fixed}{}", member::bounded(claim, of, SLOT_TEXT_BYTES)?);
                let mut only = Map::default();
                only.insert(Cow::Owned(claim.to_owned()), value.clone().into_owned());
                let mut content = rest.clone();
                content.insert(Cow::Borrowed(of), Value::Map(only));
                statement(name, slot, rank, &content)
            };
            claims.iter().map(one).collect()
        }
        _ => {
            let text = member::text(content, of, SLOT_TEXT_BYTES)?;
            Ok(vec![statement(name, format!("{fixed}{text}"), rank, content)?])
        }
    }
}

/// How large a content is.
#[derive(Default)]
struct Size {
    values: usize,
    bytes: usize,
}

impl Size {
    /// Adds `value` and what is in it; the nesting of values is bounded where they are read.
    fn add(&mut self, value: &Value<'_>) -> Result<(), Malformed> {
        self.values += 1;
        if let Value::String(text) = value {
            self.bytes += text.len();
        }
        if self.values > FACT_VALUES || self.bytes > FACT_TEXT_BYTES {
            return Err(Malformed::new("events", "has an event that says too much"));
        }
        match value {
            Value::List(items) => items.iter().try_for_each(|item| self.add(item)),
            Value::Map(map) => map.iter().try_for_each(|(key, value)| {
                self.bytes += key.len();
                self.add(value)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
