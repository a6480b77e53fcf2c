//! The HTTP edge: one folder per API surface, each with its routes, its handlers and its wire types.
//!
//! | folder | paths |
//! |---|---|
//! | `cerbos` | `/api/check/resources`, `/api/server_info` |
//! | `authzen` | `/access/v1/evaluation`, `/.well-known/authzen-configuration` |
//! | `decisions` | `/api/decisions`, `/api/decisions/{id}`, `/api/decisions/{id}/proof` |
//! | `explain` | `/api/explain` |
//! | `admin` | `/admin/policies/status`, `/admin/policies/reload`, `/admin/policies/rollback`, `/admin/quarantine`, `/admin/auditlog/list/{kind}` |
//! | `openapi` | `/openapi.json` |
//! | `health` | `/healthz`, `/readyz`, `/metrics`, `/_cerbos/health`, `/_cerbos/metrics` |
//!
//! Handlers read the request, call one service and render the result. Whatever is not answered is a `Refusal`
//! (`error.rs`), and `edge.rs` gives it the shape of its surface.

mod admin;
mod admission;
mod answer;
mod authzen;
mod aux_data;
mod beside;
mod body;
mod budget;
mod caller;
pub mod cerbos;
mod connections;
mod decisions;
mod edge;
mod error;
pub mod explain;
mod finding;
#[cfg(fuzzing)]
pub mod fuzzing;
mod handshake;
mod head;
mod health;
mod impatient;
mod json;
mod leaving;
mod limits;
mod openapi;
mod peer;
mod scan;
mod serve;
mod validate;

pub use budget::Budget;
pub use finding::Finding;
pub use json::Invalid;
pub use limits::{CallerLimits, Capacity, RequestLimits};
pub use serve::serve;

use std::sync::Arc;

use axum::Router;

use crate::pdp::{Health, Pdp, QuarantineOffice, ReloadHandle, Shadow};
use crate::ports::{DecisionQuery, Encryption, LogProofs};
use crate::telemetry::Metrics;

/// What the edge calls.
pub struct Services {
    /// Decides.
    pub pdp: Pdp,
    /// Finds recorded decisions; `None` if the log is turned off.
    pub decisions: Option<Arc<dyn DecisionQuery>>,
    /// Proves recorded decisions to others; `None` if the log is turned off.
    pub proofs: Option<Arc<dyn LogProofs>>,
    /// Loads policies again.
    pub reload: ReloadHandle,
    /// Knows what must not be relied on any more.
    pub quarantine: Arc<QuarantineOffice>,
    /// Decides with a candidate set beside the live one; `None` if there is none.
    pub shadow: Option<Arc<Shadow>>,
    /// Says whether the server can answer.
    pub health: Health,
    /// Encrypts connections; `None` if they are not encrypted.
    pub encryption: Option<Arc<dyn Encryption>>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// Whether there is an admin API.
    pub admin: bool,
    /// What a request may be.
    pub limits: RequestLimits,
    /// The room there is for all requests together.
    pub budget: Budget,
    /// The URL under which callers reach the server, `https://host[/path]`; `None` takes it from each request.
    pub public_url: Option<String>,
}

/// All routes.
fn router(services: &Arc<Services>) -> Router {
    let admin = if services.admin { admin::routes() } else { Router::new() };
    Router::new()
        .merge(cerbos::routes())
        .merge(authzen::routes())
        .merge(decisions::routes())
        .merge(explain::routes())
        .merge(admin)
        .merge(health::routes())
        .merge(openapi::routes(services))
        .fallback(edge::not_found)
        .method_not_allowed_fallback(edge::method_not_allowed)
        .with_state(Arc::clone(services))
}
