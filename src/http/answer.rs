//! From a valid call to its response, the same for every surface that asks for decisions.

use std::time::Instant;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use procura_core::model::{Effect, Evaluation};
use serde::Serialize;

use super::Services;
use super::error::Refusal;
use crate::pdp::{Active, Answer, Call, Caller};
use crate::telemetry::events::CallDecided;
use crate::telemetry::{Trace, TraceParent};

/// The content hash of the policy set that decided.
const POLICY_REVISION: HeaderName = HeaderName::from_static("procura-policy-revision");

/// The id under which the decision log holds the call.
const CALL_ID: HeaderName = HeaderName::from_static("procura-call-id");

/// The trace that the caller wants the call to belong to (W3C Trace Context).
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What tracing systems pass on beside it.
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Most bytes of it: what everybody passes on at least (W3C Trace Context, section 3.3.1.5).
const TRACESTATE_BYTES: usize = 512;

/// Most headers of a response, those of `edge.rs` among them.
const HEADERS: usize = 6;

/// Asks for the decisions of `call`, which came with `headers` and whose body was complete at `received`.
pub(super) async fn decide(
    services: &Services,
    caller: &Caller,
    headers: &HeaderMap,
    call: &mut Call<'_>,
    received: Instant,
) -> Result<Answer, Refusal> {
    let trace = trace_of(headers);
    call.trace = trace.map(|trace| trace.parent);
    let answer = services.pdp.decide(caller, call).await?;
    let (allowed, denied, problems) = count(&answer.evaluation);
    CallDecided {
        api: call.api,
        call_id: &answer.call_id,
        trace,
        revision: answer.active.snapshot.revision.as_str(),
        allowed,
        denied,
        problems,
        parse: answer.begun - received,
        decide: answer.decide,
        record: answer.record,
    }
    .emit(&services.metrics);
    Ok(answer)
}

/// Where the request with these `headers` stands in a trace; `None` if it does not say so well.
pub(super) fn trace_of(headers: &HeaderMap) -> Option<Trace<'_>> {
    let parent = TraceParent::parse(headers.get(TRACEPARENT)?.as_bytes())?;
    let is_one = headers.get_all(TRACEPARENT).iter().nth(1).is_none();
    let state = headers.get(TRACESTATE).and_then(|state| state.to_str().ok());
    let state = state.filter(|state| state.len() <= TRACESTATE_BYTES).unwrap_or_default();
    is_one.then_some(Trace { parent, state })
}

/// The response with `body` as JSON, and in its headers which set decided and how to find the record.
pub(super) fn respond(answer: &Answer, body: &impl Serialize) -> Result<Response, Refusal> {
    respond_with(answer, serde_json::to_vec(body))
}

/// The same with the text of a body, if it could be written.
pub(super) fn respond_with(answer: &Answer, body: serde_json::Result<Vec<u8>>) -> Result<Response, Refusal> {
    let response = json_text(body)?;
    let mut response = with_revision(response, &answer.active)?;
    let call_id = HeaderValue::from_str(&answer.call_id).map_err(|_| Refusal::Internal)?;
    response.headers_mut().insert(CALL_ID, call_id);
    Ok(response)
}

/// `response` with the header that says which set it is from.
pub(super) fn with_revision(mut response: Response, active: &Active) -> Result<Response, Refusal> {
    let revision = active.snapshot.revision.as_str();
    let revision = HeaderValue::from_str(revision).map_err(|_| Refusal::Internal)?;
    response.headers_mut().insert(POLICY_REVISION, revision);
    Ok(response)
}

/// A response with `body` as JSON.
pub(super) fn json(body: &impl Serialize) -> Result<Response, Refusal> {
    json_text(serde_json::to_vec(body))
}

fn json_text(body: serde_json::Result<Vec<u8>>) -> Result<Response, Refusal> {
    let mut response = Response::new(Body::from(body.map_err(|_| Refusal::Internal)?));
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.headers_mut() = headers;
    Ok(response)
}

/// Actions allowed, actions denied, problems met.
fn count(evaluation: &Evaluation) -> (u64, u64, usize) {
    let decisions = evaluation.resources.iter().flat_map(|resource| &resource.actions);
    decisions.fold((0, 0, 0), |(allowed, denied, problems), decision| {
        let problems = problems + decision.problems.len();
        match decision.effect {
            Effect::Allow => (allowed + 1, denied, problems),
            Effect::Deny => (allowed, denied + 1, problems),
        }
    })
}
