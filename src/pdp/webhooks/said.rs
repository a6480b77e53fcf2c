//! What somebody says about something: the shape in which mappings and the facts API say it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use procura_core::model::{Entity, EntityKind, Fact, Subject, Timestamp};
use procura_core::signal::{EVENT_TYPES, Event, EventType, Family, Malformed, Statement};
use procura_core::value::{Map, Value};

/// Most facts of one event.
const FACTS: usize = 100;

/// Longest name of a fact, in bytes.
const NAME_BYTES: usize = 128;

/// Longest id of what a fact is about, in bytes: that of requests.
const ID_BYTES: usize = 4096;

/// Largest content of a fact, in bytes of JSON.
const DATA_BYTES: usize = 16 * 1024;

/// How deep the content of a fact is nested at most: half of what records take, which have it within.
const DATA_DEPTH: usize = 16;

/// Something that is said to be true, or not to be true any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    /// What is said.
    pub name: String,
    /// What it is about.
    pub subject: Subject,
    /// Its content.
    pub data: Value<'static>,
    /// Whether it is not true any more.
    pub is_withdrawn: bool,
    /// Since when; absent: since it was received.
    pub at: Option<Timestamp>,
    /// Until when, if it ends by itself.
    pub expires: Option<Timestamp>,
}

/// Where something is not what it should be, and what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{at}`: {expected}")]
pub struct NotSaid {
    /// The member, for example `facts[2].subject`.
    pub at: String,
    /// What is expected.
    pub expected: Cow<'static, str>,
}

impl Assertion {
    /// What the list `facts` says: maps with `type`, `subject`, and perhaps `data`, `at`, `expires` and `withdrawn`.
    ///
    /// # Errors
    /// If it is no such list.
    pub fn list(facts: Value<'static>) -> Result<Vec<Self>, NotSaid> {
        let Value::List(facts) = facts else { return Err(wrong("facts", "expected a list")) };
        if facts.len() > FACTS {
            return Err(wrong("facts", format!("expected at most {FACTS} facts")));
        }
        let facts = facts.into_iter().enumerate();
        facts.map(|(number, fact)| Self::read(&format!("facts[{number}]"), fact)).collect()
    }

    fn read(at: &str, fact: Value<'static>) -> Result<Self, NotSaid> {
        let Value::Map(mut fact) = fact else { return Err(wrong(at, "expected a map")) };
        let mut take = |member: &str| (format!("{at}.{member}"), fact.remove(member).filter(is_there));
        let (name_at, name) = take("type");
        let name = text(name).filter(|name| is_name(name)).ok_or_else(|| wrong(name_at, NAME))?;
        let (subject_at, subject) = take("subject");
        let subject = subject_of(&subject_at, subject)?;
        Self::rest(&format!("{at}."), name, subject, fact)
    }

    /// What `rest` says of `subject` under `name`: a map with nothing but `data`, `at`, `expires` and `withdrawn`, each
    /// perhaps. `at` stands before their names.
    ///
    /// # Errors
    /// If it is no such map.
    pub fn rest(at: &str, name: String, subject: Subject, mut rest: Map<'static>) -> Result<Self, NotSaid> {
        let mut take = |member: &str| (format!("{at}{member}"), rest.remove(member).filter(is_there));
        let (data_at, data) = take("data");
        let data = data.unwrap_or_else(|| Value::Map(Map::default()));
        check_data(&data).map_err(|expected| wrong(data_at, expected))?;
        let since = instant(take("at"))?;
        let expires = instant(take("expires"))?;
        let is_withdrawn = match take("withdrawn") {
            (_, None | Some(Value::Bool(false))) => false,
            (_, Some(Value::Bool(true))) => true,
            (at, Some(_)) => return Err(wrong(at, "expected a boolean")),
        };
        if let Some((other, _)) = rest.entry(0) {
            return Err(wrong(format!("{at}{}", shown(other)), "there is no such member"));
        }
        Ok(Self { name, subject, data, is_withdrawn, at: since, expires })
    }

    /// The facts that this states or withdraws, as `speaker` says: one, or one for each claim that changed. What is called as
    /// one that events of CAEP or RISC state has the content of such an event. `at` stands before the names of its members.
    ///
    /// # Errors
    /// If it has not, or ends before it begins.
    pub fn facts(&self, at: &str, speaker: &Speaker) -> Result<Vec<Fact>, NotSaid> {
        let Speaker { source, id, received } = speaker;
        let since = self.at.unwrap_or(*received);
        if self.expires.is_some_and(|expires| expires <= since.max(*received)) {
            return Err(wrong(format!("{at}expires"), "expected an instant after `at` and after now"));
        }
        let statements = statements(&self.name, &self.data)
            .map_err(|malformed| wrong(format!("{at}data"), format!("for `{}`: {malformed}", self.name)))?;
        let fact = |statement: Statement| Fact {
            subject: self.subject.clone(),
            name: statement.name,
            slot: statement.slot,
            value: (!self.is_withdrawn).then_some(statement.value),
            source: Arc::clone(source),
            id: Arc::clone(id),
            at: since,
            received: *received,
            expires: self.expires,
            rank: if self.is_withdrawn { 0 } else { statement.rank },
        };
        Ok(statements.into_iter().map(fact).collect())
    }
}

