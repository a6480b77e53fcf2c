//! The rules of a security event token: RFC 8417, as Shared Signals Framework 1.0 (section 4) profiles it.

use std::sync::Arc;

use jiff::SignedDuration;

use super::catalogue::{EventType, Family};
use super::event::Event;
use super::identifier::{Format, Identifier};
use super::member::{self, Malformed};
use crate::limits::{SET_AUDIENCES, SET_EVENTS, SET_TEXT_BYTES};
use crate::model::Timestamp;
use crate::value::{Map, Value};

/// What the receiver of a stream knows of it.
#[derive(Clone, Copy, Debug)]
pub struct SetRules<'a> {
    /// The issuer of the stream.
    pub issuer: &'a str,
    /// Who we are for it: one of them is in `aud`.
    pub audiences: &'a [String],
    /// The id of the stream, if it is known: events about the stream name it.
    pub stream: Option<&'a str>,
    /// How much the clock of the transmitter may be ahead of ours.
    pub skew: SignedDuration,
    /// Whether the upper-case URIs of the drafts of RFC 9967 count.
    pub scim_drafts: bool,
}

/// A security event token that keeps the rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// Its name, unique for its issuer: `jti`.
    pub id: Arc<str>,
    /// When it was made: `iat`.
    pub issued: Timestamp,
    /// The transaction that it belongs to: `txn`.
    pub txn: Option<Box<str>>,
    /// What it is about: `sub_id`.
    pub subject: Identifier,
    /// Its events: one, or several of SCIM about one change. Never empty.
    pub events: Vec<Dated>,
}

/// An event, and since when it is so.
#[derive(Clone, Debug, PartialEq)]
pub struct Dated {
    /// The URI of its type.
    pub uri: Box<str>,
    /// Its `event_timestamp`, else `toe` of the SET, else `iat`.
    pub at: Timestamp,
    /// What it says.
    pub event: Event,
}

/// Why a SET is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SetReject {
    /// As transmitters are told.
    pub fault: SetFault,
    /// What is wrong: lower-case, no final stop, repeats nothing of the SET.
    pub reason: String,
}

/// What a transmitter is told of a SET that is signed and breaks a rule (RFC 8935, section 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetFault {
    /// `invalid_request`.
    InvalidRequest,
    /// `invalid_issuer`.
    InvalidIssuer,
    /// `invalid_audience`.
    InvalidAudience,
}

impl Set {
    /// Reads a SET from the `typ` of its header and its claims, whose signature holds already.
    ///
    /// # Errors
    /// The first rule that it breaks. The issuer and the audience are looked at first.
    pub fn read(
        typ: Option<&str>,
        claims: &Map<'_>,
        rules: &SetRules<'_>,
        now: Timestamp,
    ) -> Result<Self, SetReject> {
        if !matches!(typ, Some("secevent+jwt" | "application/secevent+jwt")) {
            return Err(reject("the header has no `typ` of `secevent+jwt`"));
        }
        check_issuer(claims, rules)?;
        check_audience(claims, rules)?;
        for forbidden in ["exp", "sub"] {
            if claims.get(forbidden).is_some() {
                return Err(reject(format!("`{forbidden}` does not belong into a security event token")));
            }
        }
        let id = member::text(claims, "jti", SET_TEXT_BYTES)?;
        let txn = member::optional_text(claims, "txn", SET_TEXT_BYTES)?;
        let latest = now.checked_add(rules.skew).unwrap_or(Timestamp::MAX);
        let past = |at: Timestamp, name: &str| match at <= latest {
            true => Ok(at),
            false => Err(reject(format!("`{name}` is in the future"))),
        };
        let issued = past(member::required_instant(claims, "iat")?, "iat")?;
        let happened = match member::optional_instant(claims, "toe")? {
            Some(toe) => past(toe, "toe")?,
            None => issued,
        };
        let subject = match claims.get("sub_id") {
            Some(subject) => Identifier::read(subject)?,
            None => return Err(reject("`sub_id` is missing")),
        };
        let events = chosen(member::object(claims, "events")?, rules.scim_drafts)?;
        let dated = |(uri, content): (&str, &Value<'_>)| {
            let event = Event::read(uri, content, rules.scim_drafts)?;
            check_subject(&event, EventType::of(uri, rules.scim_drafts), content, &subject, rules)?;
            let at = match &event {
                Event::Stated(statements) => statements.at.unwrap_or(happened),
                Event::Verification { .. } | Event::StreamUpdated { .. } | Event::Unknown => happened,
            };
            Ok(Dated { uri: uri.into(), at: past(at, "event_timestamp")?, event })
        };
        let events = events.into_iter().map(dated).collect::<Result<_, SetReject>>()?;
        Ok(Self { id: id.into(), issued, txn: txn.map(Box::from), subject, events })
    }
}

