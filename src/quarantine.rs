//! The quarantines on disk: one small file in the data directory, JSON and in a last line its hash.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use procura_core::value::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::durable::{create_dir, replace};
use crate::ports::{QuarantineStore, QuarantineStoreError, Quarantined};

/// Most bytes of the file: many times what the most quarantines take.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The file of a server.
#[derive(Clone, Debug)]
pub struct QuarantineFile {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    v: u32,
    quarantines: Vec<Quarantined>,
}

impl QuarantineFile {
    /// That of the server with this data directory.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        Self { path: data_dir.join("quarantine.json") }
    }

    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn write(&self, text: &[u8]) -> io::Result<()> {
        self.path.parent().map_or(Ok(()), create_dir)?;
        replace(&self.path, text)
    }

    fn failed(&self, verb: &'static str, source: io::Error) -> QuarantineStoreError {
        QuarantineStoreError::Io { verb, path: self.path.display().to_string(), source }
    }
}

impl QuarantineStore for QuarantineFile {
    fn load(&self) -> Result<Vec<Quarantined>, QuarantineStoreError> {
        let Some(bytes) = self.read().map_err(|error| self.failed("read", error))? else {
            return Ok(Vec::new());
        };
        decode(&bytes).ok_or_else(|| QuarantineStoreError::Damaged { path: self.path.display().to_string() })
    }

    fn save(&self, all: &[Quarantined]) -> Result<(), QuarantineStoreError> {
        let text = encode(all).map_err(|error| self.failed("keep", error.into()))?;
        self.write(&text).map_err(|error| self.failed("keep", error))
    }
}

fn encode(all: &[Quarantined]) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(&Content { v: 1, quarantines: all.to_vec() })?;
    text.push(b'\n');
    text.extend_from_slice(seal(&text).as_bytes());
    Ok(text)
}

fn decode(bytes: &[u8]) -> Option<Vec<Quarantined>> {
    let end = bytes.strip_suffix(b"\n")?.iter().rposition(|byte| *byte == b'\n')?;
    let (text, sealed) = bytes.split_at_checked(end + 1)?;
    if sealed != seal(text).as_bytes() {
        return None;
    }
    let content: Content = serde_json::from_slice(text).ok()?;
    (content.v == 1).then_some(content.quarantines)
}

/// The last line of a file that begins with `text`.
fn seal(text: &[u8]) -> String {
    format!("sha256:{}\n", hex(&Sha256::digest(text)))
}

/// The reader of the file, for fuzz targets.
#[cfg(fuzzing)]
pub mod fuzzing {
    use crate::ports::Quarantined;

    /// What stands in the file `bytes`; its last line is made right first if `is_sealed`.
    ///
    /// # Panics
    /// If what is read is not read again once it is written.
    #[must_use]
    pub fn read(bytes: &[u8], is_sealed: bool) -> Option<Vec<Quarantined>> {
        let sealed = [bytes, b"\n", super::seal(&[bytes, b"\n"].concat()).as_bytes()].concat();
        let all = super::decode(if is_sealed { &sealed } else { bytes })?;
        let written = super::encode(&all).ok();
        let again = written.as_deref().and_then(super::decode);
        assert_eq!(again.as_ref(), Some(&all), "what is written is something else");
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::ports::Suspect;

    fn some() -> Vec<Quarantined> {
        let at = "2026-11-22T10:00:00.5Z".parse().unwrap();
        let issuer = Suspect { issuer: Some("https://id.example".into()), ..Suspect::default() };
        let key = Suspect { key_set: Some("staff".into()), key: Some("k1".into()), ..Suspect::default() };
        let entry = |id: &str, suspect, by: Option<&str>| Quarantined {
            id: id.into(),
            suspect,
            since: at,
            reason: "its key was in a\nlog".into(),
            begun: at,
            by: by.map(str::to_owned),
        };
        vec![entry("one", issuer, None), entry("two", key, Some("ada"))]
    }

    #[test]
    fn what_was_kept_is_found_again() {
        let dir = tempdir("kept");
        let file = QuarantineFile::of(&dir.join("data"));
        assert!(file.load().unwrap().is_empty());
        for all in [some(), some()[..1].to_vec(), Vec::new()] {
            file.save(&all).unwrap();
            assert_eq!(QuarantineFile::of(&dir.join("data")).load().unwrap(), all);
        }
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn any_change_of_the_file_is_damage() {
        let whole = encode(&some()).unwrap();
        assert_eq!(decode(&whole).unwrap(), some());
        for at in 0..whole.len() {
            assert!(decode(&whole[..at]).is_none(), "cut at {at}");
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(decode(&changed).is_none(), "changed at {at}");
        }
        assert!(decode(b"").is_none() && decode(b"\n").is_none());
    }

    fn tempdir(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("procura-quarantine-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }
}
