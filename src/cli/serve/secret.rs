//! Secrets that somebody else shows, as they are configured: a text, or a file that is read again when it changes.

use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwapOption;
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use crate::ports::Secret;
use crate::secret::SecretSource;

/// How often a file is read again.
const LOOK: Duration = Duration::from_secs(1);

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
    pub(super) fn start(source: &SecretSource) -> anyhow::Result<Self> {
        let hash = read(source).with_context(|| match source.path() {
            Some(file) => format!("cannot use the secret in `{}`", file.display()),
            None => "cannot use the secret".to_owned(),
        })?;
        let hash = Arc::new(ArcSwapOption::from_pointee(hash));
        let looking = source.path().map(|_| tokio::spawn(look(source.clone(), Arc::clone(&hash))));
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
async fn look(source: SecretSource, hash: Arc<ArcSwapOption<Hash>>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let source = source.clone();
        if let Ok(Ok(read)) = tokio::task::spawn_blocking(move || read(&source)).await {
            hash.store(Some(Arc::new(read)));
        }
    }
}

fn read(source: &SecretSource) -> io::Result<Hash> {
    Ok(Sha256::digest(source.read()?).into())
}
