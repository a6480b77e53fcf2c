//! What callers may take of the server, as configured.

use std::num::NonZeroU32;
use std::time::Duration;

/// Bounds on all callers together, and on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests of one caller in a second; `None` for any number.
    pub requests_per_second: Option<NonZeroU32>,
    /// Requests of one caller at once.
    pub burst: u32,
    /// Calls of one caller that are decided at a time.
    pub concurrent_per_caller: u32,
    /// Calls that are decided at a time.
    pub concurrent: u32,
    /// Connections at a time.
    pub connections: usize,
    /// Connections of one address at a time.
    pub connections_per_address: usize,
    /// How long the head of a request may take.
    pub head_timeout: Duration,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// How long a caller may take to read an answer.
    pub answer_timeout: Duration,
}
