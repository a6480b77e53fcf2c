//! Checkpoints, notes and proofs.

use procura::audit::proof::{Bundle, SignedCheckpoint, SignedCheckpoints, Trust, VerifierKey};
use procura_core::proof::{Checkpoint, Note};

const BUNDLE: &[u8] = include_bytes!("../known/bundle.json");
const KEY: &str = include_str!("../known/bundle.key");

/// A note, a checkpoint, a key, a file of checkpoints, or a bundle, whichever it is.
///
/// What is read is written as it was; a bundle proves only what the log signed, and nobody who can sign is here.
pub(crate) fn proof(data: &[u8]) {
    if let Ok(note) = Note::parse(data) {
        assert_eq!(Note::parse(note.to_string().as_bytes()), Ok(note));
    }
    let text = String::from_utf8_lossy(data);
    if let Ok(checkpoint) = Checkpoint::parse(&text) {
        assert_eq!(Checkpoint::parse(&checkpoint.to_string()), Ok(checkpoint));
    }
    if let Ok(key) = VerifierKey::parse(&text) {
        let again = VerifierKey::parse(&key.to_string());
        assert_eq!(again.ok().map(|key| key.to_string()), Some(key.to_string()));
    }
    let mut end = 0;
    for found in SignedCheckpoints::new(data) {
        let found = found.expect("memory can be read");
        assert!(found.end >= end && found.end <= data.len() as u64, "a checkpoint ends where none can");
        end = found.end;
    }
    let _ = SignedCheckpoint::parse(data);
    let Ok(bundle) = Bundle::parse(data) else { return };
    assert_eq!(Bundle::parse(&bundle.to_json()).ok().as_ref(), Some(&bundle));
    let trust = Trust::in_all(vec![VerifierKey::parse(KEY.trim()).expect("a known key")]);
    if bundle.verify(&trust).is_ok() {
        let known = Bundle::parse(BUNDLE).expect("a known bundle");
        let what = |bundle: &Bundle| (bundle.seq, bundle.at, bundle.previous.clone(), bundle.record.clone());
        assert_eq!(what(&bundle), what(&known), "a forged record is proven");
    }
}
