//! Configuration: typed, layered, each value with its origin.
//!
//! The order, later wins: defaults, file (`--config`), environment (`PROCURA_…`), `--set key=value`, flags.
//! Keys are the peer's where the concept is the same; `keys.rs` lists them all.

mod audit;
mod aux_data;
mod callers;
mod entry;
mod file;
mod globals;
mod interpolate;
mod keys;
mod layers;
mod limits;
mod reload;
mod ship;
mod signals;
mod suggest;
mod tls;
mod token_rules;
mod typed;
mod url;

pub use audit::Audit;
pub use aux_data::{AuxData, KeySet, KeySource, PrincipalClaims};
pub use callers::{Anonymous, CallerIssuer, Callers, TokenGrant};
pub use keys::{Key, environment_name, keys};
pub use layers::{Origin, Setting, Sources};
pub use limits::Limits;
pub use reload::{MaxChanged, Reload, Replay};
pub use ship::{Destination, Endpoint, ShipTarget};
pub use signals::{
    Hmac, Poll, PresentedRules, PresentedSource, Push, Signals, Stream, Timestamped, Transmitter, Webhook,
    WebhookSender,
};
pub use tls::{CertificateRule, Tls};
pub use token_rules::{TOKEN_ALGORITHMS, TokenProfile, TokenRules};

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use procura_core::engine::Settings;

use crate::telemetry::LogFormat;
use layers::Layers;

/// Everything the server can be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The HTTP server.
    pub server: Server,
    /// Who may call it.
    pub callers: Callers,
    /// The policies.
    pub storage: Storage,
    /// What a changed policy set must show before it goes live.
    pub reload: Reload,
    /// Directory of the candidate set that decides beside the live one, if there is one.
    pub shadow: Option<PathBuf>,
    /// The decisions.
    pub engine: Settings,
    /// The tokens that come with requests.
    pub aux_data: AuxData,
    /// The decision log.
    pub audit: Audit,
    /// Who says what about principals, sessions, devices and resources.
    pub signals: Signals,
    /// Log lines.
    pub log: Log,
    /// Each key as it was set, ordered by key.
    pub settings: Vec<Setting>,
    /// What its author should know: keys without effect and the like.
    pub notices: Vec<String>,
}

/// How the HTTP server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `host:port` to listen on.
    pub listen: String,
    /// Directory of everything that must be remembered.
    pub data_dir: PathBuf,
    /// URL under which callers reach the server; `None` takes it from each request.
    pub public_url: Option<String>,
    /// How long requests in flight may take to finish once a stop is asked for.
    pub shutdown_deadline: Duration,
    /// Most actions for one resource of a call.
    pub max_actions_per_resource: usize,
    /// Most resources in one call.
    pub max_resources_per_request: usize,
    /// Largest request body in bytes.
    pub max_body_bytes: usize,
    /// What callers may take of it.
    pub limits: Limits,
    /// Whether the admin API answers.
    pub admin_api: bool,
    /// How connections are encrypted; `None` if they are not.
    pub tls: Option<Tls>,
}

/// Where policies are and how changes are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The directory of the policies.
    pub directory: PathBuf,
    /// Whether changes are found without being told.
    pub watch: bool,
    /// How often every file is read anew.
    pub poll_interval: Duration,
    /// How long the directory must stay unchanged before a set goes live.
    pub quiet_period: Duration,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Level or directives.
    pub level: String,
    /// Text or JSON.
    pub format: LogFormat,
}

/// Why there is no configuration: every problem of every layer.
#[derive(Debug, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct ConfigError {
    /// One line each, with its origin and how to mend it.
    pub problems: Vec<String>,
}

impl Config {
    /// Layers and types `sources`.
    ///
    /// # Errors
    /// Every unknown key and every value that is not valid.
    pub fn from_sources(sources: &Sources) -> Result<Self, ConfigError> {
        typed::config(Layers::of(sources)).map_err(|problems| ConfigError { problems })
    }
}

/// Reads the configuration file at `path`, at most 1 MiB of UTF-8.
///
/// # Errors
/// If it cannot be read, is too large or is not text.
pub fn read_file(path: &Path) -> Result<(String, String), ConfigError> {
    let problem =
        |what: String| ConfigError { problems: vec![format!("cannot read `{}`: {what}", path.display())] };
    let most = u64::try_from(file::MAX_BYTES).unwrap_or(u64::MAX);
    let mut text = String::new();
    let opened = File::open(path).and_then(|file| file.take(most + 1).read_to_string(&mut text));
    match opened {
        Ok(_) if text.len() > file::MAX_BYTES => Err(problem(format!("it is larger than {most} bytes"))),
        Ok(_) => Ok((path.display().to_string(), text)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(problem("it is not UTF-8 text".into()))
        }
        Err(error) => Err(problem(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
