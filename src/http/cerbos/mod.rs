//! The check API, as Cerbos clients speak it, so that an SDK needs no change.

mod request;
mod response;

pub use request::CheckCall;
pub use response::CheckResponse;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{any, get, post};
use serde::Serialize;

use super::body::Bounded;
use super::error::Refusal;
use super::{Services, answer};
use crate::pdp::Caller;

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/check/resources", post(check_resources))
        .route("/api/plan/resources", any(plan_resources))
        .route("/api/server_info", get(server_info))
}

async fn check_resources(
    State(services): State<Arc<Services>>,
    caller: Caller,
    body: Bounded,
) -> Result<Response, Refusal> {
    let received = Instant::now();
    let check = CheckCall::parse(&body.bytes, &services.limits)?;
    let answer = answer::decide(&services, &caller, &check.call, received).await?;
    answer::respond(&services, &answer, &CheckResponse::new(&check, &answer.evaluation, &answer.call_id))
        .await
}

/// Cerbos answers query plans here; its clients should not take the path for a mistake of theirs.
async fn plan_resources() -> Refusal {
    Refusal::NotSupported("`/api/plan/resources` (query plans)")
}

async fn server_info(State(services): State<Arc<Services>>) -> Result<Response, Refusal> {
    let info = ServerInfo { version: env!("CARGO_PKG_VERSION"), name: env!("CARGO_PKG_NAME") };
    answer::json(&services, &info).await
}

/// Body of `GET /api/server_info`.
#[derive(Serialize)]
struct ServerInfo {
    version: &'static str,
    name: &'static str,
}
