//! The file `TREE`: the hashes of the tree over the log, appended to as it grows.
//!
//! It is believed up to the last checkpoint and no further: what is behind was perhaps never on disk, and is made again
//! from the log.

use std::io;

use procura_core::proof::{Hash, Node, Nodes, Tree, place_of, places};

use crate::audit::error::AuditError;
use crate::ports::{LogFile, LogFiles};

/// Its name in the directory of the log.
pub(super) const NAME: &str = "TREE";

/// The tree, and its file being appended to.
pub(super) struct TreeFile {
    file: Box<dyn LogFile>,
    tree: Tree,
    /// Bytes of the file.
    len: u64,
    /// Hashes that are not in the file yet.
    pending: Vec<u8>,
}

impl TreeFile {
    /// Goes on after the first `size` leaves, and cuts what is behind them. `None` if the file does not hold the tree with
    /// this root.
    pub(super) fn open(files: &dyn LogFiles, size: u64, root: &Hash) -> Result<Option<Self>, AuditError> {
        let len = bytes_of(size);
        match stored_tree(files, size)?.filter(|tree| tree.root() == *root) {
            Some(tree) => Ok(Some(Self { file: cut(files, len)?, tree, len, pending: Vec::new() })),
            None => Ok(None),
        }
    }

    /// Begins the tree anew.
    pub(super) fn begin(files: &dyn LogFiles) -> Result<Self, AuditError> {
        Ok(Self { file: cut(files, 0)?, tree: Tree::default(), len: 0, pending: Vec::new() })
    }

    /// The tree.
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Adds a leaf; it is in the file after [`TreeFile::write`].
    pub(super) fn push(&mut self, leaf: Hash) {
        let pending = &mut self.pending;
        self.tree.push(leaf, |hash| pending.extend_from_slice(hash.as_bytes()));
    }

    /// Writes what was added.
    pub(super) fn write(&mut self) -> Result<(), AuditError> {
        self.file.append(&self.pending).map_err(AuditError::io("write", NAME))?;
        self.len += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Makes what was written durable.
    pub(super) fn sync(&mut self) -> Result<(), AuditError> {
        self.file.sync().map_err(AuditError::io("sync", NAME))?;
        self.file.check(self.len).map_err(AuditError::io("keep", NAME))
    }
}

/// The hashes in the file.
pub(super) struct StoredNodes<'f>(&'f dyn LogFiles);

impl<'f> StoredNodes<'f> {
    pub(super) fn new(files: &'f dyn LogFiles) -> Self {
        Self(files)
    }
}

impl Nodes for StoredNodes<'_> {
    type Error = AuditError;

    fn hash(&mut self, node: Node) -> Result<Hash, AuditError> {
        let offset = place_of(node) * Hash::LEN as u64;
        let bytes = self.0.read_at(NAME, offset, Hash::LEN).map_err(AuditError::io("read", NAME))?;
        let bytes = <[u8; Hash::LEN]>::try_from(bytes);
        bytes
            .map(Hash::from_bytes)
            .map_err(|_| AuditError::io("read", NAME)(io::ErrorKind::UnexpectedEof.into()))
    }
}

/// The tree of the first `size` leaves as the file has it; `None` if the file ends before them.
pub(super) fn stored_tree(files: &dyn LogFiles, size: u64) -> Result<Option<Tree>, AuditError> {
    if len_of(files)? < bytes_of(size) {
        return Ok(None);
    }
    let mut nodes = StoredNodes::new(files);
    let peaks = Tree::peaks_of(size).map(|node| nodes.hash(node)).collect::<Result<_, _>>()?;
    Ok(Tree::of(size, peaks))
}

/// Bytes of the file of a tree with `size` leaves.
pub(super) fn bytes_of(size: u64) -> u64 {
    places(size) * Hash::LEN as u64
}

/// Bytes of the file; 0 if there is none.
pub(super) fn len_of(files: &dyn LogFiles) -> Result<u64, AuditError> {
    match files.len(NAME) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        len => len.map_err(AuditError::io("read", NAME)),
    }
}

fn cut(files: &dyn LogFiles, len: u64) -> Result<Box<dyn LogFile>, AuditError> {
    let mut file = files.open_append(NAME).map_err(AuditError::io("open", NAME))?;
    file.truncate(len).map_err(AuditError::io("cut", NAME))?;
    Ok(file)
}
