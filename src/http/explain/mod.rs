//! `POST /api/explain`: why a check request is answered as it is. Nothing is decided by it, so nothing is recorded.
//!
//! For callers that may do [`Action::Explain`]: an explanation shows policies and what they read.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use procura_core::engine::{ExplainedResource, ExplainedSignal, Explanation};
use serde::Serialize;

use super::aux_data::take_transaction;
use super::body::Bounded;
use super::cerbos::CheckCall;
use super::error::Refusal;
use super::routes::{Place, Route};
use super::{Services, answer};
use crate::pdp::{Action, Caller};

pub(super) fn routes() -> Vec<Route> {
    vec![Place::needing(Action::Explain, "/api/explain").with(post(explain))]
}

async fn explain(
    caller: Caller,
    State(services): State<Arc<Services>>,
    headers: HeaderMap,
    body: Bounded,
) -> Result<Response, Refusal> {
    let mut check = CheckCall::parse(&body.bytes, &services.limits)?;
    take_transaction(&headers, &mut check.call)?;
    let explained = services.pdp.explain(&caller, &mut check.call).await?;
    let response = answer::json(&ExplainResponse::new(&check, &explained.explanation))?;
    answer::with_revision(response, &explained.active)
}

/// The body of the response.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainResponse<'r> {
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'r str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    signals: &'r [ExplainedSignal],
    results: &'r [ExplainedResource],
    truncated: bool,
}

impl<'r> ExplainResponse<'r> {
    /// What `check` is answered with `explanation`.
    #[must_use]
    pub fn new(check: &'r CheckCall<'_>, explanation: &'r Explanation) -> Self {
        let Explanation { signals, results, truncated, .. } = explanation;
        Self { request_id: &check.call.request_id, signals, results, truncated: *truncated }
    }
}
