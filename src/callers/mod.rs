//! API keys: the file that says who holds which, and the keys themselves.
//!
//! | file | what |
//! |---|---|
//! | `key.rs` | one key, as its holder has it; the only file here that knows the cryptography library |
//! | `entry.rs` | what the file says of a key |
//! | `edit.rs` | adds a key to the file, and revokes one |
//! | `live.rs` | the keys that are in use, kept up with the file |

mod edit;
mod entry;
mod key;
mod live;

pub use edit::{EditError, add, list, revoke};
pub use entry::{EntryError, KeyEntry};
pub use key::NewKey;
pub use live::{KeyFile, KeyFileError};

#[cfg(test)]
mod tests;
