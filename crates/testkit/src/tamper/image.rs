//! The files of a log as they are at one moment, to be changed and read.

use std::collections::BTreeMap;
use std::io;

use procura::ports::{LogFile, LogFiles};

/// Content by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image(pub(super) BTreeMap<String, Vec<u8>>);

impl Image {
    /// What `files` hold now.
    pub(super) fn of(files: &dyn LogFiles) -> io::Result<Self> {
        let mut image = Self::default();
        for name in files.list()? {
            let len = usize::try_from(files.len(&name)?).unwrap_or(usize::MAX);
            let content = files.read_at(&name, 0, len)?;
            image.0.insert(name, content);
        }
        Ok(image)
    }

    /// A file to be changed; an empty one if there was none.
    pub(super) fn file(&mut self, name: &str) -> &mut Vec<u8> {
        self.0.entry(name.to_owned()).or_default()
    }

    fn content(&self, name: &str) -> io::Result<&Vec<u8>> {
        self.0.get(name).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl LogFiles for Image {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(self.content(name)?.len() as u64)
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let part = self.content(name)?.get(start..start.saturating_add(len));
        part.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn open_append(&self, _: &str) -> io::Result<Box<dyn LogFile>> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn reopen(&self, _: &str) -> io::Result<Box<dyn LogFile>> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn check(&self) -> io::Result<()> {
        Ok(())
    }
}
