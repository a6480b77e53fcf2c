//! Texts that are not to be known to everybody, as they are configured: the text itself, or a file that holds it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Largest file, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Where a secret comes from. It is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a text, or `file: PATH`")]
pub enum SecretSource {
    /// The secret itself.
    Text(String),
    /// A file that holds it.
    File(SecretFile),
}

/// A file that holds a secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretFile {
    /// The file; white space around its text does not count.
    pub file: PathBuf,
}

impl SecretSource {
    /// The file at `path`.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(SecretFile { file: path.into() })
    }

    /// The file that holds it, if one does.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Text(_) => None,
            Self::File(SecretFile { file }) => Some(file),
        }
    }

    /// The secret as it is now. Blocking, for as long as a small file takes.
    ///
    /// # Errors
    /// If its file cannot be read, or it is empty.
    pub fn read(&self) -> io::Result<String> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::File(SecretFile { file }) => {
                let mut text = String::new();
                File::open(file)?.take(MAX_BYTES).read_to_string(&mut text)?;
                text.trim().to_owned()
            }
        };
        if text.is_empty() {
            Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"))
        } else {
            Ok(text)
        }
    }
}

impl fmt::Debug for SecretSource {
    /// Says where it is, and nothing of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(..)"),
            Self::File(SecretFile { file }) => f.debug_tuple("File").field(file).finish(),
        }
    }
}
