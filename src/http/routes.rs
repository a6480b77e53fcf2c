//! Paths, and what callers must be allowed to reach them. There is no path without a [`Place`].

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::MethodRouter;

use super::error::Refusal;
use super::{Services, edge};
use crate::pdp::{Action, Caller};
use crate::telemetry::Metrics;
use crate::telemetry::events::CallerDenied;

/// A path, and what a caller must be allowed to reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The path, as the router takes it.
    pub(super) path: &'static str,
    /// What the caller must be allowed; `None` if the path is there for everybody, whatever they show.
    pub(super) need: Option<Action>,
}

/// A path with its handlers.
pub(super) struct Route {
    pub(super) place: Place,
    methods: MethodRouter<Arc<Services>>,
}

impl Place {
    /// A path that is there for everybody.
    pub(super) const fn open(path: &'static str) -> Self {
        Self { path, need: None }
    }

    /// A path for callers that may do `action`.
    pub(super) const fn needing(action: Action, path: &'static str) -> Self {
        Self { path, need: Some(action) }
    }

    /// Whether it is there for everybody.
    pub(super) const fn is_open(&self) -> bool {
        self.need.is_none()
    }

    /// Whether `path` is this one, whatever stands for the names in braces.
    pub(super) fn holds(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        let is_same = self
            .path
            .split('/')
            .all(|known| segments.next().is_some_and(|segment| known.starts_with('{') || known == segment));
        is_same && segments.next().is_none()
    }

    /// The path with its handlers.
    pub(super) const fn with(self, methods: MethodRouter<Arc<Services>>) -> Route {
        Route { place: self, methods }
    }

    /// Whether `caller` may come here.
    pub(super) fn admit(&self, caller: &Caller, metrics: &Metrics) -> Result<(), Refusal> {
        self.need.map_or(Ok(()), |action| demand(caller, action, metrics))
    }
}

impl Route {
    /// `router` with this path, which nobody reaches who may not, whatever the method.
    pub(super) fn add_to(
        self,
        router: Router<Arc<Services>>,
        services: &Arc<Services>,
    ) -> Router<Arc<Services>> {
        let Self { place, methods } = self;
        let metrics = Arc::clone(&services.metrics);
        let guard = move |caller: Caller, request: Request, next: Next| {
            let admitted = place.admit(&caller, &metrics);
            async move {
                admitted?;
                Ok::<Response, Refusal>(next.run(request).await)
            }
        };
        let guarded = Router::new()
            .route(place.path, methods)
            .method_not_allowed_fallback(edge::method_not_allowed)
            .layer(from_fn(guard));
        router.merge(guarded)
    }
}

/// Refuses a `caller` that may not do `action`. Those that may not even ask for decisions are told so; everything else does
/// not exist for those who may not see it.
pub(super) fn demand(caller: &Caller, action: Action, metrics: &Metrics) -> Result<(), Refusal> {
    if caller.may(action) {
        return Ok(());
    }
    CallerDenied { name: caller.identity.name.as_deref(), action: action.as_str() }.emit(metrics);
    match action {
        Action::Decide | Action::Batch => Err(Refusal::Forbidden),
        _ => Err(Refusal::NotFound),
    }
}
