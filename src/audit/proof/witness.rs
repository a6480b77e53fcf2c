//! Who keeps checkpoints elsewhere, so that nobody who can change the log can change all copies of what it was.

use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use procura_core::proof::{Hash, SignatureLine};

use super::signed::{SignedCheckpoint, SignedCheckpoints};
use crate::audit::error::AuditError;
use crate::durable::{private_file, sync_dir};
use crate::telemetry::WitnessKind;

/// Keeps checkpoints. Whoever holds the newest needs no older one: it commits to everything before it.
pub trait Witness: Send {
    /// What it is, for metrics and log lines.
    fn kind(&self) -> WitnessKind;

    /// Keeps `signed`; returns what it signed in turn. Blocking.
    ///
    /// # Errors
    /// If it is not sure to be kept.
    fn keep(
        &mut self,
        signed: &SignedCheckpoint,
        lineage: &dyn Lineage,
    ) -> Result<Vec<SignatureLine>, WitnessError>;
}

/// Proves to a witness that the log only grew.
pub trait Lineage {
    /// The path which shows that the tree of `old` leaves is the beginning of that of `new` leaves.
    ///
    /// # Errors
    /// If the tree cannot be read.
    fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, AuditError>;
}

/// Why a checkpoint is not known to be kept.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The file of the witness cannot be written.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The tree cannot be read.
    #[error(transparent)]
    Log(#[from] AuditError),
    /// The witness did not answer.
    #[error("`{url}` does not answer: {reason}")]
    Unreachable {
        /// Where it was asked.
        url: String,
        /// Why.
        reason: String,
    },
    /// The witness holds another log under this name, or more of it than there is.
    #[error("the witness `{url}` refuses the checkpoint: {reason}")]
    Refused {
        /// Where it was asked.
        url: String,
        /// Why.
        reason: String,
    },
}

/// A file of checkpoints, on another disk or machine than the log.
pub struct FileWitness {
    path: PathBuf,
    /// The file, and how many records its last checkpoint is over; `None` before it is opened and after a failure.
    open: Option<(File, u64)>,
}

impl FileWitness {
    /// The witness in the file at `path`, which is created when there is something to keep.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// The checkpoints in the file at `path`, and how much in it is none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(path: &Path) -> io::Result<(Vec<SignedCheckpoint>, usize)> {
        let (mut kept, mut other) = (Vec::new(), 0);
        for found in SignedCheckpoints::new(BufReader::new(File::open(path)?)) {
            match found?.signed {
                Ok(signed) => kept.push(signed),
                Err(_) => other += 1,
            }
        }
        Ok((kept, other))
    }

    fn try_keep(&mut self, signed: &SignedCheckpoint) -> Result<(), (&'static str, io::Error)> {
        let (mut file, kept) = match self.open.take() {
            Some(open) => open,
            None => open(&self.path).map_err(|error| ("open", error))?,
        };
        let size = signed.checkpoint.size;
        if kept < size {
            file.write_all(format!("{}\n", signed.note).as_bytes()).map_err(|error| ("write", error))?;
            file.sync_data().map_err(|error| ("sync", error))?;
        }
        self.open = Some((file, kept.max(size)));
        Ok(())
    }
}

impl Witness for FileWitness {
    fn kind(&self) -> WitnessKind {
        WitnessKind::File
    }

    fn keep(
        &mut self,
        signed: &SignedCheckpoint,
        _: &dyn Lineage,
    ) -> Result<Vec<SignatureLine>, WitnessError> {
        let path = self.path.display().to_string();
        let kept = self.try_keep(signed);
        kept.map(|()| Vec::new()).map_err(|(action, source)| WitnessError::Io { action, path, source })
    }
}

/// The file, and over how many records its last checkpoint is. What an interrupted write left at its end is no part of
/// what follows.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let is_new = !path.exists();
    let mut file = private_file().create(true).append(true).open(path)?;
    if is_new {
        path.parent().filter(|above| !above.as_os_str().is_empty()).map_or(Ok(()), sync_dir)?;
        return Ok((file, 0));
    }
    let mut last = 0;
    for found in SignedCheckpoints::new(BufReader::new(File::open(path)?)) {
        if let Ok(signed) = found?.signed {
            last = signed.checkpoint.size;
        }
    }
    if fs::metadata(path)?.len() > 0 {
        file.write_all(b"\n\n")?;
    }
    Ok((file, last))
}
