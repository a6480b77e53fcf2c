//! What a log is verified against: public keys, and the checkpoints of a witness.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::audit::proof::{FileWitness, ServerWitness, SignedCheckpoint, SigningKeys, Trust, VerifierKey};
use crate::cli::audit::Place;
use crate::cli::serve;
use crate::ports::LogFiles;

/// Largest file of keys that is read.
const KEY_FILE_BYTES: u64 = 1024 * 1024;

/// What a log is verified against.
#[derive(Debug, clap::Args)]
pub(in crate::cli::audit) struct Against {
    /// Checkpoints that were kept elsewhere: the file or the URL of the witness
    #[arg(long, value_name = "FILE|URL")]
    pub(super) witness: Option<String>,
    /// Public key that is believed, or a file with one on each line; again for more [default: those of the data directory]
    #[arg(long, value_name = "KEY|FILE")]
    key: Vec<String>,
}

/// The checkpoints of a witness.
pub(in crate::cli::audit) struct Witnessed {
    /// In the order in which they were kept.
    pub(in crate::cli::audit) checkpoints: Vec<SignedCheckpoint>,
    /// How much there is none: interrupted writes.
    pub(super) other: usize,
}

impl Against {
    /// The keys that are given, or those of the data directory; an error if there is none though they are `needed`.
    pub(in crate::cli::audit) fn trust(&self, place: &Place, needed: bool) -> anyhow::Result<Trust> {
        if self.key.is_empty() {
            let config = place.config()?;
            let directory = serve::key_directory(&config.server.data_dir);
            let keys = SigningKeys::find(&directory, config.audit.checkpoint.origin.as_deref())?;
            if keys.is_none() && (needed || self.witness.is_some()) {
                bail!(
                    "give the public key of the log with `--key`: `procura audit key` prints it where the log is"
                );
            }
            return Ok(keys.map_or_else(Trust::default, |keys| Trust::in_any(keys.verifiers())));
        }
        let mut keys = Vec::new();
        for given in &self.key {
            match VerifierKey::parse(given) {
                Ok(key) => keys.push(key),
                Err(error) if !Path::new(given).exists() => {
                    return Err(error).with_context(|| format!("`{given}` is no file and no public key"));
                }
                Err(_) => keys.extend(keys_in(given)?),
            }
        }
        Ok(Trust::in_all(keys))
    }

    /// The checkpoints that the witness keeps of the log in `files`, if one is named. A server that is configured must
    /// prove that it is the one.
    pub(in crate::cli::audit) fn witnessed(
        &self,
        place: &Place,
        (files, trust): (&dyn LogFiles, &Trust),
    ) -> anyhow::Result<Option<Witnessed>> {
        let Some(witness) = self.witness.as_deref() else { return Ok(None) };
        if !is_url(witness) {
            return kept_in_file(witness).map(Some);
        }
        let url = witness.trim_end_matches('/');
        let known = place.config()?.audit.witness;
        let key = known.key.filter(|_| known.url.as_deref() == Some(url));
        let key = key.as_deref().map(VerifierKey::parse).transpose().context("`audit.witness.key`")?;
        let witness = ServerWitness::new(url, key);
        let mut witness = witness.with_context(|| format!("cannot use the witness `{url}`"))?;
        let checkpoints = witness.kept(files, trust)?.into_iter().collect();
        Ok(Some(Witnessed { checkpoints, other: 0 }))
    }
}

/// Whether the witness is a server; it is a file otherwise.
pub(super) fn is_url(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}

/// The checkpoints in the file at `place`.
pub(super) fn kept_in_file(place: &str) -> anyhow::Result<Witnessed> {
    let read = FileWitness::read(Path::new(place));
    let (checkpoints, other) = read.with_context(|| format!("cannot read the witness `{place}`"))?;
    Ok(Witnessed { checkpoints, other })
}

fn keys_in(path: &str) -> anyhow::Result<Vec<VerifierKey>> {
    let len = fs::metadata(path).with_context(|| format!("cannot read `{path}`"))?.len();
    if len > KEY_FILE_BYTES {
        bail!("`{path}` is no file of keys: it has more than {KEY_FILE_BYTES} bytes");
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{path}`"))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Vec<_> =
        lines.map(VerifierKey::parse).collect::<Result<_, _>>().with_context(|| format!("`{path}`"))?;
    if keys.is_empty() {
        bail!("`{path}` holds no key");
    }
    Ok(keys)
}
