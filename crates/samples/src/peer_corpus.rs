//! The recorded cases of the peer, which lie outside the repository.

use std::fs;
use std::path::{Path, PathBuf};

use procura_core::policy::SourceFile;

/// What is in `directory`, sorted.
///
/// # Panics
///
/// It cannot be read.
#[must_use]
pub fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

/// A file of a set.
#[must_use]
pub fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.into(), text: text.into() }
}

/// Where the cases are: beside the repository, or where `PROCURA_CONFORMANCE` says. Without them it says so.
#[must_use]
#[expect(clippy::print_stdout, reason = "a suite that is skipped has to say so")]
pub fn conformance() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let root = std::env::var_os("PROCURA_CONFORMANCE").map_or(beside, PathBuf::from).join("cerbos");
    if root.is_dir() {
        return Some(root);
    }
    println!("skipped: no conformance corpus at {}", root.display());
    None
}
