//! The mark beside the segments: a record that is known to be on disk, so that an end of the log which does not reach
//! it is damage and not an interrupted write.
//!
//! The file `SYNCED` grows by one entry when a segment is begun, after its first records, at start and at the end.
//! Without it, or when it is damaged, less is noticed; nothing is refused that is whole.

use std::sync::Arc;

use super::error::AuditError;
use crate::ports::LogFiles;

/// The file of marks.
const NAME: &str = "SYNCED";

const MAGIC: [u8; 4] = *b"MARK";

/// `magic, seq, checksum`.
const ENTRY_BYTES: usize = 4 + 8 + 4;

/// Entries at the end among which the last whole one is looked for: an interrupted write spoils one.
const LOOKED_AT: u64 = 64;

/// Writes marks.
pub(super) struct Marker {
    files: Arc<dyn LogFiles>,
    found: Mark,
}

/// The last whole mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The record that was on disk, and with it all before; 0 without a mark.
    pub(super) seq: u64,
    /// Where the mark ends, in bytes from the start of the file.
    len: u64,
}

impl Mark {
    /// Reads the mark. Whoever compares it with the segments of a log that is being written reads it before them.
    pub(super) fn read(files: &dyn LogFiles) -> Result<Self, AuditError> {
        let names = files.list().map_err(AuditError::io("list", "the directory of the decision log"))?;
        if !names.iter().any(|name| name == NAME) {
            return Ok(Self::default());
        }
        let entry_bytes = ENTRY_BYTES as u64;
        let entries = files.len(NAME).map_err(AuditError::io("read", NAME))? / entry_bytes;
        for entry in (entries.saturating_sub(LOOKED_AT)..entries).rev() {
            let at = entry * entry_bytes;
            let bytes = files.read_at(NAME, at, ENTRY_BYTES).map_err(AuditError::io("read", NAME))?;
            if let Some(seq) = parse(&bytes) {
                return Ok(Self { seq, len: at + entry_bytes });
            }
        }
        Ok(Self::default())
    }
}

impl Marker {
    /// Goes on after the mark that was found.
    pub(super) fn new(files: Arc<dyn LogFiles>, found: Mark) -> Self {
        Self { files, found }
    }

    /// The record of the last mark.
    pub(super) fn seq(&self) -> u64 {
        self.found.seq
    }

    /// Marks `seq`, durably, unless that or a later one is marked.
    ///
    /// INVARIANT(mark_true): `seq` and all records before it are on disk, and are never cut.
    pub(super) fn set(&mut self, seq: u64) -> Result<(), AuditError> {
        if seq <= self.found.seq {
            return Ok(());
        }
        let mut file = self.files.open_append(NAME).map_err(AuditError::io("open", NAME))?;
        file.truncate(self.found.len).map_err(AuditError::io("cut", NAME))?;
        file.append(&entry(seq)).map_err(AuditError::io("write", NAME))?;
        file.sync().map_err(AuditError::io("sync", NAME))?;
        if self.found.len == 0 {
            self.files.sync_dir().map_err(AuditError::io("sync the directory of", NAME))?;
        }
        self.found = Mark { seq, len: self.found.len + ENTRY_BYTES as u64 };
        Ok(())
    }
}

fn entry(seq: u64) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &seq.to_le_bytes()].concat();
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

fn parse(bytes: &[u8]) -> Option<u64> {
    let seq = bytes.get(MAGIC.len()..)?.first_chunk()?;
    let seq = u64::from_le_bytes(*seq);
    (entry(seq) == bytes).then_some(seq)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use procura_testkit::temp_dir::TempDir;

    use super::*;
    use crate::audit::DirFiles;

    #[test]
    fn mark_that_was_not_finished_leaves_the_one_before_it() {
        let dir = TempDir::new("mark");
        let files = Arc::new(DirFiles::open(dir.path()).unwrap());
        assert_eq!(Mark::read(&*files).unwrap(), Mark::default());
        let mut marker = Marker::new(files.clone(), Mark::default());
        marker.set(7).unwrap();
        marker.set(3).unwrap();
        for torn in [&b"MARK"[..], &[0; 16], &entry(9)[..15], b"MARK4567abcdefgh"] {
            fs::write(dir.path().join(NAME), [&entry(7), torn].concat()).unwrap();
            let found = Mark::read(&*files).unwrap();
            assert_eq!(found, Mark { seq: 7, len: 16 }, "{torn:?}");
            Marker::new(files.clone(), found).set(8).unwrap();
            assert_eq!(Mark::read(&*files).unwrap(), Mark { seq: 8, len: 32 });
        }
    }
}
