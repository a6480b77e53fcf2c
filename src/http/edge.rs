//! What happens around every handler: panics contained, refusals shaped, headers set, requests counted.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use tower::Service;

use super::admission::{Account, Guest};
use super::answer::trace_of;
use super::body::Bounded;
use super::caller::Connection;
use super::error::Refusal;
use super::routes::Place;
use super::serve::Stopping;
use super::{Services, authzen, body, cerbos, head, leaving, signals};
use crate::pdp::Caller;
use crate::ports::ClientCertificate;
use crate::telemetry::events::{CallRejected, PanicCaught, RequestServed, RequestShed};
use crate::telemetry::{Api, Outcome, Surface, TraceParent, Where};

/// The caller's own id of the request, given back unchanged (AuthZEN 1.0, "Request Identification").
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long whoever sends too many signals waits to hear that it does.
const SHED_PAUSE: Duration = Duration::from_millis(100);

/// No answer is a page, or belongs into one.
const NO_CONTENT: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Answers every request there is.
pub(super) struct Edge {
    services: Arc<Services>,
    router: Router,
    /// The paths that are there for everybody.
    open: Vec<Place>,
}

impl Edge {
    /// The edge of `services`.
    pub(super) fn new(services: Services, stopping: Stopping) -> Self {
        let services = Arc::new(services);
        let routes = super::routes(&services.limits, services.admin);
        let open = routes.iter().map(|route| route.place).filter(Place::is_open);
        Self {
            open: open.collect(),
            router: super::router(routes, &services).layer(Extension(stopping)),
            services,
        }
    }

    /// What is known of a connection from `address`, over which `certificate` was shown, while it stands.
    pub(super) fn welcome(
        &self,
        address: SocketAddr,
        certificate: Option<Box<dyn ClientCertificate>>,
    ) -> Connection {
        let guest = Guest::new(address, self.services.budget.accounts());
        Connection::new(address, guest, certificate)
    }

    /// The answer to `request`, which came over `connection`.
    pub(super) async fn answer(&self, connection: &Arc<Connection>, request: Request<Incoming>) -> Response {
        let surface = surface_of(request.uri().path());
        let api = api_of(request.uri().path());
        let request_id = request.headers().get(X_REQUEST_ID).cloned();
        let parent = if cfg!(feature = "otel") { trace_of(request.headers()) } else { None };
        let parent = parent.map(|trace| trace.parent);

        // Pinned where it is made: it is large, and to move it takes longer than to know the caller.
        let dispatched = pin!(self.dispatch(connection, surface, api, request));
        let mut response = match contain_panic(dispatched).await {
            Some(answered) => answered.unwrap_or_else(IntoResponse::into_response),
            None => {
                PanicCaught { place: Where::Handler }.emit(&self.services.metrics);
                Refusal::Internal.into_response()
            }
        };
        if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
            response = self.refuse(&refusal, surface, api.map(|api| (api, parent)), response);
        }
        if surface == Surface::Signals && response.status() == StatusCode::TOO_MANY_REQUESTS {
            // Nothing of a flood is worth a hurry, and to refuse it takes time from decisions as well.
            tokio::time::sleep(SHED_PAUSE).await;
        }
        let is_decided = api.is_some() && response.status().is_success();
        let is_unknown = response.status() == StatusCode::UNAUTHORIZED;
        let headers = response.headers_mut();
        if is_unknown && connection.has_certificate() {
            // What was shown in the handshake can only be replaced in another one.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(id) = request_id {
            headers.insert(X_REQUEST_ID, id);
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if !is_decided {
            // What a browser may be made to open. A decision is none of it, and small.
            headers.insert(header::CONTENT_SECURITY_POLICY, NO_CONTENT);
            headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        }
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        RequestServed { surface, status: response.status().as_u16() }.emit(&self.services.metrics);
        response
    }

    /// What comes of `request`.
    async fn dispatch(
        &self,
        connection: &Arc<Connection>,
        surface: Surface,
        api: Option<Api>,
        request: Request<Incoming>,
    ) -> Result<Response, Refusal> {
        head::check(&request)?;
        let (guest, budget) = (&connection.guest, &self.services.budget);
        let path = request.uri().path();
        let is_open = api.is_none() && self.open.iter().any(|place| place.holds(path));
        let (request, transmitter) = match surface {
            Surface::Signals => {
                let (mut head, body) = request.into_parts();
                let transmitter = signals::transmitter(&self.services, connection, &mut head);
                (Request::from_parts(head, body), transmitter)
            }
            _ => (request, None),
        };
        let known = match transmitter {
            Some(caller) => Ok(caller),
            None => connection.caller(&self.services.callers, &request, is_open).await,
        };
        let (caller, unknown) = match known {
            Ok(caller) => (caller, None),
            Err(unknown) => (Caller::unknown(Some(connection.address)), Some(unknown)),
        };
        let admitted = match surface {
            // Whoever looks after the server is not kept out by those who ask it, nor by those who guess at it.
            Surface::Health => Ok(guest.account(&caller, budget.accounts())),
            Surface::Admin if unknown.is_none() => Ok(guest.account(&caller, budget.accounts())),
            _ => guest.admit(&caller, budget.accounts()),
        };
        let account = match admitted {
            Ok(account) => account,
            Err(refusal) => {
                let (head, body) = request.into_parts();
                body::drop_unread(&self.services.limits, &head.headers, body).await;
                return Err(refusal);
            }
        };
        if let Some(unknown) = unknown.filter(|_| !is_open) {
            return Err(signals::stranger(request.uri().path(), unknown));
        }
        let response = self.ask((caller, connection), &account, api, request).await?;
        leaving::with_room(budget, &account, response).await
    }

