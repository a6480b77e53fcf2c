//! Policy files as text, and the identity of a set of them.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use crate::value::hex;

/// One policy file: its path within the set (forward slashes) and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path relative to the policy directory.
    pub path: Arc<str>,
    /// The whole text.
    pub text: FileText,
}

/// The text of a file: shared, and hashed at most once.
#[derive(Clone)]
pub struct FileText(Arc<Hashed>);

struct Hashed {
    text: Box<str>,
    hash: OnceLock<[u8; 32]>,
}

impl FileText {
    /// The SHA-256 of the text.
    #[must_use]
    pub fn hash(&self) -> &[u8; 32] {
        self.0.hash.get_or_init(|| Sha256::digest(self.0.text.as_bytes()).into())
    }

    /// Whether both are one and the same text in memory.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for FileText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.text
    }
}

impl<T: Into<Box<str>>> From<T> for FileText {
    fn from(text: T) -> Self {
        Self(Arc::new(Hashed { text: text.into(), hash: OnceLock::new() }))
    }
}

impl PartialEq for FileText {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || **self == **other
    }
}

impl Eq for FileText {}

impl PartialOrd for FileText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FileText {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.is_same(other) { Ordering::Equal } else { (**self).cmp(&**other) }
    }
}

impl fmt::Debug for FileText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
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
        let mut entries: Vec<_> = files.iter().map(|f| (f.path.as_bytes(), f.text.hash())).collect();
        entries.sort();
        let mut hash = Sha256::new();
        for (path, text) in entries {
            hash.update((path.len() as u64).to_be_bytes());
            hash.update(path);
            hash.update(text);
        }
        Self(hex(&hash.finalize()).into())
    }

    /// The revision that is written like this: 64 hexadecimal digits, none of them a capital.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 64 && text.bytes().all(is_digit)).then(|| Self(text.into()))
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
