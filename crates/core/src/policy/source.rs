//! Policy files as text, and the identity of a set of them.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// One policy file: its path within the set (forward slashes) and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path relative to the policy directory.
    pub path: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

/// A place in a policy file; line and column count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Path relative to the policy directory.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The content hash of a set of policy files: equal text at equal paths, equal revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(Arc<str>);

impl Revision {
    /// The revision of `files`, whatever their order: SHA-256 over the sorted paths, each with the hash of its text.
    #[must_use]
    pub fn of(files: &[SourceFile]) -> Self {
        let mut entries: Vec<_> =
            files.iter().map(|f| (f.path.as_bytes(), Sha256::digest(f.text.as_bytes()))).collect();
        entries.sort();
        let mut hash = Sha256::new();
        for (path, text) in entries {
            hash.update((path.len() as u64).to_be_bytes());
            hash.update(path);
            hash.update(text);
        }
        Self(hash.finalize().iter().map(|b| format!("{b:02x}")).collect::<String>().into())
    }

    /// The hash as 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
