//! Administration of policies: what is live, what the last attempts found, reloading now, and going back. What is no
//! longer relied on. And the decision log in the shape of the peer.
//!
//! For operators only, see [`Operator`].

mod ask;
pub(super) mod audit_log;
mod dto;
mod quarantine;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};

use self::dto::Status;
use super::caller::Operator;
use super::error::Refusal;
use super::{Services, answer};
use crate::pdp::Shadow;

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/admin/policies/status", get(status))
        .route("/admin/policies/reload", post(ask::reload))
        .route("/admin/policies/rollback", post(ask::rollback))
        .route("/admin/auditlog/list/{kind}", get(audit_log::list))
        .route("/admin/quarantine", get(quarantine::list))
        .route("/admin/quarantine/{id}", get(quarantine::get).put(quarantine::begin).delete(quarantine::lift))
        .route("/admin/quarantine/{id}/affected", get(quarantine::affected))
}

async fn status(_: Operator, State(services): State<Arc<Services>>) -> Result<Response, Refusal> {
    let (reload, shadow) = (services.reload.status(), services.shadow.as_deref().map(Shadow::status));
    answer::json(&Status::of(&reload, shadow.as_deref()))
}
