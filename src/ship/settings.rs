//! What a destination is and how it is sent to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::secret::SecretSource;

/// One destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationSettings {
    /// Its name, unique; it names the file of its bookmark.
    pub name: String,
    /// What it is.
    pub target: TargetSettings,
    /// The kinds of records that are sent; all if empty.
    pub kinds: Vec<String>,
    /// When a batch is full.
    pub batch: BatchLimits,
    /// How long a record waits for others that go with it.
    pub interval: Duration,
    /// When a failed attempt is repeated.
    pub retry: Retry,
}

/// When a batch is full. Every batch has one record at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Most records.
    pub records: usize,
    /// Most bytes of records, unless a single one is larger.
    pub bytes: usize,
}

/// The pauses between attempts: each twice as long as the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The first.
    pub shortest: Duration,
    /// The longest.
    pub longest: Duration,
}

/// What a destination is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetSettings {
    /// Files of one record per line.
    File(FileSettings),
    /// A server that takes one record per line.
    Http(EndpointSettings),
    /// A server that takes OTLP logs as JSON.
    Otlp {
        /// The server.
        endpoint: EndpointSettings,
        /// What is said about this server, besides its name and version.
        resource: BTreeMap<String, String>,
    },
}

/// Files of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// The newest file; older ones have `.1`, `.2`, … behind their names.
    pub path: PathBuf,
    /// Size at which a new one is begun, in bytes; a batch is never split, so one may be larger.
    pub max_bytes: u64,
    /// How many older ones are kept.
    pub keep: u32,
}

/// A server and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSettings {
    /// `https://…` or `http://…`.
    pub url: String,
    /// Headers of every request.
    pub headers: Vec<(String, SecretSource)>,
    /// Whether bodies are compressed.
    pub gzip: bool,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// Certificate authorities to believe instead of those of the system, a PEM file.
    pub ca_file: Option<PathBuf>,
}
