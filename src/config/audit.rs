//! How decisions are recorded, as configured.

use std::path::PathBuf;
use std::time::Duration;

use procura_core::record::Masks;

use super::ship::Destination;
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
    /// Whether there is an index of the log.
    pub index_enabled: bool,
    /// Records that the index may be behind before that is reported, and before it stops resting.
    pub index_max_lag: u64,
    /// Age at which the log begins a new file; `None` for no age.
    pub segment_age: Option<Duration>,
    /// Whether closed files are compressed.
    pub compress: bool,
    /// Age at which records are deleted; `None` for never.
    pub retention_age: Option<Duration>,
    /// Bytes beyond which the oldest records are deleted; `None` for never.
    pub retention_bytes: Option<u64>,
    /// Whether nothing is deleted all the same.
    pub retention_hold: bool,
    /// Bytes of the disk that are kept for records.
    pub reserved_bytes: u64,
    /// What must not stand in records.
    pub mask: Masks,
    /// How long a key of pseudonyms is used.
    pub pseudonym_period: Duration,
    /// How it is proven that the log is complete.
    pub checkpoint: Checkpoint,
    /// Who keeps checkpoints elsewhere.
    pub witness: Witness,
    /// Where the records are sent.
    pub ship: Vec<Destination>,
}

/// How checkpoints are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Time between two of them.
    pub interval: Duration,
    /// The name of the log; `None` for one that follows from its key.
    pub origin: Option<String>,
    /// Whether ML-DSA-65 signs beside Ed25519.
    pub post_quantum: bool,
}

/// Who keeps checkpoints elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// A file.
    pub file: Option<PathBuf>,
    /// A server, without a slash at its end.
    pub url: Option<String>,
    /// The key of that server.
    pub key: Option<String>,
}
