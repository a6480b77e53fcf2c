//! One record with its proof: everything that somebody needs who has nothing but the program and the public key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use procura_core::model::Timestamp;
use procura_core::proof::{Hash, PathError, inclusion, verify_inclusion};
use procura_core::record::ChainHash;
use serde::{Deserialize, Serialize};

use super::checkpoints;
use super::signed::{DistrustReason, SignedCheckpoint, Trust};
use super::tree_file::{self, StoredNodes};
use crate::audit::error::AuditError;
use crate::audit::query::LogReader;
use crate::ports::{DecisionQuery, LogError, RecordProof};

/// The value of `format`.
const FORMAT: &str = "procura-proof-v1";

/// Most bytes of a bundle: those of the largest record, written as a JSON string, and some for the rest.
pub const BUNDLE_BYTES: usize = 6 * procura_core::limits::RECORD_BYTES + 1024 * 1024;

/// A record with its place in the log, and the way from there to a signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// `procura-proof-v1`.
    pub format: String,
    /// The record's position in the chain, from 1.
    pub seq: u64,
    /// Its instant, in microseconds since 1970.
    pub at: i64,
    /// The chain hash before it, 64 hexadecimal digits.
    pub previous: String,
    /// The siblings on the way to the root, lowest first, in base64.
    pub path: Vec<String>,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The record, as its bytes are.
    pub record: String,
}

/// What a bundle proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenRecord {
    /// The chain hash after the record.
    pub hash: ChainHash,
    /// The checkpoint that it is under.
    pub signed: SignedCheckpoint,
}

/// Why a bundle proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It is too large, no JSON, or has other members than it should.
    #[error("it is no proof of a record: {0}")]
    Text(String),
    /// Its checkpoint is not believed.
    #[error("its checkpoint is not believed: {0}")]
    Checkpoint(#[from] DistrustReason),
    /// The record is not under the checkpoint.
    #[error("the record is not the one that is under the checkpoint: {0}")]
    Path(#[from] PathError),
}

impl Bundle {
    /// Reads a bundle.
    ///
    /// # Errors
    /// If `bytes` are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_BYTES {
            return Err(BundleError::Text(format!("it has more than {BUNDLE_BYTES} bytes")));
        }
        let bundle: Self =
            serde_json::from_slice(bytes).map_err(|error| BundleError::Text(error.to_string()))?;
        if bundle.format != FORMAT {
            return Err(BundleError::Text(format!("its format is not `{FORMAT}`")));
        }
        Ok(bundle)
    }

    /// Verifies that the record is in the log of which `trust` holds the keys, with exactly these bytes, at this place.
    ///
    /// # Errors
    /// If it does not prove that.
    pub fn verify(&self, trust: &Trust) -> Result<ProvenRecord, BundleError> {
        let text = |what: &str| BundleError::Text(format!("`{what}` cannot be read"));
        let previous = ChainHash::parse(&self.previous).ok_or_else(|| text("previous"))?;
        let path = self.path.iter().map(|hash| from_base64(hash)).collect::<Option<Vec<_>>>();
        let path = path.ok_or_else(|| text("path"))?;
        let signed = SignedCheckpoint::parse(self.checkpoint.as_bytes())?;
        trust.check(&signed)?;
        let index = self.seq.checked_sub(1).ok_or_else(|| text("seq"))?;
        let hash = previous.next(self.seq, self.at, self.record.as_bytes());
        let (size, root) = (signed.checkpoint.size, signed.checkpoint.root);
        verify_inclusion(Hash::leaf(hash.as_bytes()), (index, size), &path, &root)?;
        Ok(ProvenRecord { hash, signed })
    }

    /// The instant, if there is such a one.
    #[must_use]
    pub fn instant(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.at).ok()
    }

    /// As it is written to a file.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Strings and numbers only: nothing that JSON cannot hold.
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

/// What becomes of asking for the proof of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// There it is.
    Bundle(Box<Bundle>),
    /// No checkpoint covers the record yet.
    Pending {
        /// Records under the last checkpoint.
        signed: u64,
    },
    /// There is no such record.
    Missing,
}

/// The proof of record `seq`.
///
/// # Errors
/// If the log, its tree or its checkpoints cannot be read, or do not fit one another.
pub fn prove(reader: &LogReader, seq: u64) -> Result<Proof, AuditError> {
    if seq < reader.first_seq().max(1) || seq > reader.reach().last {
        return Ok(Proof::Missing);
    }
    let files = reader.files();
    let (mut checkpoint, mut newest) = (None, 0);
    for name in [checkpoints::COSIGNED, checkpoints::NAME] {
        if let Some((signed, _)) = checkpoints::last(files, name, &Trust::default())? {
            newest = newest.max(signed.checkpoint.size);
            checkpoint = checkpoint.or(Some(signed).filter(|signed| seq <= signed.checkpoint.size));
        }
    }
    let Some(signed) = checkpoint else { return Ok(Proof::Pending { signed: newest }) };
    let path = inclusion(&mut StoredNodes::new(files), seq - 1, signed.checkpoint.size)?;
    let previous = reader.hash_before(seq)?;
    let mut bundle = None;
    reader.cursor(seq).read(|entry| {
        if entry.seq == seq {
            bundle = String::from_utf8(entry.payload.to_vec()).ok().map(|record| Bundle {
                format: FORMAT.to_owned(),
                seq,
                at: entry.at,
                previous: previous.to_string(),
                path: path.iter().map(|hash| STANDARD.encode(hash.as_bytes())).collect(),
                checkpoint: signed.note.to_string(),
                record,
            });
        }
    })?;
    let Some(bundle) = bundle else { return Ok(Proof::Missing) };
    let hash = previous.next(seq, bundle.at, bundle.record.as_bytes());
    let leaf = Hash::leaf(hash.as_bytes());
    let (size, root) = (signed.checkpoint.size, signed.checkpoint.root);
    verify_inclusion(leaf, (seq - 1, size), &path, &root).map_err(|_| AuditError::Unfit {
        name: tree_file::NAME.to_owned(),
        what: "the way from the record leads to another root than that of the checkpoint",
    })?;
    Ok(Proof::Bundle(Box::new(bundle)))
}

/// The proof of the record of a call; `None` if there is none.
pub(super) fn prove_call(reader: &LogReader, call_id: &str) -> Result<Option<RecordProof>, LogError> {
    let Some(stored) = reader.get(call_id)? else { return Ok(None) };
    let proof = prove(reader, stored.seq).map_err(|error| LogError::Unreadable(error.with_causes()))?;
    Ok(match proof {
        Proof::Bundle(bundle) => Some(RecordProof::Proven(bundle.to_json())),
        Proof::Pending { .. } => Some(RecordProof::Pending { seq: stored.seq }),
        Proof::Missing => None,
    })
}

fn from_base64(text: &str) -> Option<Hash> {
    Some(Hash::from_bytes(STANDARD.decode(text).ok()?.try_into().ok()?))
}
