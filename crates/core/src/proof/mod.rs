//! What proves to somebody else that a log is complete and unchanged: a Merkle tree over its records, the paths through
//! it, and checkpoints of it that can be signed.
//!
//! | file | what |
//! |---|---|
//! | `hash` | the two hashes of the tree: of a leaf, of a node |
//! | `tree` | a tree that grows by one leaf at a time, in memory of its logarithm |
//! | `nodes` | where the hashes of a tree are in a file that is only appended to |
//! | `path` | that a record is in a tree, and that a tree is the beginning of another: paths made and verified |
//! | `checkpoint` | size and root of a tree as text |
//! | `note` | a text with signatures |
//!
//! Trees and paths are those of RFC 9162, 2.1; checkpoints and notes those of <https://c2sp.org/tlog-checkpoint> and
//! <https://c2sp.org/signed-note>. Signing and verifying is the caller's: nothing here knows a key.

mod checkpoint;
mod hash;
mod nodes;
mod note;
mod path;
mod tree;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use hash::Hash;
pub use nodes::{Node, place_of, places};
pub use note::{KeyId, Note, NoteError, SignatureLine, key_id};
pub use path::{Nodes, PathError, consistency, inclusion, verify_consistency, verify_inclusion};
pub use tree::Tree;
