//! What is held true: shown, stated by operators, and withdrawn.
//!
//! For callers that may do [`Action::Facts`]. For one that is bound to tenants there are the facts of these, and what it
//! states is only true there.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use axum::routing::{get, put};
use procura_core::model::{Entity, EntityKind, Fact, Subject, Timestamp};
use procura_core::value::{Map, Value};
use serde::Serialize;

use super::body::Bounded;
use super::decisions::params::pairs;
use super::error::Refusal;
use super::json::{self, Invalid};
use super::routes::{Place, Route};
use super::{Services, answer};
use crate::pdp::webhooks::{Assertion, FactError, FactOffice, ID, NAME, is_id, is_name};
use crate::pdp::{Action, Caller, NotHeard};

/// Most things that are asked for at once.
const MOST: usize = 100;

/// What stands between the kind and the id of a resource, and the issuer and the id of a token, as in records.
const BETWEEN: char = '\n';

pub(super) fn routes() -> Vec<Route> {
    let facts = |path| Place::needing(Action::Facts, path);
    vec![
        facts("/api/facts").with(get(list)),
        facts("/api/facts/{kind}/{id}/{name}").with(put(state).delete(withdraw)),
        facts("/api/facts/resource/{kind}/{id}/{name}").with(put(state_of).delete(withdraw_of)),
    ]
}

/// What stands in a path: two texts that say about what, and the name of a fact.
type Named = Result<Path<(String, String, String)>, PathRejection>;

async fn list(caller: Caller, State(services): State<Arc<Services>>, uri: Uri) -> Result<Response, Refusal> {
    let entities = entities(&uri)?;
    if entities.is_empty() {
        let example = "say about what, for example `?principal=ada`";
        return Err(Invalid::at("principal", example).into());
    }
    let office = office(&services)?;
    let (facts, now) = (office.about(&caller, &entities), office.now());
    answer::json(&Listed { facts: facts.iter().map(|fact| Shown::new(fact, now)).collect() })
}

async fn state(
    caller: Caller,
    services: State<Arc<Services>>,
    named: Named,
    body: Bounded,
) -> Result<Response, Refusal> {
    let (entity, name) = simple(named)?;
    put_fact(&caller, &services, (entity, name), &body).await
}

async fn state_of(
    caller: Caller,
    services: State<Arc<Services>>,
    named: Named,
    body: Bounded,
) -> Result<Response, Refusal> {
    put_fact(&caller, &services, resource(named)?, &body).await
}

async fn withdraw(caller: Caller, services: State<Arc<Services>>, named: Named) -> Result<Response, Refusal> {
    let (entity, name) = simple(named)?;
    delete_fact(&caller, &services, (entity, name)).await
}

async fn withdraw_of(
    caller: Caller,
    services: State<Arc<Services>>,
    named: Named,
) -> Result<Response, Refusal> {
    delete_fact(&caller, &services, resource(named)?).await
}

async fn put_fact(
    caller: &Caller,
    services: &Services,
    (entity, name): (Entity<'static>, String),
    body: &Bounded,
) -> Result<Response, Refusal> {
    let text: &[u8] = if body.bytes.is_empty() { b"{}" } else { &body.bytes };
    let Value::Map(members) = json::parse::<Value<'_>>(text)? else {
        return Err(Invalid::at("$", "expected an object").into());
    };
    let said = Assertion::rest("", name, subject(entity)?, Map::into_owned(members));
    let said = said.map_err(FactError::from)?;
    let office = office(services)?;
    let (stated, now) = (office.state(caller, &said).await?, office.now());
    answer::json(&Listed { facts: stated.iter().map(|fact| Shown::new(fact, now)).collect() })
}

