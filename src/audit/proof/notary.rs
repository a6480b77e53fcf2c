//! The notary: follows the log, keeps the tree over it, and signs checkpoints of what is on disk.
//!
//! INVARIANT(signed_after_disk): a checkpoint is signed only when every record that it covers is on disk; so no power cut
//! leaves a log that is shorter than its last checkpoint says.

use std::sync::Arc;

use procura_core::proof::{Hash, Node, Nodes};

use super::checkpoints::{self, CheckpointFile};
use super::keys::{KeyError, SigningKeys};
use super::signed::{SignedCheckpoint, Trust};
use super::tree_file::{StoredNodes, TreeFile};
use crate::audit::cursor::Cursor;
use crate::audit::error::AuditError;
use crate::audit::query::LogReader;

/// Most reads of the log between two checkpoints, about a mebibyte each: what is left of a long way is kept.
const READS: usize = 64;

/// Keeps the tree and the checkpoints of one log.
pub struct Notary<'l> {
    reader: &'l LogReader,
    cursor: Cursor<'l>,
    keys: Arc<SigningKeys>,
    tree: TreeFile,
    checkpoints: CheckpointFile,
    last: Option<SignedCheckpoint>,
}

/// Why nothing is signed.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// A file of the log cannot be read or written.
    #[error(transparent)]
    Log(#[from] AuditError),
    /// The disk failed to keep records. Those may be lost though the file still shows them, so nothing that covers them
    /// can be signed by this process.
    #[error("the disk did not confirm what was written; checkpoints go on after a restart")]
    Unsynced(#[source] AuditError),
    /// It cannot be signed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Records that were signed for are gone.
    #[error(
        "the last checkpoint covers {signed} records, and the log ends with record {last}: its end was cut or an older \
         copy was put in its place"
    )]
    Shorter {
        /// Records under the last checkpoint.
        signed: u64,
        /// The last record of the log.
        last: u64,
    },
    /// The tree does not fit, and the records that it was made of are deleted.
    #[error(
        "`TREE` does not fit the last checkpoint, and the records before {first}, of which it could be made anew, are \
         deleted: put a copy of `TREE` back"
    )]
    TreeLost {
        /// The first record that there is.
        first: u64,
    },
    /// The records are not those that were signed for.
    #[error(
        "the {signed} records under the last checkpoint are not those that it was signed for: `procura audit verify` \
         tells more"
    )]
    Other {
        /// Records under the last checkpoint.
        signed: u64,
    },
}

impl<'l> Notary<'l> {
    /// Takes up its work where the last checkpoint is, in line with the log: what an interrupted write left is cut, and a
    /// tree that does not fit the checkpoint is made anew.
    ///
    /// # Errors
    /// If a file cannot be read or written, or the log is not the one that was signed.
    pub fn open(reader: &'l LogReader, keys: Arc<SigningKeys>) -> Result<Self, NotaryError> {
        let files = reader.files();
        let trust = Trust::in_any(keys.verifiers());
        let last = checkpoints::last(files, checkpoints::NAME, &trust)?;
        let (last, end) = last.map_or((None, 0), |(last, end)| (Some(last), end));
        let (size, root) =
            last.as_ref().map_or((0, Hash::empty()), |last| (last.checkpoint.size, last.checkpoint.root));
        let reach = reader.reach();
        if size > reach.last {
            return Err(NotaryError::Shorter { signed: size, last: reach.last });
        }
        let tree = match TreeFile::open(files, size, &root)? {
            Some(tree) => tree,
            None => rebuild(reader, size, &root)?,
        };
        if size >= reader.first_seq().max(1)
            && hash_of(reader, size)? != Some(StoredNodes::new(files).hash(Node::leaf(size - 1))?)
        {
            return Err(NotaryError::Other { signed: size });
        }
        let checkpoints = CheckpointFile::open(files, checkpoints::NAME, end)?;
        files.sync_dir().map_err(AuditError::io("sync the directory of", checkpoints::NAME))?;
        Ok(Self { cursor: reader.cursor(size + 1), reader, keys, tree, checkpoints, last })
    }

    /// How many records are in the tree.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.tree().size()
    }

    /// The last checkpoint that was signed.
    #[must_use]
    pub fn last(&self) -> Option<&SignedCheckpoint> {
        self.last.as_ref()
    }

    /// Signs for the records that are new, if there are any, or for the first part of them if they are very many. After an
    /// error it must be opened again.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn sign(&mut self) -> Result<Option<SignedCheckpoint>, NotaryError> {
        let mut reads = 0;
        while self.size() < self.reader.reach().last && reads < READS {
            let tree = &mut self.tree;
            let read = self.cursor.read(|entry| tree.push(Hash::leaf(entry.hash.as_bytes())))?;
            self.tree.write()?;
            reads += 1;
            if read == 0 {
                break;
            }
        }
        if reads == 0 {
            return Ok(None);
        }
        let size = self.size();
        self.reader.sync_through(size).map_err(NotaryError::Unsynced)?;
        self.tree.sync()?;
        let note = self.keys.sign(size, self.tree.tree().root())?;
        self.checkpoints.append(&note)?;
        self.last = SignedCheckpoint::parse(note.to_string().as_bytes()).ok();
        Ok(self.last.clone())
    }
}

/// The leaf of record `seq` as the log has it.
fn hash_of(reader: &LogReader, seq: u64) -> Result<Option<Hash>, AuditError> {
    let mut found = None;
    reader.cursor(seq).read(|entry| {
        if entry.seq == seq {
            found = Some(Hash::leaf(entry.hash.as_bytes()));
        }
    })?;
    Ok(found)
}

/// Makes the file of the tree anew from the log; its root must be that of the last checkpoint.
fn rebuild(reader: &LogReader, size: u64, root: &Hash) -> Result<TreeFile, NotaryError> {
    if reader.first_seq() > 1 {
        return Err(NotaryError::TreeLost { first: reader.first_seq() });
    }
    let mut tree = TreeFile::begin(reader.files())?;
    let mut cursor = reader.cursor(1);
    while tree.tree().size() < size {
        let read = cursor.read(|entry| {
            if entry.seq <= size {
                tree.push(Hash::leaf(entry.hash.as_bytes()));
            }
        })?;
        tree.write()?;
        if read == 0 {
            break;
        }
    }
    tree.sync()?;
    if tree.tree().root() == *root { Ok(tree) } else { Err(NotaryError::Other { signed: size }) }
}
