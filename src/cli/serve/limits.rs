//! What callers may take of the server, from its configuration.

use crate::config::{Limits, Server};
use crate::http::{CallerLimits, Capacity, RequestLimits};

/// Bounds on one request.
pub(in crate::cli) fn request_limits(server: &Server) -> RequestLimits {
    RequestLimits {
        max_actions_per_resource: server.max_actions_per_resource,
        max_resources_per_request: server.max_resources_per_request,
        max_body_bytes: server.max_body_bytes,
        body_timeout: server.limits.body_timeout,
        ..RequestLimits::default()
    }
}

/// Bounds on all requests together.
pub(super) fn capacity(limits: &Limits) -> Capacity {
    Capacity {
        connections: limits.connections,
        connections_per_address: limits.connections_per_address,
        concurrent: limits.concurrent,
        caller: CallerLimits {
            requests_per_second: limits.requests_per_second,
            burst: limits.burst,
            concurrent: limits.concurrent_per_caller,
        },
        head_timeout: limits.head_timeout,
        answer_timeout: limits.answer_timeout,
        ..Capacity::default()
    }
}
