//! Keeps the text of every set that went live, so that a decision can be explained and replayed on the text of its day.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use procura_core::policy::{Revision, SourceFile};
use serde::Serialize;

use crate::durable::{self, private_file};
use crate::ports::PolicyArchive;

/// A directory with one file for each set, `<revision>.json`:
/// `{"v": 1, "revision": "…", "files": [{"path": "…", "text": "…"}]}`, files sorted by path.
#[derive(Clone, Debug)]
pub struct Archive {
    directory: PathBuf,
}

impl Archive {
    /// The archive in `directory`, which is created when the first set is kept.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }
}

impl PolicyArchive for Archive {
    fn keep(&self, revision: &Revision, files: &[SourceFile]) -> io::Result<()> {
        let kept = self.directory.join(format!("{revision}.json"));
        let bytes = encode(revision, files)?;
        if holds(&kept, &bytes)? {
            return Ok(());
        }
        durable::create_dir(&self.directory)?;
        // INVARIANT(archive_whole): a file gets its final name only when it is complete and on disk.
        let unfinished = kept.with_extension("tmp");
        write_durably(&unfinished, &bytes)?;
        fs::rename(&unfinished, &kept)?;
        durable::sync_dir(&self.directory)
    }
}

/// Whether the file at `path` is there and undamaged.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(meta) => Ok(meta.len() == bytes.len() as u64 && fs::read(path)? == bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private_file().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn encode(revision: &Revision, files: &[SourceFile]) -> io::Result<Vec<u8>> {
    let mut files: Vec<_> =
        files.iter().map(|file| KeptFile { path: &file.path, text: &file.text }).collect();
    files.sort_by_key(|file| file.path);
    let set = KeptSet { v: 1, revision: revision.as_str(), files };
    Ok(serde_json::to_vec(&set)?)
}

#[derive(Serialize)]
struct KeptSet<'a> {
    v: u32,
    revision: &'a str,
    files: Vec<KeptFile<'a>>,
}

#[derive(Serialize)]
struct KeptFile<'a> {
    path: &'a str,
    text: &'a str,
}

#[cfg(test)]
mod tests {
    use procura_testkit::temp_dir::TempDir;

    use super::*;

    #[test]
    fn kept_set_has_the_text_of_every_file_and_is_written_once() {
        let directory = TempDir::new("archive");
        let archive = Archive::new(directory.path().join("policies"));
        let files = [file("b.yaml", "two"), file("a.yaml", "one")];
        let revision = Revision::of(&files);

        archive.keep(&revision, &files).unwrap();
        let path = directory.path().join("policies").join(format!("{revision}.json"));
        let kept: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(kept["files"][0]["path"], "a.yaml");
        assert_eq!(kept["files"][1]["text"], "two");

        let written = fs::metadata(&path).unwrap().modified().unwrap();
        archive.keep(&revision, &files).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        assert_eq!(fs::read_dir(directory.path().join("policies")).unwrap().count(), 1);
    }

    #[test]
    fn set_that_was_damaged_in_the_archive_is_written_again() {
        let directory = TempDir::new("archive");
        let archive = Archive::new(directory.path());
        let files = [file("a.yaml", "one")];
        let revision = Revision::of(&files);
        archive.keep(&revision, &files).unwrap();
        let path = directory.path().join(format!("{revision}.json"));
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[5] ^= 1;

        for damaged in [flipped, whole[..whole.len() / 2].to_vec(), Vec::new()] {
            fs::write(&path, damaged).unwrap();
            archive.keep(&revision, &files).unwrap();
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
    }

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.into(), text: text.into() }
    }
}
