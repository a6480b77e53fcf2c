//! What one request may be, and what all of them together may occupy, with the reason for each size.

use std::num::NonZeroU32;
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
    /// Most `{`, `[`, `:` and `,` of a body outside its strings: each stands for a value or a name, which take some
    /// hundred bytes of memory however short their text.
    pub max_structural_chars: usize,
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
            max_structural_chars: 200_000,
            body_timeout: Duration::from_secs(30),
        }
    }
}

/// Bounds on all requests together. What finds no room within them for a while is refused as overload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Connections at a time; more wait to be accepted. Each may hold about 128 KiB that nothing else counts.
    pub connections: usize,
    /// Connections of one address at a time; more are closed at once.
    pub connections_per_address: usize,
    /// Bytes of large bodies that are arriving, and as many of large answers that are leaving: 16 of the largest size.
    pub in_flight_bytes: u32,
    /// Calls that are decided at a time, of all callers together. A large call counts as one for each 64 KiB of memory
    /// that it takes, roughly: two of the heaviest at a time.
    pub concurrent: u32,
    /// What one caller may have of it, and how often it may ask.
    pub caller: CallerLimits,
    /// Readers of the decision log at a time, each with a page or a large record in memory.
    pub log_readers: u32,
    /// Listeners to the decision log at a time, each with a thread that reads what comes in.
    pub listeners: u32,
    /// Longest wait for room: long enough for a burst to pass, short enough for callers that try again.
    pub patience: Duration,
    /// Time from the end of one request, or from the connect, to the end of the next request's head, after which the
    /// connection is closed, at the latest after twice that time. It bounds slow heads and idle connections alike.
    pub head_timeout: Duration,
    /// Longest time a caller may take to read an answer.
    pub answer_timeout: Duration,
    /// TLS handshakes under way at a time: half of the connections, so that those who connect and say nothing cannot have
    /// all of them.
    pub handshakes: usize,
    /// Longest time from the connect to the end of the handshake.
    pub handshake_timeout: Duration,
}

/// Bounds on one caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerLimits {
    /// Requests in a second, in the long run; `None` for any number.
    pub requests_per_second: Option<NonZeroU32>,
    /// Requests at once, after a pause.
    pub burst: u32,
    /// Calls that are decided at a time, counted as all of them together are.
    pub concurrent: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_address: 2048,
            in_flight_bytes: 64 * 1024 * 1024,
            concurrent: 2048,
            caller: CallerLimits::default(),
            log_readers: 4,
            listeners: 8,
            patience: Duration::from_secs(1),
            head_timeout: Duration::from_secs(60),
            answer_timeout: Duration::from_secs(60),
            handshakes: 2048,
            handshake_timeout: Duration::from_secs(10),
        }
    }
}

impl Default for CallerLimits {
    /// Any rate: how many calls are too many only the operator knows.
    fn default() -> Self {
        Self { requests_per_second: None, burst: 1000, concurrent: 1024 }
    }
}
