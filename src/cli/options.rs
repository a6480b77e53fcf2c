//! The options that make up a configuration, shared by the subcommands that have one.

use std::path::PathBuf;

use crate::config::{self, Config, ConfigError, Sources};

/// Where settings come from besides the environment.
#[derive(Debug, clap::Args)]
pub(super) struct Overrides {
    /// Configuration file, YAML or JSON
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one configuration key; may be repeated, and wins over file and environment
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// The options of a server.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    overrides: Overrides,
    /// Directory of everything the server must remember [default: .procura]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Address to listen on, e.g. 0.0.0.0:3592 to serve the network [default: 127.0.0.1:3592]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
}

impl Options {
    /// The configuration from all its layers.
    pub(super) fn load(&self) -> Result<Config, ConfigError> {
        let flags = [
            ("--data-dir", "server.dataDir", &self.data_dir),
            ("--listen", "server.httpListenAddr", &self.listen),
        ];
        let given = flags.into_iter().filter_map(|(flag, key, value)| Some((flag, key, value.clone()?)));
        self.overrides.load(given.collect())
    }
}

impl Overrides {
    /// The configuration from all its layers, `flags` last.
    pub(super) fn load(
        &self,
        flags: Vec<(&'static str, &'static str, String)>,
    ) -> Result<Config, ConfigError> {
        // Variables that are not text cannot be ours.
        let environment =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Config::from_sources(&Sources {
            file: self.config.as_deref().map(config::read_file).transpose()?,
            environment: environment.collect(),
            set: self.set.clone(),
            flags,
        })
    }
}
