//! A witness at a URL, spoken to as <https://c2sp.org/tlog-witness> says: it keeps the newest checkpoint, takes a newer one
//! only with the proof that the log only grew, and signs it in turn.

use std::io;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Uri};
use procura_core::proof::{Hash, Note, SignatureLine};
use tokio::runtime::Runtime;

use super::checkpoints;
use super::keys::VerifierKey;
use super::signed::{SignedCheckpoint, Trust};
use super::witness::{Lineage, Witness, WitnessError};
use crate::audit::error::AuditError;
use crate::outgoing::{self, Client};
use crate::ports::LogFiles;
use crate::telemetry::WitnessKind;
use crate::telemetry::events::chain;

/// How long one request may take, and most bytes of its answer.
const DEADLINE: Duration = Duration::from_secs(3);
const ANSWER_BYTES: usize = 64 * 1024;

/// How often it is asked again within one attempt, after it told over how many records its checkpoint is.
const ROUNDS: usize = 3;

/// A server that keeps checkpoints.
pub struct ServerWitness {
    url: String,
    uri: Uri,
    key: Option<VerifierKey>,
    client: Client,
    runtime: Runtime,
    /// Records under the checkpoint that it keeps, as it said last.
    holds: u64,
}

/// What it answers.
enum Answer {
    /// It keeps the checkpoint, and signed it.
    Kept(Vec<SignatureLine>),
    /// It keeps one over so many records.
    Holds(u64),
}

impl ServerWitness {
    /// The witness at `url`, the submission prefix. With its key, only what it signed counts.
    ///
    /// # Errors
    /// If the URL is not valid or there is no certificate authority to believe.
    pub fn new(url: &str, key: Option<VerifierKey>) -> io::Result<Self> {
        let uri: Uri = format!("{url}/add-checkpoint").parse().map_err(io::Error::other)?;
        let is_plain = uri.scheme_str() == Some("http");
        let client = Client::new(if is_plain { &outgoing::Trust::Nobody } else { &outgoing::Trust::System })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { url: url.to_owned(), uri, key, client, runtime, holds: 0 })
    }

    /// The checkpoint that it keeps, as the log has it: it confirms size and root, and what it keeps stays as it is. `None`
    /// if it keeps none of this log.
    ///
    /// # Errors
    /// If it does not answer, or keeps a checkpoint that the log in `files` has not.
    pub fn kept(
        &mut self,
        files: &dyn LogFiles,
        trust: &Trust,
    ) -> Result<Option<SignedCheckpoint>, WitnessError> {
        let Some((mut asked, _)) = checkpoints::last(files, checkpoints::NAME, trust)? else {
            return Err(self.refused("there is no checkpoint beside the log to ask it about".to_owned()));
        };
        for _ in 0..ROUNDS {
            // The size of the checkpoint itself: then there is nothing to be kept anew.
            let size = asked.checkpoint.size;
            match self.add(size, &[], &asked.note)? {
                Answer::Kept(_) => return Ok(Some(asked)),
                Answer::Holds(0) => return Ok(None),
                Answer::Holds(held) if held == size => {
                    return Err(self.refused(format!(
                        "of the first {size} records it keeps another root: some of them are not those that were \
                         witnessed"
                    )));
                }
                Answer::Holds(held) => asked = self.own(files, held)?,
            }
        }
        Err(self.refused("it keeps another checkpoint each time: ask again".to_owned()))
    }

    /// The log's own checkpoint over as many records as the witness says.
    fn own(&self, files: &dyn LogFiles, held: u64) -> Result<SignedCheckpoint, WitnessError> {
        for found in checkpoints::all(files, checkpoints::NAME)? {
            let found = found.map_err(AuditError::io("read", checkpoints::NAME))?;
            if let Some(signed) = found.signed.ok().filter(|signed| signed.checkpoint.size == held) {
                return Ok(signed);
            }
        }
        Err(self.refused(format!(
            "it keeps a checkpoint over {held} records, which the log has not: its end was cut, or an older copy or another \
             log was put in its place"
        )))
    }

    fn add(&self, old: u64, path: &[Hash], note: &Note) -> Result<Answer, WitnessError> {
        let path: String =
            path.iter().map(|hash| format!("{}\n", STANDARD.encode(hash.as_bytes()))).collect();
        let body = format!("old {old}\n{path}\n{note}");
        let request = Request::post(self.uri.clone()).header(CONTENT_TYPE, "text/plain; charset=utf-8");
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| self.unreachable(&error))?;
        let answer = self.runtime.block_on(self.client.send(request, DEADLINE, ANSWER_BYTES));
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        match answer.status.as_u16() {
            200 => self.cosignatures(note, &answer.body).map(Answer::Kept),
            409 => {
                let size =
                    std::str::from_utf8(&answer.body).ok().and_then(|text| text.trim_end().parse().ok());
                size.map(Answer::Holds)
                    .ok_or_else(|| self.refused("it answers 409 without a size".to_owned()))
            }
            403 => Err(self.refused("it does not know the key of this log: 403".to_owned())),
            404 => Err(self.refused("it does not know this log: 404".to_owned())),
            422 => Err(self.refused("the log is not the one it knows with more records: 422".to_owned())),
            status => Err(self.unreachable(&io::Error::other(format!("status {status}")))),
        }
    }

    /// The signatures in an answer; at least one must be by its key, if that is known.
    fn cosignatures(&self, note: &Note, lines: &[u8]) -> Result<Vec<SignatureLine>, WitnessError> {
        let read = Note::parse(&[note.text.as_bytes(), b"\n", lines].concat());
        let lines = read.map(|read| read.signatures);
        let mut lines = lines.map_err(|_| self.refused("its answer holds no signatures".to_owned()))?;
        // In the name of the log only the log signs: a wrong signature beside it would spoil the whole checkpoint.
        lines.retain(|line| note.signatures.iter().all(|own| own.name != line.name));
        let Some(key) = &self.key else { return Ok(lines) };
        let is_its = |line: &SignatureLine| {
            line.name == key.name && line.key == key.id() && key.accepts(&note.text, &line.signature)
        };
        let its: Vec<_> = lines.into_iter().filter(is_its).collect();
        if its.is_empty() {
            return Err(self.refused(format!("its answer has no signature by `{}`", key.name)));
        }
        Ok(its)
    }

    fn refused(&self, reason: String) -> WitnessError {
        WitnessError::Refused { url: self.url.clone(), reason }
    }

    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> WitnessError {
        WitnessError::Unreachable { url: self.url.clone(), reason: chain(error) }
    }
}

