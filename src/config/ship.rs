//! `audit.ship`: where the records of the decision log are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use procura_core::record::KINDS;
use serde::Deserialize;

use super::entry::{Problem, count, duration, name, number};
use super::url;
use crate::secret::SecretSource;

/// Most destinations; each has a thread.
const MAX_DESTINATIONS: usize = 16;

/// Most headers of a destination.
const MAX_ENTRIES: usize = 64;

/// Headers that the server sets itself.
const OWN_HEADERS: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "user-agent",
];

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// A place that records are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its name, unique: lower-case letters, digits and `-`.
    pub name: String,
    /// What it is.
    pub target: ShipTarget,
    /// The kinds of records that are sent; all if empty.
    pub kinds: Vec<String>,
    /// Most records in a batch.
    pub batch_records: usize,
    /// Bytes of records at which a batch is full.
    pub batch_bytes: usize,
    /// How long a record waits for others that go with it.
    pub interval: Duration,
    /// The longest pause between two attempts.
    pub longest_pause: Duration,
}

/// What a destination is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShipTarget {
    /// Files of one record per line.
    File {
        /// The newest file.
        path: PathBuf,
        /// Size at which a new one is begun, in bytes.
        max_bytes: u64,
        /// How many older ones are kept.
        keep: u32,
    },
    /// A server that takes one record per line.
    Http(Endpoint),
    /// A server that takes OTLP logs as JSON.
    Otlp {
        /// The server.
        endpoint: Endpoint,
        /// What is said about this server, besides its name and version.
        resource: BTreeMap<String, String>,
    },
}

/// A server and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `https://…`, or `http://…` where that was allowed.
    pub url: String,
    /// Headers of every request; names are valid and in lower case.
    pub headers: Vec<(String, SecretSource)>,
    /// Whether bodies are compressed.
    pub gzip: bool,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// Certificate authorities to believe instead of those of the system, a PEM file.
    pub ca_file: Option<PathBuf>,
}

/// The destinations as they are written.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct DestinationList(Option<Vec<DestinationEntry>>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DestinationEntry {
    name: String,
    file: Option<FileEntry>,
    http: Option<EndpointEntry>,
    otlp: Option<EndpointEntry>,
    #[serde(default)]
    kinds: Vec<String>,
    batch_records: Option<u64>,
    batch_bytes: Option<u64>,
    interval: Option<String>,
    longest_pause: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileEntry {
    path: PathBuf,
    max_bytes: Option<u64>,
    keep: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EndpointEntry {
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, SecretSource>,
    #[serde(default)]
    gzip: bool,
    timeout: Option<String>,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    insecure: InsecureEntry,
    /// Of `otlp` only.
    #[serde(default)]
    resource: BTreeMap<String, String>,
}

/// What makes a destination less safe, each to be asked for by name.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InsecureEntry {
    #[serde(default)]
    plain_http: bool,
}

impl DestinationList {
    /// The destinations, or what is wrong with them.
    pub(super) fn check(self) -> Result<Vec<Destination>, Vec<Problem>> {
        let entries = self.0.unwrap_or_default();
        let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
        let (mut destinations, mut problems) = (Vec::new(), Vec::new());
        if entries.len() > MAX_DESTINATIONS {
            problems.push((String::new(), format!("must have at most {MAX_DESTINATIONS} entries")));
        }
        for (i, entry) in entries.into_iter().enumerate() {
            if !names.insert(entry.name.clone()) {
                problems.push((format!("[{i}].name"), format!("`{}` is there twice", entry.name)));
            }
            if let Some(path) = entry.file.as_ref().map(|file| file.path.clone())
                && !paths.insert(path.clone())
            {
                let twice = format!("`{}` is there twice: each destination needs its own", path.display());
                problems.push((format!("[{i}].file.path"), twice));
            }
            match entry.check() {
                Ok(destination) => destinations.push(destination),
                Err((member, advice)) => problems.push((format!("[{i}]{member}"), advice)),
            }
        }
        if problems.is_empty() { Ok(destinations) } else { Err(problems) }
    }
}

