//! The last record that a destination has confirmed, kept on disk: where it goes on after a restart.
//!
//! The file is one line, `v1 <seq> <hash> <checksum>`: the record, its chain hash, by which another log is recognised,
//! and the CRC-32 of everything before, in hexadecimal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use procura_core::record::ChainHash;

use super::failure::Failure;
use crate::durable;

/// A record, by its place in the chain and the hash after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bookmark {
    /// Position in the chain, from 1.
    pub(super) seq: u64,
    /// Chain hash after it.
    pub(super) hash: ChainHash,
}

/// What was found on disk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing: the destination is new.
    Nothing,
    /// Where the destination is.
    Bookmark(Bookmark),
    /// Something that is no bookmark.
    Damaged,
}

/// The file of one bookmark.
#[derive(Debug)]
pub(super) struct BookmarkFile {
    path: PathBuf,
}

impl BookmarkFile {
    /// The file for the destination `name`.
    pub(super) fn new(directory: &Path, name: &str) -> Self {
        Self { path: directory.join(name) }
    }

    /// What it says.
    pub(super) fn read(&self) -> Result<Found, Failure> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(Bookmark::parse(&text).map_or(Found::Damaged, Found::Bookmark)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Found::Damaged),
            Err(error) => Err(Failure::file("read", &self.path)(error)),
        }
    }

    /// Replaces it, durably and at once.
    pub(super) fn write(&self, bookmark: &Bookmark) -> Result<(), Failure> {
        let replaced = durable::replace(&self.path, bookmark.text().as_bytes());
        replaced.map_err(Failure::file("keep the bookmark", &self.path))
    }
}

impl Bookmark {
    fn text(&self) -> String {
        let said = format!("v1 {} {}", self.seq, self.hash);
        format!("{said} {:08x}\n", crc32fast::hash(said.as_bytes()))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ').skip(1);
        let (seq, hash) = (words.next()?.parse().ok()?, ChainHash::parse(words.next()?)?);
        let bookmark = Self { seq, hash };
        (bookmark.text() == text).then_some(bookmark)
    }
}

#[cfg(test)]
mod tests {
    use procura_testkit::temp_dir::TempDir;

    use super::*;

    #[test]
    fn bookmark_is_read_as_it_was_written_and_any_change_is_noticed() {
        let dir = TempDir::new("bookmark");
        let file = BookmarkFile::new(dir.path(), "siem");
        assert_eq!(file.read().unwrap(), Found::Nothing);
        let bookmark = Bookmark { seq: 12_345, hash: ChainHash::from_bytes([0xa7; 32]) };
        file.write(&Bookmark { seq: 1, ..bookmark }).unwrap();
        file.write(&bookmark).unwrap();
        assert_eq!(file.read().unwrap(), Found::Bookmark(bookmark));

        let text = bookmark.text();
        for at in 0..text.len() {
            for byte in [b' ', b'0', b'\n', 0xff] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = byte;
                fs::write(dir.path().join("siem"), &bytes).unwrap();
                let whole = bytes == text.as_bytes();
                assert_eq!(file.read().unwrap() == Found::Damaged, !whole, "byte {at} is {byte}");
            }
            fs::write(dir.path().join("siem"), &text.as_bytes()[..at]).unwrap();
            assert_eq!(file.read().unwrap(), Found::Damaged, "cut at {at}");
        }
    }
}