impl Witness for ServerWitness {
    fn kind(&self) -> WitnessKind {
        WitnessKind::Url
    }

    fn keep(
        &mut self,
        signed: &SignedCheckpoint,
        lineage: &dyn Lineage,
    ) -> Result<Vec<SignatureLine>, WitnessError> {
        let size = signed.checkpoint.size;
        for _ in 0..ROUNDS {
            let path = lineage.consistency(self.holds, size)?;
            match self.add(self.holds, &path, &signed.note)? {
                Answer::Kept(lines) => {
                    self.holds = size;
                    return Ok(lines);
                }
                Answer::Holds(held) if held > size => {
                    let reason =
                        format!("it keeps one over {held} records, more than the {size} of this log");
                    return Err(self.refused(reason));
                }
                Answer::Holds(held) if held == self.holds => {
                    return Err(self.refused(format!("it keeps another log with {held} records")));
                }
                Answer::Holds(held) => self.holds = held,
            }
        }
        Err(self.refused("it keeps another checkpoint each time".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn witness_without_a_key_cannot_sign_in_the_name_of_the_log() {
        let line = |name: &str, key: u8| SignatureLine {
            name: name.to_owned(),
            key: [key; 4],
            signature: vec![key],
        };
        let note = Note { text: "log\n1\nAAAA\n".to_owned(), signatures: vec![line("log", 1)] };
        let answer =
            Note { text: "t\n".to_owned(), signatures: vec![line("log", 1), line("log", 2), line("w", 3)] };
        let answer = answer.to_string();
        let witness = ServerWitness::new("http://127.0.0.1:1", None).unwrap();
        let lines = witness.cosignatures(&note, answer.strip_prefix("t\n\n").unwrap().as_bytes());
        assert_eq!(lines.unwrap(), [line("w", 3)]);
    }
}
