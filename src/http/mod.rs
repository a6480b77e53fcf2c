//! The HTTP edge: one folder per API surface, each with its routes, its handlers and its wire types.
//!
//! | folder | paths |
//! |---|---|
//! | `cerbos` | `/api/check/resources`, `/api/server_info` |
//! | `authzen` | `/access/v1/evaluation`, `/.well-known/authzen-configuration` |
//! | `decisions` | `/api/decisions`, `/api/decisions/{id}`, `/api/decisions/{id}/proof` |
//! | `explain` | `/api/explain` |
//! | `signals` | `/api/signals/streams/{stream}` |
//! | `facts`, `changes` | `/api/facts`, `/api/changes` |
//! | `webhooks`, `sources` | `/api/signals`, `/api/signals/webhooks/{source}`, `/api/signals/events` |
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
mod changes;
mod connections;
mod decisions;
mod edge;
mod error;
pub mod explain;
mod facts;
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
mod listener;
mod openapi;
mod routes;
mod scan;
mod serve;
mod signals;
mod sources;
mod transmitters;
mod validate;
mod webhooks;

pub use budget::Budget;
pub use finding::Finding;
pub use json::Invalid;
pub use limits::{CallerLimits, Capacity, RequestLimits};
pub use serve::serve;

use std::sync::Arc;

use axum::Router;

use self::routes::Route;
use crate::pdp::webhooks::FactOffice;
use crate::pdp::{Action, Callers, Health, Intake, Pdp, QuarantineOffice, ReloadHandle, Shadow};
use crate::ports::{DecisionQuery, Encryption, LogProofs, StreamControl};
use crate::telemetry::Metrics;

/// What the edge calls.
pub struct Services {
    /// Decides.
    pub pdp: Pdp,
    /// Knows who asks, and what they may.
    pub callers: Arc<Callers>,
    /// Finds recorded decisions; `None` if the log is turned off.
    pub decisions: Option<Arc<dyn DecisionQuery>>,
    /// Proves recorded decisions to others; `None` if the log is turned off.
    pub proofs: Option<Arc<dyn LogProofs>>,
    /// Loads policies again.
    pub reload: ReloadHandle,
    /// Knows what must not be relied on any more.
    pub quarantine: Arc<QuarantineOffice>,
    /// Takes signals; `None` if no facts are kept.
    pub signals: Option<Arc<Intake>>,
    /// Hears webhooks and operators, and shows facts; `None` if none are kept.
    pub facts: Option<Arc<FactOffice>>,
    /// Asks the transmitters of streams; `None` if this server connects to none.
    pub streams: Option<Arc<dyn StreamControl>>,
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

/// Every path of a server, with an admin API or without, and what each needs: the action of callers, nothing if it is there
/// for everybody.
#[must_use]
pub fn paths(admin: bool) -> Vec<(&'static str, Option<Action>)> {
    routes(&RequestLimits::default(), admin)
        .into_iter()
        .map(|route| (route.place.path, route.place.need))
        .collect()
}

fn routes(limits: &RequestLimits, admin: bool) -> Vec<Route> {
    let surfaces = [
        cerbos::routes(),
        authzen::routes(),
        decisions::routes(),
        explain::routes(),
        signals::routes(),
        facts::routes(),
        changes::routes(),
        sources::routes(),
        transmitters::routes(),
        webhooks::routes(),
        if admin { admin::routes() } else { Vec::new() },
        health::routes(),
        openapi::routes(limits, admin),
    ];
    surfaces.into_iter().flatten().collect()
}

fn router(routes: Vec<Route>, services: &Arc<Services>) -> Router {
    let router = routes.into_iter().fold(Router::new(), |router, route| route.add_to(router, services));
    router.fallback(edge::not_found).with_state(Arc::clone(services))
}
