//! The format of a compressed segment: the same bytes in blocks that can be read one by one.
//!
//! A file is a sequence of zstd frames, one for each block of the segment, and a frame that zstd skips: the table of the
//! blocks. So the offsets of the segment hold for the compressed file too, and `zstd -d` restores the segment.
//! `docs/reference/log-format.md` has the layout as tables.
//!
//! Every byte is covered by a checksum, and a reader knows from the length of a file how much it may have to read: what
//! somebody else wrote takes no more memory than a block and a table that the file has room for.

use std::io;

use super::segment::file_name;

/// Bytes of the segment in one block; the last one has less.
pub(super) const BLOCK: usize = 128 * 1024;

/// Bytes at the end of a file, behind the table.
pub(super) const FOOTER_BYTES: usize = 8 + 4 + MAGIC.len();

/// What zstd skips begins with this and its length.
const SKIPPED: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];

/// Bytes of the table for one block: the length of what is compressed, and its checksum.
const ENTRY_BYTES: usize = 4 + 4;

const MAGIC: [u8; 8] = *b"PROCURZ1";

/// How hard to compress: the default of zstd, which is faster than any disk that a log is on needs.
const LEVEL: i32 = 3;

/// Longest segment that is read, in bytes: twice the largest that is written.
const LONGEST: u64 = 16 << 30;

/// What follows the name of a segment in that of its compressed file.
const SUFFIX: &str = ".zst";

/// The compressed file of the segment that begins with record `first_seq`.
pub(super) fn compressed_name(first_seq: u64) -> String {
    file_name(first_seq) + SUFFIX
}

/// The segment that the file called `name` is the compressed form of.
pub(super) fn segment_of(name: &str) -> Option<&str> {
    name.strip_suffix(SUFFIX).filter(|name| super::segment::first_seq_of(name).is_some())
}

/// The blocks of one compressed segment that is being written.
#[derive(Debug, Default)]
pub(super) struct TableWriter {
    entries: Vec<u8>,
    len: u64,
}

impl TableWriter {
    /// Compresses the next block: [`BLOCK`] bytes, or the last of the segment.
    pub(super) fn block(&mut self, block: &[u8]) -> io::Result<Vec<u8>> {
        let compressed = zstd::bulk::compress(block, LEVEL)?;
        let length = u32::try_from(compressed.len()).map_err(io::Error::other)?;
        self.entries.extend_from_slice(&length.to_le_bytes());
        self.entries.extend_from_slice(&crc32fast::hash(&compressed).to_le_bytes());
        self.len += block.len() as u64;
        Ok(compressed)
    }

    /// What ends the file.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        let length = u32::try_from(self.entries.len() + FOOTER_BYTES).map_err(io::Error::other)?;
        let mut bytes =
            [&SKIPPED[..], &length.to_le_bytes(), &self.entries, &self.len.to_le_bytes()].concat();
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(&MAGIC);
        Ok(bytes)
    }
}

/// Where the blocks of a compressed segment stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Bytes of the segment.
    pub(super) len: u64,
    blocks: Vec<Place>,
}

/// Where a block stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Bytes from the start of the file.
    pub(super) offset: u64,
    /// Bytes in the file.
    pub(super) len: usize,
    /// Bytes of the segment.
    plain: usize,
    checksum: u32,
}

