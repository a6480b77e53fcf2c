//! Where signals come from: how every source fares.
//!
//! For callers that may do [`Action::Facts`]. One that is bound to tenants sees the sources that are of these alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use procura_core::model::Timestamp;
use serde::Serialize;

use super::error::Refusal;
use super::routes::{Place, Route};
use super::{Services, answer};
use crate::pdp::{Action, Caller, SourceStatus};
use crate::ports::{StreamConnection, StreamStatus};

pub(super) fn routes() -> Vec<Route> {
    let facts = |path| Place::needing(Action::Facts, path);
    vec![facts("/api/signals").with(get(status))]
}

async fn status(caller: Caller, State(services): State<Arc<Services>>) -> Result<Response, Refusal> {
    let office = services.facts.as_deref().ok_or(Refusal::NotFound)?;
    let sources: Vec<_> =
        office.intake().status().into_iter().filter(|source| is_seen(&caller, source)).collect();
    let connections = services.streams.as_ref().map(|streams| streams.connections()).unwrap_or_default();
    let connection = |source: &SourceStatus| connections.iter().find(|known| known.name == source.name);
    let (held, limit) = (office.store().count(), office.store().limit());
    answer::json(&Status {
        facts: Held { held, limit },
        trouble: office.store().health().err(),
        sources: sources.iter().map(|source| Source::new(source, connection(source))).collect(),
    })
}

/// Whether `caller` may know of `source`.
pub(super) fn is_seen(caller: &Caller, source: &SourceStatus) -> bool {
    let Some(tenants) = &caller.identity.tenants else { return true };
    source.tenants.as_ref().is_some_and(|of| of.iter().all(|tenant| tenants.contains(tenant)))
}

/// Body of `GET /api/signals`.
#[derive(Serialize)]
struct Status<'s> {
    facts: Held,
    /// Why facts cannot be kept, if they cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    sources: Vec<Source<'s>>,
}

#[derive(Serialize)]
struct Held {
    held: usize,
    limit: usize,
}

/// How one source fares.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Source<'s> {
    name: &'s str,
    kind: &'static str,
    taken: u64,
    ignored: u64,
    repeated: u64,
    refused: &'s BTreeMap<&'static str, u64>,
    /// When something was last taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    /// Seconds from the time of the last event until it was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag: Option<f64>,
    /// Whole seconds.
    silent: u64,
    /// Whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_silence: Option<u64>,
    /// Why policies should not rely on it, if they should not.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<Stream<'s>>,
}

/// What is known of the stream that a source is.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Stream<'s> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'static str>,
    managed: bool,
    /// How the transmitter names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'s str>,
    events: &'s [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    last_answer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_verification: Option<String>,
    troubles: &'s [String],
}

impl<'s> Source<'s> {
    fn new(source: &'s SourceStatus, connection: Option<&'s StreamConnection>) -> Self {
        Self {
            name: &source.name,
            kind: source.kind,
            taken: source.taken,
            ignored: source.ignored,
            repeated: source.repeated,
            refused: &source.refused,
            last: source.last.map(|last| last.to_string()),
            lag: source.lag.map(|lag| lag.as_secs_f64()),
            silent: source.silent.as_secs(),
            max_silence: source.max_silence.map(|most| most.as_secs()),
            trouble: source.trouble(),
            stream: (source.kind == "stream").then(|| Stream::new(source, connection)),
        }
    }
}

impl<'s> Stream<'s> {
    fn new(source: &'s SourceStatus, connection: Option<&'s StreamConnection>) -> Self {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let said = source.stream.as_ref();
        let known = connection.map(|known| Self {
            status: known.status.map(StreamStatus::as_str),
            delivery: Some(known.delivery.as_str()),
            managed: known.is_managed,
            id: known.id.as_deref(),
            events: &known.events,
            last_answer: text(known.last_answer),
            last_verification: text(known.last_verification),
            troubles: &known.troubles,
            ..Self::default()
        });
        let known = known.unwrap_or_default();
        let status = said.map(|said| said.status).or(known.status);
        Self { status, reason: said.and_then(|said| said.reason.as_deref()), ..known }
    }
}
