//! Administration of policies: what is live, what the last attempts found, reloading now, and going back. What is no
//! longer relied on. And the decision log in the shape of the peer.
//!
//! For callers that may do [`Action::Admin`], the log for those that may do [`Action::Audit`].

mod ask;
pub(super) mod audit_log;
mod dto;
mod quarantine;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};

use self::dto::Status;
use super::error::Refusal;
use super::routes::{Place, Route};
use super::{Services, answer};
use crate::pdp::{Action, Shadow};

pub(super) fn routes() -> Vec<Route> {
    let admins = |path| Place::needing(Action::Admin, path);
    vec![
        admins("/admin/policies/status").with(get(status)),
        admins("/admin/policies/reload").with(post(ask::reload)),
        admins("/admin/policies/rollback").with(post(ask::rollback)),
        Place::needing(Action::Audit, "/admin/auditlog/list/{kind}").with(get(audit_log::list)),
        admins("/admin/quarantine").with(get(quarantine::list)),
        admins("/admin/quarantine/{id}")
            .with(get(quarantine::get).put(quarantine::begin).delete(quarantine::lift)),
        admins("/admin/quarantine/{id}/affected").with(get(quarantine::affected)),
    ]
}

async fn status(State(services): State<Arc<Services>>) -> Result<Response, Refusal> {
    let (reload, shadow) = (services.reload.status(), services.shadow.as_deref().map(Shadow::status));
    answer::json(&Status::of(&reload, shadow.as_deref()))
}
