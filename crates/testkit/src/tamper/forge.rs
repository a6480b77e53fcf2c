//! What somebody can do who knows the formats, and perhaps the key: a log written anew, with everything that belongs to it.
//! Written after `docs/reference/log-format.md` and `docs/reference/proof.md`, not after the code.

use procura::audit::proof::SigningKeys;
use procura_core::proof::{Hash, Tree};
use procura_core::record::ChainHash;

use super::image::Image;

/// A record without its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plain {
    /// Microseconds since 1970.
    pub(super) at: i64,
    pub(super) payload: Vec<u8>,
}

/// The segments that hold `records`, each but the first beginning with one of `firsts`.
pub(super) fn segments(records: &[Plain], firsts: &[u64]) -> Image {
    let mut image = Image::default();
    let (mut hash, mut times) = (ChainHash::GENESIS, NO_TIMES);
    let mut name = String::new();
    for (seq, record) in (1..).zip(records) {
        if seq == 1 || firsts.contains(&seq) {
            name = format!("log-{seq:020}.seg");
            *image.file(&name) = header(seq, hash, times);
            times = NO_TIMES;
        }
        hash = hash.next(seq, record.at, &record.payload);
        times = (times.0.min(record.at), times.1.max(record.at));
        image.file(&name).extend(frame(seq, record, hash));
    }
    image
}

/// `TREE` and `CHECKPOINTS` of `records`, signed with the keys of the log.
pub(super) fn proofs(image: &mut Image, records: &[Plain], sizes: &[u64], keys: &SigningKeys) {
    let (mut tree, mut nodes, mut notes) = (Tree::default(), Vec::new(), String::new());
    let mut hash = ChainHash::GENESIS;
    let last = records.len() as u64;
    for (seq, record) in (1..).zip(records) {
        hash = hash.next(seq, record.at, &record.payload);
        tree.push(Hash::leaf(hash.as_bytes()), |node| nodes.extend_from_slice(node.as_bytes()));
        if sizes.contains(&seq) || seq == last {
            notes.push_str(&format!("{}\n", keys.sign(seq, tree.root()).unwrap()));
        }
    }
    *image.file("TREE") = nodes;
    *image.file("CHECKPOINTS") = notes.into_bytes();
}

/// An entry of `SYNCED`.
pub(super) fn mark(seq: u64) -> Vec<u8> {
    let mut bytes = [&b"MARK"[..], &seq.to_le_bytes()].concat();
    let checksum = crc32fast::hash(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

/// A frame with a checksum that is right.
pub(super) fn frame(seq: u64, record: &Plain, hash: ChainHash) -> Vec<u8> {
    let length = u32::try_from(record.payload.len()).unwrap().to_le_bytes();
    let mut behind = Vec::new();
    behind.extend(seq.to_le_bytes());
    behind.extend(record.at.to_le_bytes());
    behind.extend((seq - 1).to_le_bytes());
    behind.extend(hash.as_bytes());
    behind.extend(&record.payload);
    behind.extend(length);
    let checksum = crc32fast::hash(&[&length[..], &behind].concat());
    [&length[..], &checksum.to_le_bytes(), &behind].concat()
}

/// The earliest and the latest instant of no records.
const NO_TIMES: (i64, i64) = (i64::MAX, i64::MIN);

fn header(first_seq: u64, previous: ChainHash, times: (i64, i64)) -> Vec<u8> {
    let mut bytes = b"PROCURAL".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(first_seq.to_le_bytes());
    bytes.extend(previous.as_bytes());
    bytes.extend(times.0.to_le_bytes());
    bytes.extend(times.1.to_le_bytes());
    bytes.extend([0; 8]);
    let checksum = crc32fast::hash(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}
