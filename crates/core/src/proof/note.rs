//! A text with signatures (<https://c2sp.org/signed-note>).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Most bytes of a note, and most signatures on one: what is longer is refused unread.
const NOTE_BYTES: usize = 1024 * 1024;
const SIGNATURES: usize = 100;

/// What every line with a signature begins with.
const MARK: &str = "\u{2014} ";

/// The first bytes of the hash of a key: they tell which key made a signature.
pub type KeyId = [u8; 4];

/// A text and its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is signed: not empty, with a line break at its end, without other control characters.
    pub text: String,
    /// The signatures, at least one.
    pub signatures: Vec<SignatureLine>,
}

/// One signature on a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    /// The name of the key: no space, no `+`, not empty.
    pub name: String,
    /// Which key of that name.
    pub key: KeyId,
    /// What it made of the text.
    pub signature: Vec<u8>,
}

/// Why bytes are no note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is too long or has too many signatures.
    #[error("a note has at most {NOTE_BYTES} bytes and {SIGNATURES} signatures")]
    TooLong,
    /// There is no text, no empty line behind it, or it holds control characters.
    #[error("a note is a text without control characters, an empty line, and lines with signatures")]
    Text,
    /// A line with a signature cannot be read.
    #[error("a line with a signature is `\u{2014} NAME BASE64`")]
    Signature,
}

/// The id of a key: of its name, and of the byte or bytes of its algorithm followed by its public key.
#[must_use]
pub fn key_id(name: &str, typed_key: &[u8]) -> KeyId {
    let hash = Sha256::new().chain_update(name).chain_update(b"\n").chain_update(typed_key).finalize();
    let [a, b, c, d, ..]: [u8; 32] = hash.into();
    [a, b, c, d]
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// If `bytes` are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        let all = std::str::from_utf8(bytes).map_err(|_| NoteError::Text)?;
        if all.chars().any(|c| c.is_ascii_control() && c != '\n') {
            return Err(NoteError::Text);
        }
        let (text, signatures) = all.rsplit_once("\n\n").ok_or(NoteError::Text)?;
        let signatures = signatures.strip_suffix('\n').ok_or(NoteError::Signature)?;
        if text.is_empty() {
            return Err(NoteError::Text);
        }
        if signatures.split('\n').count() > SIGNATURES {
            return Err(NoteError::TooLong);
        }
        let signatures = signatures.split('\n').map(SignatureLine::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The signatures of the key with this name and id.
    pub fn signatures_by<'n>(&'n self, name: &'n str, key: KeyId) -> impl Iterator<Item = &'n [u8]> {
        let lines = self.signatures.iter().filter(move |line| line.name == name && line.key == key);
        lines.map(|line| &line.signature[..])
    }
}

impl fmt::Display for Note {
    /// As it is kept and sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for SignatureLine { name, key, signature } in &self.signatures {
            let bytes: Vec<u8> = key.iter().chain(signature).copied().collect();
            writeln!(f, "{MARK}{name} {}", STANDARD.encode(bytes))?;
        }
        Ok(())
    }
}

impl SignatureLine {
    fn parse(line: &str) -> Result<Self, NoteError> {
        let parts = line.strip_prefix(MARK).and_then(|line| line.split_once(' '));
        let (name, signature) = parts.ok_or(NoteError::Signature)?;
        let bytes = STANDARD.decode(signature).map_err(|_| NoteError::Signature)?;
        let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+');
        match (is_name, bytes.split_first_chunk()) {
            (true, Some((key, signature))) if !signature.is_empty() => {
                Ok(Self { name: name.to_owned(), key: *key, signature: signature.to_vec() })
            }
            _ => Err(NoteError::Signature),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn note() -> Note {
        let line = |name: &str, key| SignatureLine { name: name.to_owned(), key, signature: vec![7; 64] };
        Note {
            text: "This is an example message.\n".to_owned(),
            signatures: vec![line("example.com/foo", [1, 2, 3, 4]), line("other", [5, 6, 7, 8])],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(Note::parse(note().to_string().as_bytes()), Ok(note()));
        let note = note();
        assert_eq!(note.signatures_by("other", [5, 6, 7, 8]).count(), 1);
        assert_eq!(note.signatures_by("other", [1, 2, 3, 4]).count(), 0);
    }

    #[test]
    fn id_of_a_key_is_that_of_known_keys() {
        for known in [
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
        ] {
            let parts: Vec<_> = known.splitn(3, '+').collect();
            let id = key_id(parts[0], &STANDARD.decode(parts[2]).unwrap());
            assert_eq!(id.map(|byte| format!("{byte:02x}")).concat(), parts[1]);
        }
    }

    #[test]
    fn bytes_that_are_no_note_are_refused() {
        use NoteError::{Signature, Text, TooLong};
        let text = note().to_string();
        let many = format!("x\n\n{}", "\u{2014} a AAAAAAA=\n".repeat(101));
        for (bytes, error) in [
            (String::new(), Text),
            ("no signature\n".to_owned(), Text),
            (format!("\n\n{}", text.split_once("\n\n").unwrap().1), Text),
            (text.replace("example m", "example\tm"), Text),
            (text.replace('\u{2014}', "-"), Signature),
            (text.replace("other ", "other+ "), Signature),
            (text.replace("other ", " "), Signature),
            (text.trim_end().to_owned(), Signature),
            ("x\n\n\u{2014} a AAAA\n".to_owned(), Signature),
            ("x\n\n\u{2014} a !\n".to_owned(), Signature),
            (many, TooLong),
            ("x".repeat(NOTE_BYTES + 1), TooLong),
        ] {
            assert_eq!(Note::parse(bytes.as_bytes()), Err(error), "{bytes:.60}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Note::parse(&bytes);
        }
    }
}
