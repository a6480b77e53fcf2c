//! The check API, as Cerbos clients speak it, so that an SDK needs no change.

pub(super) mod batch;
pub(super) mod direct;
mod request;
mod response;
pub(super) mod set;
mod write;

pub use request::CheckCall;
pub use response::CheckResponse;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;

use super::admission::Account;
use super::aux_data::take_transaction;
use super::body::Bounded;
use super::error::Refusal;
use super::{Services, answer};
use crate::pdp::Caller;
use batch::BatchResponse;
use set::{SetRequest, SetResponse};

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/check/resources", post(check_resources))
        .route("/api/check", post(check_resource_set))
        .route("/api/check_resource_batch", post(check_resource_batch))
        .route("/api/plan/resources", get(plan_resources).post(plan_resources))
        .route("/api/server_info", get(server_info))
}

pub(super) async fn check_resources(
    State(services): State<Arc<Services>>,
    caller: Caller,
    headers: HeaderMap,
    body: Bounded,
) -> Result<Response, Refusal> {
    let received = Instant::now();
    let mut check = CheckCall::parse(&body.bytes, &services.limits)?;
    take_transaction(&headers, &mut check.call)?;
    let answer = answer::decide(&services, &caller, &headers, &mut check.call, received).await?;
    let response = CheckResponse::new(&check, &answer.evaluation, &answer.call_id);
    answer::respond_with(&answer, response.to_json())
}

async fn check_resource_set(
    State(services): State<Arc<Services>>,
    caller: Caller,
    Extension(account): Extension<Arc<Account>>,
    headers: HeaderMap,
    body: Bounded,
) -> Result<Response, Refusal> {
    let received = Instant::now();
    let request = SetRequest::parse(&body.bytes)?;
    let size = request.size().within(&services.limits)?;
    let _room = services.budget.work(&account, size.text, size.decisions).await?;
    let mut check = request.validate(&services.limits)?;
    take_transaction(&headers, &mut check.call)?;
    let answer = answer::decide(&services, &caller, &headers, &mut check.call, received).await?;
    answer::respond(&answer, &SetResponse::new(&check, &answer.evaluation))
}

async fn check_resource_batch(
    State(services): State<Arc<Services>>,
    caller: Caller,
    headers: HeaderMap,
    body: Bounded,
) -> Result<Response, Refusal> {
    let received = Instant::now();
    let mut check = batch::parse_call(&body.bytes, &services.limits)?;
    take_transaction(&headers, &mut check.call)?;
    let answer = answer::decide(&services, &caller, &headers, &mut check.call, received).await?;
    answer::respond(&answer, &BatchResponse::new(&check, &answer.evaluation))
}

/// Cerbos answers query plans here; its clients should not take the path for a mistake of theirs.
async fn plan_resources() -> Refusal {
    Refusal::NotSupported("`/api/plan/resources` (query plans)")
}

async fn server_info() -> Result<Response, Refusal> {
    let info = ServerInfo { version: env!("CARGO_PKG_VERSION"), name: env!("CARGO_PKG_NAME") };
    answer::json(&info)
}

/// Body of `GET /api/server_info`.
#[derive(Serialize)]
struct ServerInfo {
    version: &'static str,
    name: &'static str,
}