/// Who says something, and in which event.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// The source.
    pub source: Arc<str>,
    /// The name of the event.
    pub id: Arc<str>,
    /// When it was received.
    pub received: Timestamp,
}

/// What saying `name` with `data` states.
fn statements(name: &str, data: &Value<'static>) -> Result<Vec<Statement>, Malformed> {
    let is_one =
        |kind: &&EventType| matches!(kind.family, Family::Caep | Family::Risc) && kind.facts == [name];
    if let Some(kind) = EVENT_TYPES.iter().find(is_one)
        && let Event::Stated(statements) = Event::read(kind.uri, data, false)?
    {
        return Ok(statements.made);
    }
    let name: Arc<str> = name.into();
    // Of two that are of the same instant, what is said outweighs that it is not said any more.
    Ok(vec![Statement { slot: Arc::clone(&name), name, rank: 1, value: data.clone() }])
}

/// What a name is.
pub const NAME: &str = "expected 1 to 128 letters, digits, `.`, `_` and `-`";

/// Whether `name` can be that of a fact.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(is_plain)
}

/// What the id of an entity is.
pub const ID: &str = "expected a text of 1 to 4096 bytes without control characters";

/// Whether `id` can be that of something that facts are about.
#[must_use]
pub fn is_id(id: &str) -> bool {
    (1..=ID_BYTES).contains(&id.len()) && !id.chars().any(char::is_control)
}

/// That `data` can be the content of a fact; else what is expected instead.
fn check_data(data: &Value<'_>) -> Result<(), Cow<'static, str>> {
    if !is_shallow(data, DATA_DEPTH) {
        return Err(format!("expected a value nested at most {DATA_DEPTH} levels deep").into());
    }
    let size = serde_json::to_vec(data).map_or(usize::MAX, |text| text.len());
    let expected = || format!("expected a value of at most {DATA_BYTES} bytes of JSON").into();
    if size <= DATA_BYTES { Ok(()) } else { Err(expected()) }
}

fn is_shallow(value: &Value<'_>, levels: usize) -> bool {
    match (value, levels.checked_sub(1)) {
        (Value::List(items), Some(left)) => items.iter().all(|item| is_shallow(item, left)),
        (Value::Map(map), Some(left)) => map.iter().all(|(_, value)| is_shallow(value, left)),
        (Value::List(_) | Value::Map(_), None) => false,
        _ => true,
    }
}

fn subject_of(at: &str, subject: Option<Value<'static>>) -> Result<Subject, NotSaid> {
    let expected =
        "expected a map such as `{\"principal\": \"ada\"}`, of one or more of what facts are about";
    let Some(Value::Map(subject)) = subject else { return Err(wrong(at, expected)) };
    let mut entities = Vec::new();
    for (kind, value) in subject.into_entries().filter(|(_, value)| is_there(value)) {
        let at = format!("{at}.{}", shown(&kind));
        let known = EntityKind::ALL.into_iter().find(|known| known.as_str() == kind);
        let known = known.ok_or_else(|| wrong(&at, "facts are about no such thing"))?;
        entities.push(entity(&at, known, value)?);
    }
    Subject::new(entities).ok_or_else(|| wrong(at, expected))
}

fn entity(at: &str, kind: EntityKind, value: Value<'static>) -> Result<Entity<'static>, NotSaid> {
    let id = |at: &str, value| text(value).filter(|id| is_id(id)).ok_or_else(|| wrong(at, ID));
    let of = match kind {
        EntityKind::Resource => "kind",
        EntityKind::Token => "issuer",
        _ => return Ok(Entity::new(kind, id(at, Some(value))?)),
    };
    let expected = || wrong(at, format!("expected a map with `{of}` and `id`"));
    let Value::Map(mut map) = value else { return Err(expected()) };
    let (within, name) = (map.remove(of), map.remove("id"));
    if !map.is_empty() {
        return Err(expected());
    }
    Ok(Entity::within(kind, id(&format!("{at}.{of}"), within)?, id(&format!("{at}.id"), name)?))
}

fn instant((at, value): (String, Option<Value<'static>>)) -> Result<Option<Timestamp>, NotSaid> {
    let Some(value) = value else { return Ok(None) };
    let read = text(Some(value)).and_then(|text| text.parse().ok());
    read.map(Some).ok_or_else(|| wrong(at, "expected an instant such as `2026-01-31T12:00:00Z`"))
}

fn text(value: Option<Value<'static>>) -> Option<String> {
    match value {
        Some(Value::String(text)) => Some(text.into_owned()),
        _ => None,
    }
}

/// Whether a member is there: `null` is the same as absent.
fn is_there(value: &Value<'_>) -> bool {
    *value != Value::Null
}

/// The name of a member that nobody knows, which may be anything.
fn shown(name: &str) -> String {
    name.chars().take(32).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

fn wrong(at: impl fmt::Display, expected: impl Into<Cow<'static, str>>) -> NotSaid {
    NotSaid { at: at.to_string(), expected: expected.into() }
}
