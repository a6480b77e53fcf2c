//! The readers of segments, for fuzz targets.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use procura_core::model::Timestamp;
use procura_core::record::{ChainHash, LogRepair};

use super::appender::{Appender, Limits};
use super::batch::Batch;
use super::catalog::{Catalog, Reach};
use super::compressed::{BLOCK, FOOTER_BYTES, TableWriter, compressed_name};
use super::cursor::Cursor;
use super::find::{find, read_all, read_until_damage};
use super::plain::PlainFiles;
use super::reverse::Reverse;
use super::segment::{HEADER_BYTES, Header, TimeRange, Unsealed, file_name};
use super::verify::verify;
use super::walk::ChainEnd;
use super::writer::repair_record;
use crate::ports::{LogFile, LogFiles};

/// A disk in memory that never fails, with these files.
#[must_use]
pub fn disk(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Arc<dyn LogFiles> {
    let disk = MemoryFiles::default();
    disk.lock().extend(files);
    Arc::new(disk)
}

/// Recovers a log of these segments, and compares all who read it.
///
/// `is_sealed` gives header and records the numbers and checksums that they should have first, so that what is in them
/// is reached.
///
/// # Panics
/// If a log that is whole is not recovered, or is not whole afterwards, or if two readers disagree about it.
pub fn recover(segments: &[&[u8]], is_sealed: bool) {
    let files = Arc::new(MemoryFiles::default());
    let mut end = ChainEnd { seq: 0, hash: ChainHash::GENESIS };
    for segment in segments {
        let mut bytes = segment.to_vec();
        let first_seq = if is_sealed { seal(&mut bytes, &mut end) } else { stated_first(&bytes) };
        files.lock().insert(file_name(first_seq), bytes);
    }
    let before = verify(&*files, |_, _| {});
    let found = find(&PlainFiles::new(&*files));
    let Ok(before) = before else { return };
    let found = found.unwrap_or_else(|error| panic!("a log that is whole is not recovered: {error}"));

    let (catalog, limits) = (Arc::new(Catalog::new(found.closed.clone(), Reach::default())), LIMITS);
    let shared: Arc<dyn LogFiles> = Arc::clone(&files) as _;
    let mut appender = Appender::open(Arc::clone(&shared), Arc::clone(&catalog), &found, limits)
        .unwrap_or_else(|error| panic!("a log that is whole is not continued: {error}"));
    let repair = LogRepair {
        at: Timestamp::UNIX_EPOCH,
        cause: "torn_tail".into(),
        segment: "s".into(),
        offset: 0,
        dropped_bytes: None,
        gap: None,
    };
    let appended = appender.append(&mut Batch::of(&repair_record(repair)), true);
    assert!(appended.is_ok(), "nothing can be appended");
    let after =
        verify(&*files, |_, _| {}).unwrap_or_else(|error| panic!("not whole after recovery: {error}"));
    assert_eq!(after.last_seq, before.last_seq + 1, "records were lost or invented");
    assert_eq!((after.first_seq, after.torn_bytes), (before.first_seq, 0));
    read(&*files, &catalog, after.first_seq, after.last_seq);
}

/// Reads every record forwards, and the last segment backwards.
fn read(files: &dyn LogFiles, catalog: &Catalog, first: u64, last: u64) {
    let mut cursor = Cursor::new(files, catalog, first);
    let (mut forwards, mut segment) = (Vec::new(), 0);
    loop {
        let read = cursor.read(|entry| {
            forwards.push((entry.place.segment, entry.seq, entry.hash));
            segment = entry.place.segment;
        });
        if read.unwrap_or_else(|error| panic!("a whole log cannot be read: {error}")) == 0 {
            break;
        }
    }
    assert!(forwards.iter().map(|(_, seq, _)| *seq).eq(first..=last), "records are missing");
    let Some(info) = catalog.segment(segment) else { return };
    let mut reverse = Reverse::new(files, info.name(), info.len);
    let mut backwards = Vec::new();
    while let Some(frame) = reverse.next().unwrap_or_else(|error| panic!("not backwards: {error}")) {
        backwards.push((segment, frame.seq, frame.hash));
    }
    backwards.reverse();
    forwards.retain(|(of, ..)| *of == segment);
    assert_eq!(forwards, backwards);
}

/// Reads a file as a compressed segment; the product reads it up to its first damage too.
pub fn read_compressed(file: &[u8]) {
    let files = MemoryFiles::default();
    files.lock().insert(compressed_name(1), file.to_vec());
    let plain = PlainFiles::new(&files);
    let whole = read_all(&plain, &file_name(1));
    let readable = read_until_damage(&plain, &file_name(1));
    if let Ok(whole) = whole {
        assert_eq!(readable.ok().as_deref(), Some(&whole[..]));
    }
    let _ = verify(&files, |_, _| {});
}

/// The file of compressed blocks, each with its right length and checksum, that states to hold `len` bytes.
#[must_use]
pub fn file_of(blocks: &[&[u8]], len: u64) -> Vec<u8> {
    let mut table = Vec::new();
    for block in blocks {
        table.extend_from_slice(&u32::try_from(block.len()).unwrap_or(u32::MAX).to_le_bytes());
        table.extend_from_slice(&crc32fast::hash(block).to_le_bytes());
    }
    let mut end = TableWriter::default().finish().unwrap_or_default();
    let magic = end.split_off(end.len() - 8);
    let mut footer = end[..4].to_vec();
    footer.extend_from_slice(&u32::try_from(table.len() + FOOTER_BYTES).unwrap_or(u32::MAX).to_le_bytes());
    footer.extend(table);
    footer.extend_from_slice(&len.to_le_bytes());
    let checksum = crc32fast::hash(&footer);
    [blocks.concat(), footer, checksum.to_le_bytes().to_vec(), magic].concat()
}

/// Compresses `segment` and reads it again.
///
/// # Panics
/// If something else comes back.
pub fn compress(segment: &[u8]) {
    let mut table = TableWriter::default();
    let mut file: Vec<u8> =
        segment.chunks(BLOCK).flat_map(|block| table.block(block).unwrap_or_default()).collect();
    file.extend(table.finish().unwrap_or_default());
    let files = MemoryFiles::default();
    files.lock().insert(compressed_name(1), file);
    let restored = read_all(&PlainFiles::new(&files), &file_name(1));
    assert_eq!(restored.ok().as_deref(), Some(segment));
}

const LIMITS: Limits = Limits { bytes: 1 << 20, age: None };

fn stated_first(bytes: &[u8]) -> u64 {
    Header::parse(bytes).map_or(1, |header| header.first_seq)
}

/// Makes `bytes` the segment that follows `end`, record by record as far as their lengths go.
fn seal(bytes: &mut [u8], end: &mut ChainEnd) -> u64 {
    let first_seq = end.seq + 1;
    let header = Header { first_seq, previous: end.hash, previous_times: TimeRange::EMPTY, retention: 0 };
    let mut encoded = Vec::new();
    header.encode(&mut encoded);
    let Some((head, mut rest)) = bytes.split_at_mut_checked(HEADER_BYTES) else { return first_seq };
    head.copy_from_slice(&encoded);
    while let Some((mut frame, behind)) = Unsealed::split(rest) {
        *end = end.next(frame.at(), frame.payload());
        frame.seal(end.seq, end.seq - 1, end.hash);
        rest = behind;
    }
    first_seq
}

/// A disk in memory that never fails.
#[derive(Debug, Default)]
struct MemoryFiles(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

struct MemoryFile {
    name: String,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl MemoryFiles {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, name: &str) -> Box<dyn LogFile> {
        Box::new(MemoryFile { name: name.to_owned(), files: Arc::clone(&self.0) })
    }
}

impl LogFiles for MemoryFiles {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().keys().cloned().collect())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.lock().get(name).map(|bytes| bytes.len() as u64).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let files = self.lock();
        let bytes = files.get(name).ok_or(io::ErrorKind::NotFound)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let read = bytes.get(offset..offset.saturating_add(len)).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(read.to_vec())
    }

    fn open_append(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.lock().entry(name.to_owned()).or_default();
        Ok(self.file(name))
    }

    fn reopen(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.len(name).map(|_| self.file(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.lock();
        let bytes = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.lock().remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
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

impl MemoryFile {
    fn with<T>(&self, what: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        what(files.entry(self.name.clone()).or_default())
    }
}

impl LogFile for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|file| file.extend_from_slice(bytes));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.with(|file| file.truncate(usize::try_from(len).unwrap_or(usize::MAX)));
        Ok(())
    }

    fn check(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
}