impl DestinationEntry {
    fn check(self) -> Result<Destination, Problem> {
        name(".name", &self.name)?;
        let unknown = self.kinds.iter().find(|kind| !KINDS.contains(&kind.as_str()));
        if let Some(unknown) = unknown {
            let advice = format!("must be of `{}`, not `{}`", KINDS.join("`, `"), unknown.escape_debug());
            return Err((".kinds".into(), advice));
        }
        let target = match (self.file, self.http, self.otlp) {
            (Some(file), None, None) => file.check()?,
            (None, Some(http), None) if http.resource.is_empty() => ShipTarget::Http(http.check(".http")?),
            (None, Some(_), None) => return Err((".http.resource".into(), "is for `otlp` only".into())),
            (None, None, Some(mut otlp)) => {
                let resource = std::mem::take(&mut otlp.resource);
                ShipTarget::Otlp { endpoint: otlp.check(".otlp")?, resource }
            }
            _ => return Err((String::new(), "must have exactly one of `file`, `http` and `otlp`".into())),
        };
        Ok(Destination {
            target,
            batch_records: count(".batchRecords", self.batch_records, 1000, 1..=100_000)?,
            batch_bytes: count(".batchBytes", self.batch_bytes, MIB, KIB..=16 * MIB)?,
            interval: duration(".interval", self.interval.as_deref(), 1000, 0..=600_000)?,
            longest_pause: duration(".longestPause", self.longest_pause.as_deref(), 30_000, 100..=3_600_000)?,
            name: self.name,
            kinds: self.kinds,
        })
    }
}

impl FileEntry {
    fn check(self) -> Result<ShipTarget, Problem> {
        if self.path.file_name().is_none() {
            return Err((".file.path".into(), "must be a file".into()));
        }
        let max_bytes = number(".file.maxBytes", self.max_bytes, 100 * MIB, 64 * KIB..=1024 * 1024 * MIB)?;
        let keep = number(".file.keep", self.keep, 10, 1..=10_000)?;
        Ok(ShipTarget::File { path: self.path, max_bytes, keep: u32::try_from(keep).unwrap_or(u32::MAX) })
    }
}

impl EndpointEntry {
    /// Checks the member `at` of a destination.
    fn check(self, at: &str) -> Result<Endpoint, Problem> {
        let wrong = |member: &str, advice: String| (format!("{at}.{member}"), advice);
        let url = self.url.ok_or_else(|| wrong("url", "must be there: the URL to send records to".into()))?;
        let danger = "whoever stands between could read and drop records";
        url::check(&url, self.insecure.plain_http, danger).map_err(|advice| wrong("url", advice))?;
        if self.headers.len() > MAX_ENTRIES {
            return Err(wrong("headers", format!("must have at most {MAX_ENTRIES} entries")));
        }
        let headers = self.headers.into_iter().map(|(name, source)| header(&name, source));
        let headers = headers.collect::<Result<_, _>>().map_err(|advice| wrong("headers", advice))?;
        let timeout = duration(&format!("{at}.timeout"), self.timeout.as_deref(), 10_000, 100..=300_000)?;
        Ok(Endpoint { url, headers, gzip: self.gzip, timeout, ca_file: self.ca_file })
    }
}

/// A header, or what is wrong with it; the value is not repeated.
fn header(name: &str, source: SecretSource) -> Result<(String, SecretSource), String> {
    let shown = name.escape_debug();
    let known = HeaderName::try_from(name).map_err(|_| format!("`{shown}` is not the name of a header"))?;
    if OWN_HEADERS.contains(&known.as_str()) || known.as_str().starts_with("procura-") {
        return Err(format!("`{shown}` is set by the server itself"));
    }
    match &source {
        SecretSource::Text(text) if HeaderValue::try_from(text).is_err() => {
            Err(format!("the value of `{shown}` has characters that no header may have"))
        }
        SecretSource::Text(_) | SecretSource::File(_) => Ok((known.as_str().to_owned(), source)),
    }
}

#[cfg(test)]
mod tests;
