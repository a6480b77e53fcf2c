//! The file `CHECKPOINTS`: every checkpoint that was signed, each followed by an empty line.

use std::io::{self, BufReader, Read};

use procura_core::proof::Note;

use super::signed::{DistrustReason, SignedCheckpoint, SignedCheckpoints, Trust};
use crate::audit::error::AuditError;
use crate::ports::{LogFile, LogFiles};

/// The file of the checkpoints that were signed.
pub(super) const NAME: &str = "CHECKPOINTS";

/// The file of those that a witness signed as well.
pub(super) const COSIGNED: &str = "COSIGNED";

/// Bytes at the end of the file in which the last checkpoint is looked for first.
const LOOKED_AT: u64 = 64 * 1024;

/// A file of checkpoints that is appended to.
pub(super) struct CheckpointFile {
    name: &'static str,
    file: Box<dyn LogFile>,
    len: u64,
}

impl CheckpointFile {
    /// Opens the file and cuts it to `len` bytes, the end of a checkpoint.
    pub(super) fn open(files: &dyn LogFiles, name: &'static str, len: u64) -> Result<Self, AuditError> {
        let mut file = files.open_append(name).map_err(AuditError::io("open", name))?;
        file.truncate(len).map_err(AuditError::io("cut", name))?;
        let mut file = Self { name, file, len };
        let Some(at) = len.checked_sub(2) else { return Ok(file) };
        if files.read_at(name, at, 2).map_err(AuditError::io("read", name))? != b"\n\n" {
            file.write(b"\n")?;
        }
        Ok(file)
    }

    /// Appends a checkpoint, durably.
    pub(super) fn append(&mut self, note: &Note) -> Result<(), AuditError> {
        let before = self.len;
        let appended = self.try_append(note);
        if appended.is_err() {
            // After a failed sync a file can look complete and not be: what was to be appended must not stay.
            self.file.truncate(before).map_err(AuditError::io("cut", self.name))?;
            self.len = before;
        }
        appended
    }

    fn try_append(&mut self, note: &Note) -> Result<(), AuditError> {
        self.write(format!("{note}\n").as_bytes())?;
        self.file.sync().map_err(AuditError::io("sync", self.name))?;
        self.file.check(self.len).map_err(AuditError::io("keep", self.name))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), AuditError> {
        self.file.append(bytes).map_err(AuditError::io("write", self.name))?;
        self.len += bytes.len() as u64;
        Ok(())
    }
}

/// The last whole checkpoint of a file and where it ends; a signature by a key of `trust` must be right, and one by
/// another key may stand there too: somebody exchanged the key.
pub(super) fn last(
    files: &dyn LogFiles,
    name: &'static str,
    trust: &Trust,
) -> Result<Option<(SignedCheckpoint, u64)>, AuditError> {
    let len = len_of(files, name)?;
    let mut start = len.saturating_sub(LOOKED_AT);
    loop {
        let all = SignedCheckpoints::new(BufReader::new(FileReader::from(files, name, start, len)));
        let mut last = None;
        // Whatever the window begins in the middle of is not a whole one.
        for found in all.skip(usize::from(start > 0)) {
            let found = found.map_err(AuditError::io("read", name))?;
            if let Ok(signed) = found.signed
                && trust.check(&signed) != Err(DistrustReason::Signature)
            {
                last = Some((signed, start + found.end));
            }
        }
        if last.is_some() || start == 0 {
            return Ok(last);
        }
        start = 0;
    }
}

/// Where the last whole checkpoint of a file ends.
pub(super) fn end(files: &dyn LogFiles, name: &'static str) -> Result<u64, AuditError> {
    Ok(last(files, name, &Trust::default())?.map_or(0, |(_, end)| end))
}

/// Every checkpoint of a file, in order.
pub(super) fn all<'f>(
    files: &'f dyn LogFiles,
    name: &'static str,
) -> Result<SignedCheckpoints<BufReader<FileReader<'f>>>, AuditError> {
    let len = len_of(files, name)?;
    Ok(SignedCheckpoints::new(BufReader::with_capacity(256 * 1024, FileReader::from(files, name, 0, len))))
}

/// Reads a part of a file of the log.
pub(super) struct FileReader<'f> {
    files: &'f dyn LogFiles,
    name: &'static str,
    offset: u64,
    end: u64,
}

impl<'f> FileReader<'f> {
    /// Reads from `offset` to `end`.
    pub(super) fn from(files: &'f dyn LogFiles, name: &'static str, offset: u64, end: u64) -> Self {
        Self { files, name, offset, end }
    }

    /// Passes over the next `bytes`.
    pub(super) fn skip(&mut self, bytes: u64) {
        self.offset = self.offset.saturating_add(bytes);
    }
}

impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(0);
        }
        let bytes = self.files.read_at(self.name, self.offset, left.min(buffer.len()))?;
        for (place, byte) in buffer.iter_mut().zip(&bytes) {
            *place = *byte;
        }
        self.offset += bytes.len() as u64;
        Ok(bytes.len())
    }
}

fn len_of(files: &dyn LogFiles, name: &'static str) -> Result<u64, AuditError> {
    match files.len(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        len => len.map_err(AuditError::io("read", name)),
    }
}