impl Table {
    /// How many bytes the table takes at the end of a file of `file_len` bytes that ends with `footer`.
    pub(super) fn size(file_len: u64, footer: &[u8]) -> Result<usize, &'static str> {
        let len = segment_len(footer).ok_or("the compressed file is incomplete")?;
        let size = Self::size_for(len).filter(|size| *size as u64 <= file_len);
        size.ok_or("the length that the compressed file states is impossible")
    }

    /// Reads the `table` of a file of `file_len` bytes.
    pub(super) fn parse(file_len: u64, table: &[u8]) -> Result<Self, &'static str> {
        const DAMAGED: &str = "the table of the compressed file is damaged";
        let entries_end = table.len().checked_sub(FOOTER_BYTES).ok_or(DAMAGED)?;
        let (entries, footer) = table.split_at_checked(entries_end).ok_or(DAMAGED)?;
        let (start, entries) = entries.split_first_chunk::<8>().ok_or(DAMAGED)?;
        let checksum = footer.get(8..12).and_then(|bytes| bytes.first_chunk()).ok_or(DAMAGED)?;
        let covered = table.get(..entries_end + 8).ok_or(DAMAGED)?;
        let len = segment_len(footer).ok_or(DAMAGED)?;
        let is_whole = crc32fast::hash(covered) == u32::from_le_bytes(*checksum)
            && start.starts_with(&SKIPPED)
            && Self::size_for(len) == Some(table.len());
        if !is_whole {
            return Err(DAMAGED);
        }
        let mut blocks = Vec::with_capacity(entries.len() / ENTRY_BYTES);
        let (mut offset, mut left) = (0, len);
        for entry in entries.as_chunks::<ENTRY_BYTES>().0 {
            let [a, b, c, d, checksum @ ..] = *entry;
            let length = u32::from_le_bytes([a, b, c, d]);
            let plain = left.min(BLOCK as u64);
            let checksum = u32::from_le_bytes(checksum);
            let len = usize::try_from(length).unwrap_or(usize::MAX);
            blocks.push(Place { offset, len, plain: usize::try_from(plain).unwrap_or(BLOCK), checksum });
            (offset, left) = (offset + u64::from(length), left - plain);
        }
        let fits = offset + table.len() as u64 == file_len;
        let is_bounded = blocks.iter().all(|block| block.len <= zstd::zstd_safe::compress_bound(BLOCK));
        if fits && is_bounded { Ok(Self { len, blocks }) } else { Err(DAMAGED) }
    }

    /// Where block number `number` of the segment stands.
    pub(super) fn place(&self, number: u64) -> Option<Place> {
        usize::try_from(number).ok().and_then(|number| self.blocks.get(number)).copied()
    }

    fn size_for(len: u64) -> Option<usize> {
        let blocks = usize::try_from(Some(len).filter(|len| *len <= LONGEST)?.div_ceil(BLOCK as u64)).ok()?;
        Some(SKIPPED.len() + 4 + blocks * ENTRY_BYTES + FOOTER_BYTES)
    }
}

impl Place {
    /// The bytes of the segment whose compressed form stands here.
    pub(super) fn restore(&self, compressed: &[u8]) -> Result<Vec<u8>, &'static str> {
        if crc32fast::hash(compressed) != self.checksum {
            return Err("the checksum of the compressed block does not match");
        }
        let plain = zstd::bulk::decompress(compressed, self.plain);
        plain.ok().filter(|plain| plain.len() == self.plain).ok_or("the compressed block cannot be restored")
    }
}

/// The length of the segment, from the end of its file.
fn segment_len(footer: &[u8]) -> Option<u64> {
    let footer = footer.get(footer.len().checked_sub(FOOTER_BYTES)?..)?;
    footer.ends_with(&MAGIC).then(|| footer.first_chunk().copied().map(u64::from_le_bytes))?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The compressed file of a segment of these bytes.
    fn file(segment: &[u8]) -> Vec<u8> {
        let mut table = TableWriter::default();
        let mut file: Vec<u8> = segment.chunks(BLOCK).flat_map(|block| table.block(block).unwrap()).collect();
        file.extend(table.finish().unwrap());
        file
    }

    fn segment(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from(at * at % 251).unwrap()).collect()
    }

    fn restored(file: &[u8]) -> Result<Vec<u8>, &'static str> {
        let len = file.len() as u64;
        let table = file.len() - Table::size(len, file)?;
        let table = Table::parse(len, &file[table..])?;
        let mut segment = Vec::new();
        for place in &table.blocks {
            let at = usize::try_from(place.offset).unwrap();
            segment.extend(place.restore(&file[at..at + place.len])?);
        }
        Ok(segment)
    }

    #[test]
    fn segments_of_any_length_come_back_and_zstd_alone_restores_them() {
        for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7] {
            let segment = segment(len);
            let file = file(&segment);
            assert_eq!(restored(&file).as_deref(), Ok(&segment[..]), "{len}");
            assert_eq!(zstd::stream::decode_all(&file[..]).unwrap(), segment, "{len}");
        }
    }

    #[test]
    fn any_changed_byte_and_any_cut_is_noticed() {
        let file = file(&segment(BLOCK + 3000));
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(restored(&changed).is_err(), "byte {at}");
            assert!(restored(&file[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn length_that_the_file_has_no_room_for_is_refused() {
        for len in [LONGEST, LONGEST + 1, u64::MAX] {
            let footer = [&len.to_le_bytes()[..], &[0; 4], &MAGIC].concat();
            assert!(Table::size(100, &footer).is_err(), "{len}");
        }
    }

    #[test]
    fn only_names_of_compressed_segments_are_taken_for_some() {
        assert_eq!(segment_of(&compressed_name(7)), Some(&*file_name(7)));
        for name in ["log-7.seg.zst", "LOCK", &file_name(7), &format!("{}.tmp", compressed_name(7))] {
            assert_eq!(segment_of(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            prop_assert!(restored(&bytes).is_err());
        }
    }
}
