//! Starts the notary of the decision log, and the witnesses, as configured.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::audit::Log;
use crate::audit::proof::{FileWitness, Office, ServerWitness, SigningKeys, VerifierKey, Witness};
use crate::config::Config;
use crate::telemetry::Metrics;

/// The notary of `log`, at work.
pub(super) fn start(config: &Config, log: &Log, metrics: &Arc<Metrics>) -> anyhow::Result<Arc<Office>> {
    let checkpoint = &config.audit.checkpoint;
    let directory = key_directory(&config.server.data_dir);
    let keys = SigningKeys::open(&directory, checkpoint.origin.as_deref(), checkpoint.post_quantum)?;
    let witnesses = witnesses(config)?;
    let office =
        Office::start(log.reader().clone(), keys, checkpoint.interval, witnesses, Arc::clone(metrics));
    office.context("cannot start the notary of the decision log")
}

/// Where the keys that sign checkpoints are within the data directory.
pub(in crate::cli) fn key_directory(data_dir: &Path) -> PathBuf {
    data_dir.join("keys")
}

fn witnesses(config: &Config) -> anyhow::Result<Vec<Box<dyn Witness>>> {
    let mut witnesses: Vec<Box<dyn Witness>> = Vec::new();
    if let Some(path) = &config.audit.witness.file {
        let data_dir = &config.server.data_dir;
        if is_below(path, data_dir) {
            bail!(
                "`audit.witness.file` is `{}`, which is in the data directory `{}`: whoever can change the log could change \
                 it as well; name a file on another disk or machine",
                path.display(),
                data_dir.display()
            );
        }
        witnesses.push(Box::new(FileWitness::new(path.clone())));
    }
    if let Some(url) = &config.audit.witness.url {
        let key = config.audit.witness.key.as_deref().map(VerifierKey::parse).transpose();
        let witness = ServerWitness::new(url, key.context("`audit.witness.key`")?);
        witnesses.push(Box::new(witness.with_context(|| format!("cannot use the witness `{url}`"))?));
    }
    Ok(witnesses)
}

/// Whether `path` is in `directory`, by their real places as far as they exist.
fn is_below(path: &Path, directory: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let above: PathBuf = above.map_or_else(|| PathBuf::from("."), Path::to_owned);
    matches!((real(&above), real(directory)), (Ok(above), Ok(directory)) if above.starts_with(&directory))
}
