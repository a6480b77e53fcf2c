//! Keys in files: read at start, and again when the file changes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::fetch::MAX_BYTES;
use super::key_set::Shelf;
use super::keys::KeyError;

/// How often a file is read. Files are small, and reading finds every change whatever the file system reports.
const INTERVAL: Duration = Duration::from_secs(1);

/// Why a file yields no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum LocalError {
    /// It cannot be read.
    #[error("cannot read `{}`", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// It holds no usable keys.
    #[error("`{}`", .0.display())]
    Keys(PathBuf, #[source] KeyError),
}

/// Puts the keys of the file at `path` on the shelf, and returns what it holds.
pub(super) fn load(path: &Path, shelf: &Shelf) -> Result<Vec<u8>, LocalError> {
    let text = read(path)?;
    shelf.put(text.clone()).map_err(|error| LocalError::Keys(path.to_owned(), error))?;
    Ok(text)
}

/// Looks at the file at `path` again and again, and puts what it holds on the shelf once it is not what was `loaded` and
/// two readings agree: a file that is still being written is not taken.
pub(super) fn watch(path: PathBuf, shelf: Arc<Shelf>, loaded: Vec<u8>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut handled = Ok(loaded);
        let mut seen = handled.clone();
        loop {
            tokio::time::sleep(INTERVAL).await;
            let current = reading(&path).await;
            if current == seen && current != handled {
                match &current {
                    Ok(text) => {
                        if let Err(error) = shelf.put(text.clone()) {
                            shelf.failed(&LocalError::Keys(path.clone(), error));
                        }
                    }
                    Err(kind) => shelf.failed(&LocalError::Read(path.clone(), (*kind).into())),
                }
                handled.clone_from(&current);
            }
            seen = current;
        }
    })
}

/// What the file holds now, in a form that can be compared.
async fn reading(path: &Path) -> Result<Vec<u8>, io::ErrorKind> {
    let path = path.to_owned();
    match tokio::task::spawn_blocking(move || read(&path)).await {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(LocalError::Read(_, error))) => Err(error.kind()),
        _ => Err(io::ErrorKind::Other),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, LocalError> {
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut text = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut text));
    match opened {
        Ok(_) if text.len() > MAX_BYTES => {
            Err(LocalError::Read(path.to_owned(), io::ErrorKind::FileTooLarge.into()))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(LocalError::Read(path.to_owned(), error)),
    }
}
