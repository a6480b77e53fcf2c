//! The files of the log as they would be if no segment was compressed: whatever reads the log reads through this.
//!
//! A segment that stands there both ways, as after a crash, is read as it was written.

use std::collections::VecDeque;
use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::compressed::{BLOCK, FOOTER_BYTES, Table, compressed_name, segment_of};
use super::segment::{file_name, first_seq_of};
use crate::ports::{LogFile, LogFiles};

/// Tables and blocks that are remembered: those of a few readers that go on where they were, in either direction.
const TABLES: usize = 16;
const BLOCKS: usize = 32;

/// The files of a log; a compressed segment is shown under the name and with the bytes that it had before.
pub(super) struct PlainFiles<F> {
    files: F,
    cache: Mutex<Cache>,
}

/// A part of a compressed segment that cannot be restored; it stands in an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("it is damaged at byte {offset} of what was compressed: {what}")]
pub(super) struct BlockDamage {
    /// Where the block begins, in bytes from the start of the segment.
    pub(super) offset: u64,
    /// What is wrong.
    pub(super) what: &'static str,
}

impl<F: Deref<Target: LogFiles> + Send + Sync> PlainFiles<F> {
    /// Shows `files`.
    pub(super) fn new(files: F) -> Self {
        Self { files, cache: Mutex::default() }
    }

    /// Whether segment `first_seq` is there in no other form than compressed.
    pub(super) fn is_compressed(&self, first_seq: u64) -> bool {
        let is_there = |name: String| self.files.len(&name).is_ok();
        !is_there(file_name(first_seq)) && is_there(compressed_name(first_seq))
    }

    /// The blocks of a compressed segment.
    fn table(&self, first_seq: u64) -> io::Result<Arc<Table>> {
        if let Some(table) = self.cache().tables.get(&first_seq) {
            return Ok(table);
        }
        let name = compressed_name(first_seq);
        let file_len = self.files.len(&name)?;
        let read_end = |len: usize| {
            let offset = file_len.checked_sub(len as u64).ok_or_else(|| damaged(0, "it is incomplete"))?;
            self.files.read_at(&name, offset, len)
        };
        let footer = read_end(FOOTER_BYTES)?;
        let size = Table::size(file_len, &footer).map_err(|what| damaged(0, what))?;
        let table = Table::parse(file_len, &read_end(size)?).map_err(|what| damaged(0, what))?;
        let table = Arc::new(table);
        self.cache().tables.put(first_seq, Arc::clone(&table));
        Ok(table)
    }

    /// Block `number` of a compressed segment, restored.
    fn block(&self, first_seq: u64, number: u64) -> io::Result<Arc<Vec<u8>>> {
        let key = (first_seq, number);
        if let Some(block) = self.cache().blocks.get(&key) {
            return Ok(block);
        }
        let place = self.table(first_seq)?.place(number).ok_or(io::ErrorKind::UnexpectedEof)?;
        let compressed = self.files.read_at(&compressed_name(first_seq), place.offset, place.len)?;
        let restored = place.restore(&compressed).map_err(|what| damaged(number * BLOCK as u64, what))?;
        let block = Arc::new(restored);
        self.cache().blocks.put(key, Arc::clone(&block));
        Ok(block)
    }

    /// Bytes of a segment from its compressed file.
    pub(super) fn read_compressed(&self, first_seq: u64, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let end = offset.saturating_add(len as u64);
        if end > self.table(first_seq)?.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let block_len = BLOCK as u64;
        let mut bytes = Vec::with_capacity(len);
        for number in offset / block_len..end.div_ceil(block_len) {
            let block = self.block(first_seq, number)?;
            let start = number * block_len;
            let within =
                |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(BLOCK).min(block.len());
            bytes.extend_from_slice(block.get(within(offset)..within(end)).unwrap_or_default());
        }
        Ok(bytes)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Deref<Target: LogFiles> + Send + Sync> LogFiles for PlainFiles<F> {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = self.files.list()?;
        for name in &mut names {
            if let Some(segment) = segment_of(name) {
                *name = segment.to_owned();
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        match (self.files.len(name), first_seq_of(name)) {
            (Err(error), Some(first_seq)) if error.kind() == io::ErrorKind::NotFound => {
                Ok(self.table(first_seq)?.len)
            }
            (len, _) => len,
        }
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        match (self.files.read_at(name, offset, len), first_seq_of(name)) {
            (Err(error), Some(first_seq)) if error.kind() == io::ErrorKind::NotFound => {
                self.read_compressed(first_seq, offset, len)
            }
            (bytes, _) => bytes,
        }
    }

    /// A segment that is compressed is not continued: another one follows it, or should.
    fn open_append(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        if first_seq_of(name).is_some_and(|first_seq| self.is_compressed(first_seq)) {
            return Err(io::Error::other("it is compressed, so the segment that followed it is missing"));
        }
        self.files.open_append(name)
    }

    fn reopen(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.files.reopen(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.files.sync_dir()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.files.free_bytes()
    }

    fn check(&self) -> io::Result<()> {
        self.files.check()
    }
}

/// What was read last. A compressed segment never changes, so what is remembered of it stays true.
#[derive(Debug)]
struct Cache {
    tables: Recent<u64, Arc<Table>>,
    blocks: Recent<(u64, u64), Arc<Vec<u8>>>,
}

impl Default for Cache {
    fn default() -> Self {
        Self { tables: Recent::of(TABLES), blocks: Recent::of(BLOCKS) }
    }
}

/// The few values that were used last, newest first.
#[derive(Debug)]
struct Recent<K, V> {
    most: usize,
    values: VecDeque<(K, V)>,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    fn of(most: usize) -> Self {
        Self { most, values: VecDeque::new() }
    }

    fn get(&mut self, key: &K) -> Option<V> {
        let at = self.values.iter().position(|(known, _)| known == key)?;
        let (key, value) = self.values.remove(at)?;
        self.values.push_front((key, value.clone()));
        Some(value)
    }

    fn put(&mut self, key: K, value: V) {
        self.values.retain(|(known, _)| *known != key);
        self.values.push_front((key, value));
        self.values.truncate(self.most);
    }
}

fn damaged(offset: u64, what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, BlockDamage { offset, what })
}