    /// Asks the handler of the path. Those that decide are called without the router, which takes as long to find them as
    /// they to decide; it holds them all the same, for what else may be asked of their paths.
    async fn ask(
        &self,
        (caller, connection): (Caller, &Arc<Connection>),
        account: &Arc<Account>,
        api: Option<Api>,
        request: Request<Incoming>,
    ) -> Result<Response, Refusal> {
        let place = match api {
            Some(Api::CheckResources) if request.method() == Method::POST => &cerbos::CHECK_RESOURCES,
            Some(Api::Evaluation) if request.method() == Method::POST => &authzen::EVALUATION,
            _ => return Ok(self.route((caller, connection), account, request).await),
        };
        place.admit(&caller, &self.services.metrics)?;
        self.decide(caller, account, place, request).await
    }

    async fn decide(
        &self,
        caller: Caller,
        account: &Arc<Account>,
        place: &Place,
        request: Request<Incoming>,
    ) -> Result<Response, Refusal> {
        let (head, body) = request.into_parts();
        let services = State(Arc::clone(&self.services));
        let body = Bounded::read(&self.services, account, &head.headers, body).await?;
        if place == &authzen::EVALUATION {
            authzen::evaluation(services, caller, head.headers, body).await
        } else {
            cerbos::check_resources(services, caller, head.headers, body).await
        }
    }

    async fn route(
        &self,
        (caller, connection): (Caller, &Arc<Connection>),
        account: &Arc<Account>,
        mut request: Request<Incoming>,
    ) -> Response {
        request.extensions_mut().insert(Arc::clone(account));
        request.extensions_mut().insert(Arc::clone(connection));
        request.extensions_mut().insert(caller);
        let Ok(response) = self.router.clone().call(request.map(Body::new)).await;
        response
    }

    /// `refusal` of a `call`, if it is one, in the shape of its surface; `carrier` brought it from the handler.
    fn refuse(
        &self,
        refusal: &Refusal,
        surface: Surface,
        call: Option<(Api, Option<TraceParent>)>,
        mut carrier: Response,
    ) -> Response {
        if let Some(reason) = refusal.shed() {
            RequestShed { reason }.emit(&self.services.metrics);
        }
        if let Some((api, parent)) = call {
            let (outcome, status) = (refusal.outcome(), refusal.status().as_u16());
            // What is wrong with a request may repeat what must not be kept.
            let is_told = outcome != Outcome::Invalid || !self.services.pdp.is_masking();
            let detail = if is_told { refusal.to_string() } else { "masked".to_owned() };
            CallRejected { api, outcome, detail: &detail, parent, status }.emit(&self.services.metrics);
        }
        let allowed_methods = carrier.headers_mut().remove(header::ALLOW);
        let mut response = refusal.render(surface);
        // To whom a path is not there, its methods are not either.
        if matches!(refusal, Refusal::MethodNotAllowed) {
            response.headers_mut().extend(allowed_methods.map(|methods| (header::ALLOW, methods)));
        }
        response
    }
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
    const PREFIXES: [(&str, Surface); 15] = [
        ("/api/check", Surface::Cerbos),
        ("/api/plan", Surface::Cerbos),
        ("/api/server_info", Surface::Cerbos),
        ("/api/decisions", Surface::Decisions),
        ("/api/explain", Surface::Explain),
        ("/api/facts", Surface::Signals),
        ("/api/changes", Surface::Signals),
        ("/api/signals", Surface::Signals),
        ("/access/", Surface::Authzen),
        ("/.well-known/authzen", Surface::Authzen),
        ("/admin/auditlog/", Surface::Cerbos),
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
async fn contain_panic<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
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
        assert_eq!(contain_panic(pin!(async { 1 })).await, Some(1));
        let panics = async {
            tokio::task::yield_now().await;
            panic!("contained");
        };
        assert_eq!(contain_panic(pin!(panics)).await, None::<()>);
    }

    #[test]
    fn paths_belong_to_their_surface() {
        for (path, surface) in [
            ("/api/check/resources", Surface::Cerbos),
            ("/api/check", Surface::Cerbos),
            ("/api/check_resource_batch", Surface::Cerbos),
            ("/api/decisions/0193", Surface::Decisions),
            ("/access/v1/evaluation", Surface::Authzen),
            ("/api/facts/principal/ada/x", Surface::Signals),
            ("/.well-known/authzen-configuration", Surface::Authzen),
            ("/admin/policies/status", Surface::Admin),
            ("/admin/auditlog/list/KIND_DECISION", Surface::Cerbos),
            ("/metrics", Surface::Health),
            ("/_cerbos/health", Surface::Health),
            ("/metricsx", Surface::Unknown),
            ("/", Surface::Unknown),
        ] {
            assert_eq!(surface_of(path), surface, "{path}");
        }
    }
}
