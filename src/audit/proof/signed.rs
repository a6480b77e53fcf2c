//! Signed checkpoints: read, believed or not, and found in a text that holds many.
//!
//! Wherever many are kept (`CHECKPOINTS`, a witness file), each is followed by an empty line. What is torn or foreign
//! between them is told and skipped: the next one begins behind the next empty line.

use std::io::{self, BufRead, Read};

use procura_core::proof::{Checkpoint, Note};

use super::keys::{SignatureAlgorithm, VerifierKey};

/// Longest paragraph of a file of checkpoints that is read: longer than any note.
const PARAGRAPH_BYTES: usize = 256 * 1024;

/// What every line with a signature begins with.
const SIGNATURE_MARK: &str = "\u{2014} ";

/// A checkpoint with its signatures, not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// As it was signed.
    pub note: Note,
    /// What it says.
    pub checkpoint: Checkpoint,
}

/// Why a checkpoint is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DistrustReason {
    /// The text is no signed checkpoint.
    #[error("it is no signed checkpoint")]
    Text,
    /// There is none at all.
    #[error("there is no checkpoint of this log")]
    None,
    /// It is of another log.
    #[error("it is of the log `{0}`, whose key is not known here: give it with `--key`")]
    Origin(String),
    /// None of the keys signed it.
    #[error("it has no {0} signature by a key that is known here")]
    Unsigned(&'static str),
    /// A signature by a known key is wrong.
    #[error("its signature is wrong")]
    Signature,
}

impl SignedCheckpoint {
    /// Reads one.
    ///
    /// # Errors
    /// If `bytes` are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, DistrustReason> {
        let note = Note::parse(bytes).map_err(|_| DistrustReason::Text)?;
        let checkpoint = Checkpoint::parse(&note.text).map_err(|_| DistrustReason::Text)?;
        Ok(Self { note, checkpoint })
    }
}

/// The public keys that are believed.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    keys: Vec<VerifierKey>,
    /// Whether there must be a signature of every algorithm among the keys. If not, any will do, as for a log whose
    /// owner turned one on later.
    every_algorithm: bool,
}

impl Trust {
    /// Believes what is signed with each of the algorithms of `keys`.
    #[must_use]
    pub fn in_all(keys: Vec<VerifierKey>) -> Self {
        Self { keys, every_algorithm: true }
    }

    /// Believes what is signed with any of `keys`.
    #[must_use]
    pub fn in_any(keys: Vec<VerifierKey>) -> Self {
        Self { keys, every_algorithm: false }
    }

    /// Believes `signed`, or says why not.
    ///
    /// # Errors
    /// If no known key signed it, a signature by one is wrong, or one is missing.
    pub fn check(&self, signed: &SignedCheckpoint) -> Result<(), DistrustReason> {
        let SignedCheckpoint { note, checkpoint } = signed;
        let mut found: Vec<SignatureAlgorithm> = Vec::new();
        // A witness signs beside the log; by itself it vouches for nothing that the log did not say.
        let of_log = |key: &&VerifierKey| key.algorithm != SignatureAlgorithm::Cosignature;
        for key in self.keys.iter().filter(of_log).filter(|key| key.name == checkpoint.origin) {
            for signature in note.signatures_by(&key.name, key.id()) {
                if !key.accepts(&note.text, signature) {
                    return Err(DistrustReason::Signature);
                }
                found.push(key.algorithm);
            }
        }
        if !self.keys.iter().filter(of_log).any(|key| key.name == checkpoint.origin) {
            return Err(DistrustReason::Origin(checkpoint.origin.clone()));
        }
        let missing = |key: &&VerifierKey| key.name == checkpoint.origin && !found.contains(&key.algorithm);
        let missing = self.keys.iter().filter(of_log).find(missing);
        match missing {
            Some(key) if self.every_algorithm || found.is_empty() => {
                Err(DistrustReason::Unsigned(key.algorithm.name()))
            }
            _ => Ok(()),
        }
    }
}

/// The checkpoints in a text, in order.
pub struct SignedCheckpoints<R> {
    text: R,
    /// Bytes read so far.
    read: u64,
    /// The end of the last paragraph that belongs to a checkpoint.
    end: u64,
    before: Option<Vec<u8>>,
}

/// One checkpoint in a text, or something else that stands there.
pub struct Found {
    /// The checkpoint, if it is one.
    pub signed: Result<SignedCheckpoint, DistrustReason>,
    /// Where it ends, with the empty line behind it.
    pub end: u64,
}

impl<R: BufRead> SignedCheckpoints<R> {
    /// Reads from the start of `text`.
    pub fn new(text: R) -> Self {
        Self { text, read: 0, end: 0, before: None }
    }

    /// The next paragraph with its last line break, or `None` at the end.
    fn paragraph(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut paragraph = Vec::new();
        loop {
            let start = paragraph.len();
            let room = (PARAGRAPH_BYTES - start) as u64;
            let read = self.text.by_ref().take(room).read_until(b'\n', &mut paragraph)?;
            self.read += read as u64;
            let is_empty_line = paragraph.get(start..) == Some(b"\n");
            if is_empty_line {
                paragraph.truncate(start);
            }
            if (read == 0 || is_empty_line) && start > 0 {
                return Ok(Some(paragraph));
            }
            if read == 0 {
                return Ok(None);
            }
        }
    }

    fn found(&mut self, signed: Result<SignedCheckpoint, DistrustReason>) -> Found {
        self.end = self.read;
        Found { signed, end: self.end }
    }
}

impl<R: BufRead> Iterator for SignedCheckpoints<R> {
    type Item = io::Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let paragraph = match self.paragraph() {
                Ok(Some(paragraph)) => paragraph,
                Ok(None) => {
                    let rest = self.before.take()?;
                    return (!rest.is_empty()).then(|| Ok(self.found(Err(DistrustReason::Text))));
                }
                Err(error) => return Some(Err(error)),
            };
            if paragraph.starts_with(SIGNATURE_MARK.as_bytes()) {
                let text = self.before.take().unwrap_or_default();
                let signed = SignedCheckpoint::parse(&[&text[..], b"\n", &paragraph].concat());
                return Some(Ok(self.found(signed)));
            }
            if self.before.replace(paragraph).is_some() {
                return Some(Ok(self.found(Err(DistrustReason::Text))));
            }
        }
    }
}
