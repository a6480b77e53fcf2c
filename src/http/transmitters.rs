//! What the transmitters of streams are asked to do (Shared Signals Framework 1.0, section 8.1).
//!
//! For callers that may do [`Action::Facts`], of the streams that they see.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{post, put};
use procura_core::value::{Map, Value};
use serde::{Deserialize, Serialize};

use super::body::Bounded;
use super::error::Refusal;
use super::json::{Object, parse};
use super::routes::{Place, Route};
use super::sources::is_seen;
use super::{Invalid, Services, answer};
use crate::pdp::{Action, Caller};
use crate::ports::{ControlError, StreamControl, StreamStatus};

/// Longest reason, in characters.
const REASON: usize = 1024;

pub(super) fn routes() -> Vec<Route> {
    let facts = |path| Place::needing(Action::Facts, path);
    vec![
        facts("/api/signals/streams/{stream}/verify").with(post(verify)),
        facts("/api/signals/streams/{stream}/status").with(put(status)),
        facts("/api/signals/streams/{stream}/subjects/add").with(post(add)),
        facts("/api/signals/streams/{stream}/subjects/remove").with(post(leave_out)),
        facts("/api/signals/streams/{stream}/delete").with(post(remove)),
    ]
}

/// The name of a stream in a path.
type Named = Result<Path<String>, PathRejection>;

async fn verify(
    caller: Caller,
    State(services): State<Arc<Services>>,
    stream: Named,
) -> Result<Response, Refusal> {
    let asked = Asked::of(&services, &caller, stream)?;
    asked.control.verify(&asked.stream).await?;
    asked.answer(None)
}

async fn status(
    caller: Caller,
    State(services): State<Arc<Services>>,
    stream: Named,
    body: Bounded,
) -> Result<Response, Refusal> {
    let asked = Asked::of(&services, &caller, stream)?;
    let Object(Wanted { status, reason }) = parse::<Object<Wanted>>(&body.bytes)?;
    let wanted = StreamStatus::named(&status)
        .ok_or_else(|| Invalid::at("status", "must be `enabled`, `paused` or `disabled`"))?;
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON) {
        return Err(Invalid::at("reason", format_args!("longer than {REASON} characters")).into());
    }
    let told = asked.control.set_status(&asked.stream, wanted, reason.as_deref()).await?;
    asked.answer(Some(told))
}

async fn add(
    caller: Caller,
    State(services): State<Arc<Services>>,
    stream: Named,
    body: Bounded,
) -> Result<Response, Refusal> {
    let asked = Asked::of(&services, &caller, stream)?;
    let Object(Added { subject, verified }) = parse::<Object<Added<'_>>>(&body.bytes)?;
    asked.control.add_subject(&asked.stream, &identifier(&subject)?, verified).await?;
    asked.answer(None)
}

async fn leave_out(
    caller: Caller,
    State(services): State<Arc<Services>>,
    stream: Named,
    body: Bounded,
) -> Result<Response, Refusal> {
    let asked = Asked::of(&services, &caller, stream)?;
    let Object(LeftOut { subject }) = parse::<Object<LeftOut<'_>>>(&body.bytes)?;
    asked.control.remove_subject(&asked.stream, &identifier(&subject)?).await?;
    asked.answer(None)
}

async fn remove(
    caller: Caller,
    State(services): State<Arc<Services>>,
    stream: Named,
) -> Result<Response, Refusal> {
    let asked = Asked::of(&services, &caller, stream)?;
    asked.control.delete(&asked.stream).await?;
    asked.answer(None)
}

/// The identifier of a subject (RFC 9493); the transmitter says whether it knows its format.
fn identifier(subject: &Map<'_>) -> Result<serde_json::Value, Refusal> {
    match subject.get("format") {
        Some(Value::String(_)) => serde_json::to_value(subject)
            .map_err(|_| Invalid::at("subject", "cannot be written as JSON").into()),
        _ => {
            Err(Invalid::at("subject.format", "a value is required, for example `iss_sub` or `email`").into())
        }
    }
}

/// A stream that its transmitter is asked about.
struct Asked<'s> {
    stream: String,
    control: &'s dyn StreamControl,
}

impl<'s> Asked<'s> {
    /// The stream of this name, if there is such a stream for `caller`.
    fn of(services: &'s Services, caller: &Caller, stream: Named) -> Result<Self, Refusal> {
        let Path(stream) = stream.map_err(|_| Refusal::NotFound)?;
        let office = services.facts.as_deref().ok_or(Refusal::NotFound)?;
        let sources = office.intake().status();
        let known = sources.iter().find(|source| *source.name == *stream && source.kind == "stream");
        known.filter(|source| is_seen(caller, source)).ok_or(Refusal::NotFound)?;
        let unmanaged = || Refusal::from(ControlError::Unmanaged(stream.clone()));
        let control = services.streams.as_deref().ok_or_else(unmanaged)?;
        Ok(Self { stream, control })
    }

    fn answer(&self, status: Option<StreamStatus>) -> Result<Response, Refusal> {
        answer::json(&Told { stream: &self.stream, status: status.map(StreamStatus::as_str) })
    }
}

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::UnknownStream(_) | ControlError::Unmanaged(_) | ControlError::NotOffered(_) => {
                Invalid::at("stream", error).into()
            }
            ControlError::NotReady { .. } | ControlError::Refused { .. } | ControlError::Failed(_) => {
                Self::Transmitter(error.to_string())
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    status: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Added<'a> {
    #[serde(borrow)]
    subject: Map<'a>,
    verified: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeftOut<'a> {
    #[serde(borrow)]
    subject: Map<'a>,
}

/// Body of the answer to what a transmitter was asked to do.
#[derive(Serialize)]
struct Told<'a> {
    stream: &'a str,
    /// What it tells its status is.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}
