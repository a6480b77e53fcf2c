//! What happens around every handler: panics contained, refusals shaped, headers set, requests counted.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Services;
use super::error::Refusal;
use crate::telemetry::events::{CallRejected, PanicCaught, RequestServed};
use crate::telemetry::{Api, Surface, Where};

/// The caller's own id of the request, given back unchanged (AuthZEN 1.0, "Request Identification").
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The middleware around all routes.
pub(super) async fn guard(State(services): State<Arc<Services>>, request: Request, next: Next) -> Response {
    let surface = surface_of(request.uri().path());
    let api = api_of(request.uri().path());
    let request_id = request.headers().get(X_REQUEST_ID).cloned();

    let mut response = match contain_panic(next.run(request)).await {
        Some(response) => response,
        None => {
            PanicCaught { place: Where::Handler }.emit(&services.metrics);
            Refusal::Internal.into_response()
        }
    };
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        if let Some(api) = api {
            CallRejected { api, outcome: refusal.outcome(), detail: &refusal.to_string() }
                .emit(&services.metrics);
        }
        let allowed_methods = response.headers_mut().remove(header::ALLOW);
        response = refusal.render(surface);
        response.headers_mut().extend(allowed_methods.map(|methods| (header::ALLOW, methods)));
    }
    response.headers_mut().extend(request_id.map(|id| (X_REQUEST_ID, id)));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    RequestServed { surface, status: response.status().as_u16() }.emit(&services.metrics);
    response
}

/// The answer for paths that are not there.
pub(super) async fn not_found() -> Refusal {
    Refusal::NotFound
}

/// The answer for methods that a path does not have.
pub(super) async fn method_not_allowed() -> Refusal {
    Refusal::MethodNotAllowed
}

/// The surface of `path`: it decides the shape of errors and the label in metrics.
fn surface_of(path: &str) -> Surface {
    const PREFIXES: [(&str, Surface); 11] = [
        ("/api/check", Surface::Cerbos),
        ("/api/plan", Surface::Cerbos),
        ("/api/server_info", Surface::Cerbos),
        ("/api/decisions", Surface::Decisions),
        ("/api/explain", Surface::Explain),
        ("/access/", Surface::Authzen),
        ("/.well-known/authzen", Surface::Authzen),
        ("/admin/", Surface::Admin),
        ("/_cerbos/", Surface::Health),
        ("/healthz", Surface::Health),
        ("/readyz", Surface::Health),
    ];
    if path == "/metrics" {
        return Surface::Health;
    }
    PREFIXES
        .iter()
        .find(|(prefix, _)| path.starts_with(prefix))
        .map_or(Surface::Unknown, |(_, surface)| *surface)
}

fn api_of(path: &str) -> Option<Api> {
    match path {
        "/api/check/resources" => Some(Api::CheckResources),
        "/api/check" => Some(Api::CheckResourceSet),
        "/api/check_resource_batch" => Some(Api::CheckResourceBatch),
        "/access/v1/evaluation" => Some(Api::Evaluation),
        _ => None,
    }
}

/// Runs `future`; `None` if it panicked. What it shared stays whole: handlers hold no lock and change nothing but
/// through services that contain their own panics.
async fn contain_panic<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
        Err(_) => Poll::Ready(None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panic_of_a_handler_stays_in_its_request() {
        assert_eq!(contain_panic(async { 1 }).await, Some(1));
        let panics = async {
            tokio::task::yield_now().await;
            panic!("contained");
        };
        assert_eq!(contain_panic::<_>(panics).await, None::<()>);
    }

    #[test]
    fn paths_belong_to_their_surface() {
        for (path, surface) in [
            ("/api/check/resources", Surface::Cerbos),
            ("/api/check", Surface::Cerbos),
            ("/api/check_resource_batch", Surface::Cerbos),
            ("/api/decisions/0193", Surface::Decisions),
            ("/access/v1/evaluation", Surface::Authzen),
            ("/.well-known/authzen-configuration", Surface::Authzen),
            ("/admin/policies/status", Surface::Admin),
            ("/metrics", Surface::Health),
            ("/_cerbos/health", Surface::Health),
            ("/metricsx", Surface::Unknown),
            ("/", Surface::Unknown),
        ] {
            assert_eq!(surface_of(path), surface, "{path}");
        }
    }
}
