//! A part of the log by itself: its records against their chain, and the end of it against a checkpoint.
//!
//! The chain hash after a record commits to everything before, so one hash under a checkpoint proves all records that lead
//! to it.

use procura_core::proof::{Hash, inclusion, verify_inclusion};
use procura_core::record::ChainHash;

use super::checkpoints;
use super::inspect::Source;
use super::signed::{SignedCheckpoint, Trust};
use super::tree_file::StoredNodes;
use crate::audit::error::AuditError;
use crate::audit::query::LogReader;

/// What was found in a part of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeReport {
    /// The first record that was read.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// The last one that a checkpoint covers, and whose checkpoint that is.
    pub proven: Option<(u64, Source)>,
}

/// Verifies records `from` to `to`, which is cut to what there is, against the largest checkpoint of the witness, or of the
/// log if there is no witness.
///
/// # Errors
/// If a file cannot be read, a record is not what was written, or the records are not those under the checkpoint.
pub fn inspect_range(
    reader: &LogReader,
    (from, to): (u64, u64),
    trust: &Trust,
    witnessed: Option<&[SignedCheckpoint]>,
) -> Result<RangeReport, AuditError> {
    let (from, to) = (from.max(reader.first_seq()), to.min(reader.reach().last));
    let (source, checkpoint) = match witnessed {
        Some(kept) => {
            let believed = kept.iter().filter(|signed| trust.check(signed).is_ok());
            (Source::Witness, believed.max_by_key(|signed| signed.checkpoint.size).cloned())
        }
        None => {
            let last = checkpoints::last(reader.files(), checkpoints::NAME, trust)?;
            (Source::Log, last.map(|(signed, _)| signed).filter(|signed| trust.check(signed).is_ok()))
        }
    };
    let covered = checkpoint.as_ref().map_or(0, |signed| signed.checkpoint.size).min(to);
    let mut hash = reader.hash_before(from)?;
    let mut hash_at_covered = hash;
    let mut cursor = reader.cursor(from);
    let mut damage = None;
    while cursor.next_seq() <= to && damage.is_none() {
        let read = cursor.read(|entry| {
            if entry.seq > to || damage.is_some() {
                return;
            }
            hash = hash.next(entry.seq, entry.at, entry.payload);
            if hash != entry.hash {
                damage = Some((entry.place, entry.seq));
            }
            if entry.seq == covered {
                hash_at_covered = hash;
            }
        })?;
        if read == 0 {
            break;
        }
    }
    if let Some((place, seq)) = damage {
        let what = "the chain does not continue: this record or one before it was changed";
        return Err(AuditError::damaged_at(place, seq, what));
    }
    let proven = match checkpoint.filter(|_| covered >= from) {
        Some(signed) => {
            check(reader, hash_at_covered, covered, &signed)?;
            Some((covered, source))
        }
        None => None,
    };
    Ok(RangeReport { from, to, proven })
}

fn check(reader: &LogReader, hash: ChainHash, seq: u64, signed: &SignedCheckpoint) -> Result<(), AuditError> {
    let (size, root) = (signed.checkpoint.size, signed.checkpoint.root);
    let path = inclusion(&mut StoredNodes::new(reader.files()), seq - 1, size)?;
    verify_inclusion(Hash::leaf(hash.as_bytes()), (seq - 1, size), &path, &root).map_err(|_| AuditError::Unfit {
        name: super::tree_file::NAME.to_owned(),
        what: "these records, or some before them, are not those that were signed for, or the tree is not whole",
    })
}
