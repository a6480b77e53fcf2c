//! What a request may be, with the reason for each size.

use std::time::Duration;

/// Bounds on one request. Beyond them it is refused with the path and the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Most actions for one resource; the peer's default.
    pub max_actions_per_resource: usize,
    /// Most resources in one call; the peer's default.
    pub max_resources_per_request: usize,
    /// Most roles of a principal.
    pub max_roles: usize,
    /// Longest id, kind, role, action, scope or version, in bytes: long enough for any URL or ARN.
    pub max_string_bytes: usize,
    /// Largest body, in bytes; the size of the peer's largest message.
    pub max_body_bytes: usize,
    /// Longest time a body may take to arrive.
    pub body_timeout: Duration,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            max_actions_per_resource: 50,
            max_resources_per_request: 50,
            max_roles: 500,
            max_string_bytes: 4096,
            max_body_bytes: 4 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
        }
    }
}