impl From<Malformed> for SetReject {
    fn from(malformed: Malformed) -> Self {
        reject(malformed.to_string())
    }
}

fn reject(reason: impl Into<String>) -> SetReject {
    SetReject { fault: SetFault::InvalidRequest, reason: reason.into() }
}

fn check_issuer(claims: &Map<'_>, rules: &SetRules<'_>) -> Result<(), SetReject> {
    match claims.get("iss") {
        Some(Value::String(issuer)) if issuer == rules.issuer => Ok(()),
        Some(_) => {
            let reason = "`iss` is not the issuer of the stream".to_owned();
            Err(SetReject { fault: SetFault::InvalidIssuer, reason })
        }
        None => Err(reject("`iss` is missing")),
    }
}

/// `aud` is a text or a list of them (RFC 7519, section 4.1.3).
fn check_audience(claims: &Map<'_>, rules: &SetRules<'_>) -> Result<(), SetReject> {
    let is_ours = |value: &Value<'_>| match value {
        Value::String(text) => rules.audiences.iter().any(|ours| ours == text),
        _ => false,
    };
    let is_text = |value: &Value<'_>| matches!(value, Value::String(_));
    let is_for_us = match claims.get("aud") {
        None => return Err(reject("`aud` is missing")),
        Some(Value::List(audiences)) if audiences.len() > SET_AUDIENCES => {
            return Err(reject("`aud` has too many elements"));
        }
        Some(Value::List(audiences)) => audiences.iter().all(is_text) && audiences.iter().any(is_ours),
        Some(audience) => is_ours(audience),
    };
    if is_for_us {
        return Ok(());
    }
    let reason = "`aud` names none of the audiences of the stream".to_owned();
    Err(SetReject { fault: SetFault::InvalidAudience, reason })
}

/// The events that count: of several URIs for the same event the one whose type is known.
///
/// Several are the same if the last segments of their URIs and their contents are (Shared Signals Framework 1.0,
/// section 4.1.2). Several SCIM events may be about one change (RFC 9967, section 2.3).
fn chosen<'m, 'v>(
    events: &'m Map<'v>,
    scim_drafts: bool,
) -> Result<Vec<(&'m str, &'m Value<'v>)>, SetReject> {
    if events.len() > SET_EVENTS {
        return Err(reject("`events` has too many events"));
    }
    for (uri, _) in events.iter() {
        member::bounded(uri, "events", SET_TEXT_BYTES)?;
    }
    let family = |uri: &str| EventType::of(uri, scim_drafts).map(|kind| kind.family);
    if events.iter().all(|(uri, _)| family(uri) == Some(Family::Scim)) {
        return Ok(events.iter().collect());
    }
    let mut known = events.iter().filter(|(uri, _)| family(uri).is_some());
    let first = known.next().or_else(|| events.iter().next());
    let (uri, content) = first.ok_or_else(|| reject("`events` is empty"))?;
    let segment = |uri: &'m str| uri.rsplit(['/', ':']).next();
    let is_same = |(other, value): (&'m str, &Value<'_>)| segment(other) == segment(uri) && value == content;
    if known.next().is_some() || !events.iter().all(is_same) {
        return Err(reject("`events` has events of more than one type"));
    }
    Ok(vec![(uri, content)])
}

/// Events about the stream name it. CAEP and RISC events may repeat the subject, and then have to agree with `sub_id`;
/// other events that we know must not have one (Shared Signals Framework 1.0, section 4.1.1).
fn check_subject(
    event: &Event,
    kind: Option<&EventType>,
    content: &Value<'_>,
    subject: &Identifier,
    rules: &SetRules<'_>,
) -> Result<(), SetReject> {
    if matches!(event, Event::Verification { .. } | Event::StreamUpdated { .. }) {
        let named = subject.simple().filter(|simple| simple.format() == Format::Opaque);
        let named = named.and_then(|simple| simple.text("id"));
        if named.is_none() || rules.stream.is_some_and(|stream| named != Some(stream)) {
            return Err(reject("`sub_id` does not name the stream that the event is about"));
        }
    }
    let repeated = match (kind, content) {
        (Some(kind), Value::Map(content)) => content.get("subject").map(|value| (kind.family, value)),
        _ => None,
    };
    match repeated {
        None => Ok(()),
        Some((Family::Caep | Family::Risc, value)) if Identifier::read(value)? == *subject => Ok(()),
        Some((Family::Caep | Family::Risc, _)) => Err(reject("`subject` is not the same as `sub_id`")),
        Some((Family::Stream | Family::Scim, _)) => Err(reject("`subject` does not belong into this event")),
    }
}

#[cfg(test)]
mod tests;
