//! The files of the log on a real directory.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::AuditError;
use crate::durable::{self, private_file};
use crate::ports::{LogFile, LogFiles};

/// The file whose lock makes a process the one writer.
const LOCK: &str = "LOCK";

/// A directory of segments.
#[derive(Debug)]
pub struct DirFiles {
    dir: PathBuf,
    /// Held as long as the value lives; `None` for readers.
    lock: Option<File>,
}

impl DirFiles {
    /// Opens `dir` for the one writer, creating it durably if absent; fails while another process has it open like this.
    pub fn open(dir: &Path) -> Result<Self, AuditError> {
        let shown = dir.display().to_string();
        durable::create_dir(dir).map_err(AuditError::io("create", &shown))?;
        let path = dir.join(LOCK);
        let lock = private_file().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(AuditError::io("open", &path.display().to_string()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(AuditError::Locked(shown)),
            Err(TryLockError::Error(source)) => {
                Err(AuditError::Io { action: "lock", name: path.display().to_string(), source })
            }
        }
    }

    /// Opens `dir` for reading, also while a writer has it open.
    pub fn open_to_read(dir: &Path) -> Result<Self, AuditError> {
        fs::metadata(dir).map_err(AuditError::io("open", &dir.display().to_string()))?;
        Ok(Self { dir: dir.to_owned(), lock: None })
    }
}

impl LogFiles for DirFiles {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.dir)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(io::Result::transpose).collect()
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.dir.join(name))?.len())
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.dir.join(name))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(len as u64).read_to_end(&mut bytes)?;
        if bytes.len() < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    fn open_append(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let path = self.dir.join(name);
        let file = private_file().create(true).append(true).open(&path)?;
        Ok(Box::new(DirFile { file, path }))
    }

    fn reopen(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let path = self.dir.join(name);
        let file = private_file().append(true).open(&path)?;
        Ok(Box::new(DirFile { file, path }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.dir.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        durable::sync_dir(&self.dir)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        durable::free_bytes(&self.dir)
    }

    fn check(&self) -> io::Result<()> {
        let Some(lock) = &self.lock else { return Ok(()) };
        check_same(lock, &self.dir.join(LOCK)).map(|_| ())
    }
}

struct DirFile {
    file: File,
    path: PathBuf,
}

impl LogFile for DirFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.file.sync_all()
    }

    fn check(&self, len: u64) -> io::Result<()> {
        let found = check_same(&self.file, &self.path)?;
        if found == len {
            return Ok(());
        }
        Err(io::Error::other(format!("somebody else changed it: it has {found} bytes instead of {len}")))
    }
}

/// The length of the file at `path`, which must be `file` itself.
fn check_same(file: &File, path: &Path) -> io::Result<u64> {
    let ours = file.metadata()?;
    let gone = |error: io::Error| io::Error::other(format!("`{}` was removed: {error}", path.display()));
    let found = fs::metadata(path).map_err(gone)?;
    if (ours.dev(), ours.ino()) == (found.dev(), found.ino()) {
        return Ok(found.len());
    }
    Err(io::Error::other(format!("`{}` was replaced by another file", path.display())))
}
