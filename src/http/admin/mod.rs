//! Administration of policies: what is live, what the last attempts found, and reloading now. And the decision log in the
//! shape of the peer.
//!
//! For operators only, see [`Operator`].

mod audit_log;
mod dto;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};

use self::dto::{Outcome, Status};
use super::caller::Operator;
use super::error::{Refusal, reload_status};
use super::{Services, answer};
use crate::pdp::Cause;

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/admin/policies/status", get(status))
        .route("/admin/policies/reload", post(reload))
        .route("/admin/auditlog/list/{kind}", get(audit_log::list))
}

async fn status(_: Operator, State(services): State<Arc<Services>>) -> Result<Response, Refusal> {
    answer::json(&services, &Status::from(&*services.reload.status())).await
}

async fn reload(_: Operator, State(services): State<Arc<Services>>) -> Result<Response, Refusal> {
    let outcome = services.reload.reload(Cause::Admin).await;
    let mut response = answer::json(&services, &Outcome::from(&outcome)).await?;
    *response.status_mut() = reload_status(&outcome);
    Ok(response)
}