async fn delete_fact(
    caller: &Caller,
    services: &Services,
    (entity, name): (Entity<'static>, String),
) -> Result<Response, Refusal> {
    let office = office(services)?;
    let withdrawn = office.withdraw(caller, &subject(entity)?, &name).await?;
    if withdrawn.is_empty() {
        return Err(Refusal::NotFound);
    }
    let now = office.now();
    let shown = withdrawn.iter().map(|fact| Shown { in_force: false, ..Shown::new(fact, now) });
    answer::json(&Listed { facts: shown.collect() })
}

fn office(services: &Services) -> Result<&FactOffice, Refusal> {
    services.facts.as_deref().ok_or(Refusal::NotFound)
}

fn subject(entity: Entity<'static>) -> Result<Subject, Refusal> {
    Subject::new(vec![entity]).ok_or(Refusal::Internal)
}

/// Something and the name of a fact about it, from a path.
fn simple(named: Named) -> Result<(Entity<'static>, String), Invalid> {
    let (kind, id, name) = decoded(named)?;
    let known = EntityKind::ALL.into_iter().find(|known| known.as_str() == kind);
    let known = known.filter(|kind| !is_within(*kind)).ok_or_else(|| {
        let known = EntityKind::ALL.map(EntityKind::as_str).join("`, `");
        let message =
            format_args!("expected one of `{known}`; a resource as `resource/KIND/ID`, a token by a webhook");
        Invalid::at("kind", message)
    })?;
    Ok((Entity::new(known, checked_id("id", id)?), checked_name(name)?))
}

fn resource(named: Named) -> Result<(Entity<'static>, String), Invalid> {
    let (kind, id, name) = decoded(named)?;
    let entity = Entity::within(EntityKind::Resource, checked_id("kind", kind)?, checked_id("id", id)?);
    Ok((entity, checked_name(name)?))
}

fn decoded(named: Named) -> Result<(String, String, String), Invalid> {
    let named = named.map(|Path(named)| named);
    named.map_err(|_| Invalid::at("id", "the text between the slashes is not UTF-8"))
}

fn checked_id(member: &str, id: String) -> Result<String, Invalid> {
    if is_id(&id) { Ok(id) } else { Err(Invalid::at(member, ID)) }
}

fn checked_name(name: String) -> Result<String, Invalid> {
    if is_name(&name) { Ok(name) } else { Err(Invalid::at("name", NAME)) }
}

/// Whether ids of this kind are only unique within something else.
const fn is_within(kind: EntityKind) -> bool {
    matches!(kind, EntityKind::Resource | EntityKind::Token)
}

/// What the query of `uri` names: `principal=ada`, each kind as often as it is needed.
pub(super) fn entities(uri: &Uri) -> Result<Vec<Entity<'static>>, Invalid> {
    let pairs = pairs(uri)?;
    if pairs.len() > MOST {
        return Err(Invalid::at("query", format_args!("more than {MOST} parameters, the limit")));
    }
    pairs.into_iter().map(|(name, value)| entity(&name, &value)).collect()
}

fn entity(name: &str, value: &str) -> Result<Entity<'static>, Invalid> {
    let Some(kind) = EntityKind::ALL.into_iter().find(|known| known.as_str() == name) else {
        let known = EntityKind::ALL.map(EntityKind::as_str).join("`, `");
        return Err(Invalid::at(name, format_args!("no such parameter; there are `{known}`")));
    };
    if !is_within(kind) {
        return Ok(Entity::new(kind, checked_id(name, value.to_owned())?));
    }
    let expected = || Invalid::at(name, "expected its kind or issuer, a line feed (`%0A`), and its id");
    let (of, id) = value.split_once(BETWEEN).ok_or_else(expected)?;
    Ok(Entity::within(kind, checked_id(name, of.to_owned())?, checked_id(name, id.to_owned())?))
}

/// Body of every answer about facts.
#[derive(Serialize)]
struct Listed<'f> {
    facts: Vec<Shown<'f>>,
}

/// One fact.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'f> {
    r#type: &'f str,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<&'f str>,
    subject: About<'f>,
    source: &'f str,
    id: &'f str,
    at: String,
    received: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// Whole seconds since `at`.
    age: i64,
    in_force: bool,
    data: Option<&'f Value<'static>>,
}

impl<'f> Shown<'f> {
    fn new(fact: &'f Fact, now: Timestamp) -> Self {
        Self {
            r#type: &fact.name,
            slot: (fact.slot != fact.name).then_some(&*fact.slot),
            subject: about(&fact.subject),
            source: &fact.source,
            id: &fact.id,
            at: fact.at.to_string(),
            received: fact.received.to_string(),
            expires: fact.expires.map(|expires| expires.to_string()),
            age: now.duration_since(fact.at).as_secs(),
            in_force: fact.is_in_force(now),
            data: fact.value.as_ref(),
        }
    }
}

/// What a fact is about, by kind.
pub(super) type About<'f> = BTreeMap<&'static str, Id<'f>>;

/// One thing that it is about.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Id<'f> {
    /// By its id.
    Simple(&'f str),
    /// A resource.
    Resource {
        /// Its kind.
        kind: &'f str,
        /// Its id.
        id: &'f str,
    },
    /// A token.
    Token {
        /// Its issuer.
        issuer: &'f str,
        /// Its id.
        id: &'f str,
    },
}

/// `subject` as mappings write it.
pub(super) fn about(subject: &Subject) -> About<'_> {
    subject.entities().iter().map(|entity| (entity.kind.as_str(), id_of(entity))).collect()
}

fn id_of<'f>(entity: &'f Entity<'static>) -> Id<'f> {
    let (of, id) = (&*entity.of, &*entity.id);
    match entity.kind {
        EntityKind::Resource => Id::Resource { kind: of, id },
        EntityKind::Token => Id::Token { issuer: of, id },
        _ => Id::Simple(id),
    }
}

impl From<FactError> for Refusal {
    fn from(error: FactError) -> Self {
        match error {
            FactError::NotSaid(error) => Invalid::at(&error.at, &error.expected).into(),
            FactError::NotHeard(error) => error.into(),
        }
    }
}

impl From<NotHeard> for Refusal {
    fn from(error: NotHeard) -> Self {
        match error {
            // What else can be wrong was looked at before.
            NotHeard::Refused { reason, .. } => Invalid::at("at", reason).into(),
            NotHeard::TooOften { wait } => Self::TooOften { wait },
            NotHeard::NoRoom(reason) => Self::FactsFull(reason),
            NotHeard::NotNow(reason) => Self::FactsUnavailable(reason),
        }
    }
}
