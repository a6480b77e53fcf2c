//! Compressing one closed segment.
//!
//! The original is removed only once the compressed file stands under its name, durably, and was read back; until then
//! it is what counts. So whenever this ends in the middle, nothing is lost and the next start does it again.

use super::{UNFINISHED, Upkeep};
use crate::audit::catalog::SegmentInfo;
use crate::audit::compressed::{BLOCK, TableWriter, compressed_name};
use crate::audit::error::AuditError;
use crate::audit::plain::PlainFiles;
use crate::telemetry::events::SegmentCompressed;

/// Bytes that are compressed between two syncs: the disk never gets so many at once that the writer has to wait.
const SYNC_EVERY: u64 = 1024 * 1024;

impl Upkeep {
    /// Compresses `segment`, unless it is compressed already or is not what was written. `false` if there is no time or no
    /// room for that now.
    pub(super) fn compress(&self, segment: &SegmentInfo) -> Result<bool, AuditError> {
        let name = segment.name();
        // What somebody removed or changed is left alone: it is evidence.
        if self.files.len(&name).ok() != Some(segment.len) {
            return Ok(true);
        }
        let compressed = compressed_name(segment.first_seq);
        let unfinished = format!("{compressed}{UNFINISHED}");
        if !self.write_compressed(segment, &unfinished)? {
            return self
                .files
                .remove(&unfinished)
                .map(|()| false)
                .map_err(AuditError::io("remove", &unfinished));
        }
        self.files.rename(&unfinished, &compressed).map_err(AuditError::io("rename", &unfinished))?;
        self.files.sync_dir().map_err(AuditError::io("sync the directory of", &compressed))?;
        if !self.is_same(segment)? {
            return Ok(false);
        }
        self.files.remove(&name).map_err(AuditError::io("remove", &name))?;
        let bytes = (segment.len, self.files.len(&compressed).unwrap_or(0));
        SegmentCompressed { segment: &name, bytes }.emit(&self.metrics);
        Ok(true)
    }

    /// Writes all of `segment` to the file `name`, durably; `false` if it had to stop.
    fn write_compressed(&self, segment: &SegmentInfo, name: &str) -> Result<bool, AuditError> {
        let mut file = self.files.open_append(name).map_err(AuditError::io("create", name))?;
        file.truncate(0).map_err(AuditError::io("cut", name))?;
        let mut table = TableWriter::default();
        for (offset, len) in blocks(segment) {
            if !self.may_go_on()? {
                return Ok(false);
            }
            let block = self.files.read_at(&segment.name(), offset, len);
            let block = block.map_err(AuditError::io("read", &segment.name()))?;
            let compressed = table.block(&block).map_err(AuditError::io("compress", &segment.name()))?;
            file.append(&compressed).map_err(AuditError::io("write", name))?;
            if (offset + len as u64).is_multiple_of(SYNC_EVERY) {
                file.sync().map_err(AuditError::io("sync", name))?;
            }
        }
        let table = table.finish().map_err(AuditError::io("compress", &segment.name()))?;
        file.append(&table).map_err(AuditError::io("write", name))?;
        file.sync().map_err(AuditError::io("sync", name))?;
        Ok(true)
    }

    /// INVARIANT(compressed_whole): no original is removed whose bytes the compressed file does not give back. `false` if
    /// it was told to stop before that is known.
    fn is_same(&self, segment: &SegmentInfo) -> Result<bool, AuditError> {
        let name = segment.name();
        let compressed = PlainFiles::new(&*self.files);
        for (offset, len) in blocks(segment) {
            if self.catalog.is_closed() {
                return Ok(false);
            }
            let original = self.files.read_at(&name, offset, len).map_err(AuditError::io("read", &name))?;
            let restored = compressed.read_compressed(segment.first_seq, offset, len);
            if restored.map_err(AuditError::io("read", &compressed_name(segment.first_seq)))? != original {
                let what = "what was compressed is not what was written";
                return Err(AuditError::Unreadable { segment: name, offset, what });
            }
        }
        Ok(true)
    }
}

/// Where each block of `segment` begins, and its length.
fn blocks(segment: &SegmentInfo) -> impl Iterator<Item = (u64, usize)> {
    let len = segment.len;
    (0..len).step_by(BLOCK).map(move |offset| {
        let left = usize::try_from(len - offset).unwrap_or(BLOCK);
        (offset, left.min(BLOCK))
    })
}
