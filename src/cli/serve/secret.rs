//! Secrets that somebody else shows, as they are configured: a text, or a file that is read again when it changes.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwapOption;
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use crate::config::{HeaderFile, HeaderSource};
use crate::ports::Secret;

/// How often a file is read again.
const LOOK: Duration = Duration::from_secs(1);

/// Largest file, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// The digest of a secret: to compare digests takes equally long wherever secrets differ.
type Hash = [u8; 32];

/// A secret as it is at present.
pub(super) struct Configured {
    hash: Arc<ArcSwapOption<Hash>>,
    looking: Option<JoinHandle<()>>,
}

impl Configured {
    /// The secret of `source`, on the current runtime; white space around the text of a file does not count.
    ///
    /// # Errors
    /// If it cannot be read, or is empty.
    pub(super) fn start(source: &HeaderSource) -> anyhow::Result<Self> {
        let (hash, file) = match source {
            HeaderSource::Text(text) => (digest(text), None),
            HeaderSource::File(HeaderFile { file }) => {
                let hash =
                    read(file).with_context(|| format!("cannot use the secret in `{}`", file.display()));
                (hash?, Some(file.clone()))
            }
        };
        let hash = Arc::new(ArcSwapOption::from_pointee(hash));
        let looking = file.map(|file| tokio::spawn(look(file, Arc::clone(&hash))));
        Ok(Self { hash, looking })
    }
}

impl Secret for Configured {
    fn is(&self, shown: &[u8]) -> bool {
        let Some(hash) = self.hash.load_full() else { return false };
        let shown: Hash = Sha256::digest(shown).into();
        hash.iter().zip(shown).fold(0, |seen, (a, b)| black_box(seen | (a ^ b))) == 0
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        self.looking.iter().for_each(JoinHandle::abort);
    }
}

/// A file that cannot be read changes nothing: it may be on its way to be replaced.
async fn look(file: PathBuf, hash: Arc<ArcSwapOption<Hash>>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let file = file.clone();
        if let Ok(Ok(read)) = tokio::task::spawn_blocking(move || read(&file)).await {
            hash.store(Some(Arc::new(read)));
        }
    }
}

fn read(file: &Path) -> io::Result<Hash> {
    let mut text = String::new();
    File::open(file)?.take(MAX_FILE).read_to_string(&mut text)?;
    match text.trim() {
        "" => Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty")),
        text => Ok(digest(text)),
    }
}

fn digest(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}
