//! What proves the log to somebody else: a tree over its records, signed checkpoints of it, and witnesses that keep them
//! elsewhere. `docs/reference/proof.md` describes the formats.
//!
//! | file | what |
//! |---|---|
//! | `keys` | the keys that sign, and those that check |
//! | `signed` | a signed checkpoint, and whether it is believed |
//! | `tree_file` | the file `TREE` |
//! | `checkpoints` | the file `CHECKPOINTS` |
//! | `notary` | follows the log, and signs what is on disk |
//! | `office` | the thread in which the notary works |
//! | `courier` | brings checkpoints to a witness |
//! | `witness`, `witness_server` | who keeps checkpoints elsewhere: a file, or a server |
//! | `bundle` | one record with its proof |
//! | `inspect`, `range` | whether a log, or a part of it, is what its checkpoints say |

mod bundle;
mod checkpoints;
mod courier;
mod inspect;
mod keys;
mod notary;
mod office;
mod range;
mod signed;
mod tree_file;
mod witness;
mod witness_server;

pub use bundle::{BUNDLE_BYTES, Bundle, BundleError, Proof, ProvenRecord, prove};
pub use inspect::{Finding, Inspection, Source, inspect};
pub use keys::{KeyError, SignatureAlgorithm, SigningKeys, VerifierKey};
pub use notary::{Notary, NotaryError};
pub use office::Office;
pub use range::{RangeReport, inspect_range};
pub use signed::{DistrustReason, Found, SignedCheckpoint, SignedCheckpoints, Trust};
pub use witness::{FileWitness, Lineage, Witness, WitnessError};
pub use witness_server::ServerWitness;
