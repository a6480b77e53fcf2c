//! What a changed policy set must show before it goes live, as configured.

use std::time::Duration;

/// What a changed policy set must show before it goes live.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reload {
    /// Whether the tests beside the policies must pass.
    pub require_tests: bool,
    /// What it must not change of recorded decisions; `None` if it may change any.
    pub replay: Option<Replay>,
}

/// What a policy set must not change of recorded decisions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replay {
    /// How many may change.
    pub most: MaxChanged,
    /// How many of the newest records are looked at.
    pub calls: u64,
    /// How old the calls are at most.
    pub since: Duration,
}

/// How many recorded decisions may change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxChanged {
    /// As many as there are.
    Any,
    /// So many.
    Decisions(u64),
    /// So many of a hundred.
    Percent(f64),
}
