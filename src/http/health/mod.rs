//! Health, readiness and metrics, for whoever runs the server.
//!
//! `/healthz` says that the process answers at all, `/readyz` whether a call made now would be decided, and why.

mod dto;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use self::dto::{Life, Ready, Serving};
use super::error::{Refusal, readiness_status};
use super::routes::{Place, Route};
use super::{Services, answer};
use crate::pdp::{Action, Caller};

pub(super) fn routes() -> Vec<Route> {
    let measures = |path| Place::needing(Action::Metrics, path);
    vec![
        Place::open("/healthz").with(get(life)),
        Place::open("/readyz").with(get(readiness)),
        Place::open("/_cerbos/health").with(get(serving)),
        measures("/metrics").with(get(metrics)),
        measures("/_cerbos/metrics").with(get(metrics)),
    ]
}

async fn life() -> Result<Response, Refusal> {
    answer::json(&Life { status: "alive" })
}

/// Whether the server is ready; why is for those who may see its metrics.
async fn readiness(State(services): State<Arc<Services>>, caller: Caller) -> Result<Response, Refusal> {
    let readiness = services.health.readiness();
    let page = Ready::of(&readiness, caller.may(Action::Metrics));
    let mut response = answer::json(&page)?;
    *response.status_mut() = readiness_status(readiness.ready);
    Ok(response)
}

/// The peer's health check, which knows two words.
async fn serving(State(services): State<Arc<Services>>) -> Result<Response, Refusal> {
    let ready = services.health.readiness().ready;
    let mut response = answer::json(&Serving { status: if ready { "SERVING" } else { "NOT_SERVING" } })?;
    *response.status_mut() = readiness_status(ready);
    Ok(response)
}

async fn metrics(State(services): State<Arc<Services>>) -> Response {
    services.metrics.calls_in_hand(services.budget.calls());
    let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, format)], services.metrics.render()).into_response()
}
