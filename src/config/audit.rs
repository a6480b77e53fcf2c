//! How decisions are recorded, as configured.

use std::time::Duration;

use crate::ports::Durability;

/// How decisions are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Whether they are recorded at all.
    pub enabled: bool,
    /// What must have happened to a record before its call is answered.
    pub durability: Durability,
    /// How long a call waits for its record.
    pub deadline: Duration,
    /// Most records that may wait for the writer.
    pub queue_length: usize,
    /// Size in bytes at which the log begins a new file.
    pub segment_bytes: u64,
    /// Whether there is an index of the log.
    pub index_enabled: bool,
    /// Records that the index may be behind before that is reported, and before it stops resting.
    pub index_max_lag: u64,
}
