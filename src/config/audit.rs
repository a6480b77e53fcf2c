//! How decisions are recorded, as configured.

use std::time::Duration;

use crate::ports::Durability;
use crate::telemetry::Api;

/// How decisions are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Whether they are recorded at all.
    pub enabled: bool,
    /// What must have happened to a record before its call is answered.
    pub durability: Durability,
    /// The same for the calls of some APIs, where it is another.
    pub routes: Vec<(Api, Durability)>,
    /// How long a call waits for its record.
    pub deadline: Duration,
    /// Most records that may wait for the writer.
    pub queue_length: usize,
    /// Size in bytes at which the log begins a new file.
    pub segment_bytes: u64,
    /// Age at which the log begins a new file; `None` for no age.
    pub segment_age: Option<Duration>,
    /// Whether closed files are compressed.
    pub compress: bool,
    /// Bytes of the disk that are kept for records.
    pub reserved_bytes: u64,
}
