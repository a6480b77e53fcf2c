//! AuthZEN Authorization API 1.0: access evaluation and metadata.
//!
//! Members mean what the peer takes them for: see [`request`].

pub(super) mod request;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use axum::routing::{get, post};
use procura_core::model::{Effect, Evaluation};
use serde::Serialize;

use self::request::EvaluationCall;
use super::aux_data::take_transaction;
use super::body::Bounded;
use super::cerbos::CheckResponse;
use super::edge::X_REQUEST_ID;
use super::error::Refusal;
use super::{Invalid, Services, answer};
use crate::pdp::Caller;

const EVALUATION: &str = "/access/v1/evaluation";

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route(EVALUATION, post(evaluation))
        .route("/.well-known/authzen-configuration", get(configuration))
}

pub(super) async fn evaluation(
    State(services): State<Arc<Services>>,
    caller: Caller,
    headers: HeaderMap,
    body: Bounded,
) -> Result<Response, Refusal> {
    let received = Instant::now();
    demand_json(&headers)?;
    let request_id = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let mut evaluation = EvaluationCall::parse(&body.bytes, request_id, &services.limits)?;
    take_transaction(&headers, &mut evaluation.check.call)?;
    let answer = answer::decide(&services, &caller, &headers, &mut evaluation.check.call, received).await?;
    answer::respond(&answer, &Decision::new(&evaluation, &answer.evaluation, &answer.call_id))
}

async fn configuration(
    State(services): State<Arc<Services>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refusal> {
    let base = match &services.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("https://{}", host(&headers, &uri)?),
    };
    let access_evaluation_endpoint = format!("{base}{EVALUATION}");
    answer::json(&Configuration { policy_decision_point: base, access_evaluation_endpoint })
}

/// An absent `content-type` passes: there is nothing wrong in it.
fn demand_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(declared) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let media_type = declared.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Refusal::NotJson) }
}

/// The host that the request names; it is only ever told back to whoever sent it.
fn host<'h>(headers: &'h HeaderMap, uri: &'h Uri) -> Result<&'h str, Invalid> {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    named
        .or_else(|| uri.authority().map(Authority::as_str))
        .ok_or_else(|| Invalid::at("host", "a value is required"))
}

/// The answer to an evaluation.
#[derive(Serialize)]
struct Decision<'r> {
    decision: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<DecisionContext<'r>>,
}

#[derive(Serialize)]
struct DecisionContext<'r> {
    #[serde(rename = "cerbos.response")]
    cerbos_response: CheckResponse<'r>,
}

impl<'r> Decision<'r> {
    fn new(call: &'r EvaluationCall<'_>, evaluation: &'r Evaluation, call_id: &'r str) -> Self {
        let decided = evaluation.resources.first().and_then(|resource| resource.actions.first());
        let context = call.wants_check_response.then(|| DecisionContext {
            cerbos_response: CheckResponse::new(&call.check, evaluation, call_id),
        });
        Self { decision: decided.is_some_and(|decision| decision.effect == Effect::Allow), context }
    }
}

/// Policy decision point metadata: only what there is.
#[derive(Serialize)]
struct Configuration {
    policy_decision_point: String,
    access_evaluation_endpoint: String,
}
