//! The keys that sign checkpoints, and those that check them. The only module of the log that knows the cryptography
//! library.
//!
//! Private keys are PKCS#8 in PEM, one file for each algorithm, for the owner alone. Public keys are written as the
//! verifier keys of <https://c2sp.org/signed-note>: `name+id+base64(type || key)`.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use procura_core::proof::{Checkpoint, Hash, KeyId, Note, SignatureLine, key_id};
use procura_core::value::hex;

use crate::durable::{self, create_dir};

/// Bytes of a signature of ML-DSA-65.
const ML_DSA_65_SIGNATURE: usize = 3309;

/// Largest key file that is read.
const KEY_FILE_BYTES: u64 = 64 * 1024;

/// The files of the keys in their directory.
const ED25519_FILE: &str = "ed25519.pem";
const ML_DSA_FILE: &str = "ml-dsa-65.pem";

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// Ed25519, RFC 8032.
    Ed25519,
    /// ML-DSA-65, FIPS 204, which a quantum computer does not break.
    MlDsa65,
    /// Ed25519 over a time and a checkpoint: how a witness signs (<https://c2sp.org/tlog-cosignature>).
    Cosignature,
}

impl SignatureAlgorithm {
    /// The name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::MlDsa65 => "ML-DSA-65",
            Self::Cosignature => "witness",
        }
    }

    const ALL: [Self; 3] = [Self::Ed25519, Self::MlDsa65, Self::Cosignature];

    /// What stands before the public key in a verifier key. Notes have no number for ML-DSA yet, so its type is the one
    /// that is kept for others, with a name behind it.
    const fn type_bytes(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => &[0x01],
            Self::Cosignature => &[0x04],
            Self::MlDsa65 => b"\xffprocura/ml-dsa-65",
        }
    }

    const fn key_bytes(self) -> usize {
        match self {
            Self::Ed25519 | Self::Cosignature => 32,
            Self::MlDsa65 => 1952,
        }
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot {action} the key `{path}`")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file holds no such key.
    #[error(
        "`{0}` holds no private key as it should: put the right file back, or remove it to have a new key made"
    )]
    NotAKey(String),
    /// The name is none that a note can carry.
    #[error(
        "`{0}` cannot be the name of a log: it must not be empty nor hold spaces, control characters or `+`"
    )]
    Name(String),
    /// The library refuses.
    #[error("the cryptography library cannot {0}")]
    Library(&'static str),
    /// The text is no verifier key.
    #[error("`{0}` is no verifier key, `NAME+ID+BASE64` as `procura audit key` prints it")]
    Verifier(String),
}

/// The private keys of a log.
pub struct SigningKeys {
    origin: String,
    ed25519: Ed25519KeyPair,
    ml_dsa: Option<PqdsaKeyPair>,
}

impl SigningKeys {
    /// The keys in `dir`; those that are not there are made. `origin` is the name of the log, by default one that
    /// follows from the Ed25519 key.
    ///
    /// # Errors
    /// If a file cannot be read or written or holds something else, or the name is not valid.
    pub fn open(dir: &Path, origin: Option<&str>, post_quantum: bool) -> Result<Self, KeyError> {
        create_dir(dir).map_err(KeyError::io("create the directory of", dir))?;
        let ed25519 = ed25519(&dir.join(ED25519_FILE))?;
        let ml_dsa = if post_quantum { Some(ml_dsa(&dir.join(ML_DSA_FILE))?) } else { None };
        let origin = origin.map_or_else(|| default_origin(&ed25519), str::to_owned);
        if !is_name(&origin) {
            return Err(KeyError::Name(origin));
        }
        Ok(Self { origin, ed25519, ml_dsa })
    }

    /// The keys that are in `dir`; `None` if there are none.
    ///
    /// # Errors
    /// As for [`SigningKeys::open`].
    pub fn find(dir: &Path, origin: Option<&str>) -> Result<Option<Self>, KeyError> {
        if !dir.join(ED25519_FILE).exists() {
            return Ok(None);
        }
        Self::open(dir, origin, dir.join(ML_DSA_FILE).exists()).map(Some)
    }

    /// The name of the log in its checkpoints.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The public keys.
    #[must_use]
    pub fn verifiers(&self) -> Vec<VerifierKey> {
        let of =
            |algorithm, key: &[u8]| VerifierKey { name: self.origin.clone(), algorithm, key: key.to_vec() };
        let ed25519 = of(SignatureAlgorithm::Ed25519, self.ed25519.public_key().as_ref());
        let ml_dsa = self.ml_dsa.as_ref();
        let ml_dsa = ml_dsa.map(|key| of(SignatureAlgorithm::MlDsa65, key.public_key().as_ref()));
        std::iter::once(ed25519).chain(ml_dsa).collect()
    }

    /// The signed checkpoint of the log with this many records and this root.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn sign(&self, size: u64, root: Hash) -> Result<Note, KeyError> {
        let checkpoint = Checkpoint { origin: self.origin.clone(), size, root, extensions: Vec::new() };
        let text = checkpoint.to_string();
        let mut signatures = Vec::new();
        for verifier in self.verifiers() {
            let signature = match (verifier.algorithm, &self.ml_dsa) {
                (SignatureAlgorithm::MlDsa65, Some(key)) => {
                    let mut signature = vec![0; ML_DSA_65_SIGNATURE];
                    let signed = key.sign(text.as_bytes(), &mut signature);
                    let len = signed.map_err(|_| KeyError::Library("sign"))?;
                    signature.truncate(len);
                    signature
                }
                _ => self.ed25519.sign(text.as_bytes()).as_ref().to_vec(),
            };
            signatures.push(SignatureLine { key: verifier.id(), name: verifier.name, signature });
        }
        Ok(Note { text, signatures })
    }
}

/// Private keys are not shown.
impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// A public key with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    /// Whose key it is: the origin of the checkpoints that it signs, or the name of a witness.
    pub name: String,
    /// How it signs.
    pub algorithm: SignatureAlgorithm,
    key: Vec<u8>,
}

impl VerifierKey {
    /// Reads `name+id+base64(type || key)`.
    ///
    /// # Errors
    /// If `text` is none, or the id is not that of the name and the key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let wrong = || KeyError::Verifier(text.chars().take(80).collect());
        let (name, rest) = text.split_once('+').ok_or_else(wrong)?;
        let (id, key) = rest.split_once('+').ok_or_else(wrong)?;
        let typed = STANDARD.decode(key).map_err(|_| wrong())?;
        let found = SignatureAlgorithm::ALL.into_iter().find_map(|algorithm| {
            let key = typed.strip_prefix(algorithm.type_bytes())?;
            (key.len() == algorithm.key_bytes()).then(|| (algorithm, key.to_vec()))
        });
        let (algorithm, key) = found.ok_or_else(wrong)?;
        let key = Self { name: name.to_owned(), algorithm, key };
        if is_name(name) && id == hex(&key.id()) { Ok(key) } else { Err(wrong()) }
    }

    /// The id that its signatures carry.
    #[must_use]
    pub fn id(&self) -> KeyId {
        key_id(&self.name, &self.typed())
    }

    /// Whether `signature` is one of `text` by this key.
    #[must_use]
    pub fn accepts(&self, text: &str, signature: &[u8]) -> bool {
        match self.algorithm {
            SignatureAlgorithm::Ed25519 => {
                UnparsedPublicKey::new(&ED25519, &self.key).verify(text.as_bytes(), signature).is_ok()
            }
            SignatureAlgorithm::MlDsa65 => {
                UnparsedPublicKey::new(&ML_DSA_65, &self.key).verify(text.as_bytes(), signature).is_ok()
            }
            SignatureAlgorithm::Cosignature => {
                let Some((time, signature)) = signature.split_first_chunk::<8>() else { return false };
                let message = format!("cosignature/v1\ntime {}\n{text}", u64::from_be_bytes(*time));
                UnparsedPublicKey::new(&ED25519, &self.key).verify(message.as_bytes(), signature).is_ok()
            }
        }
    }

    fn typed(&self) -> Vec<u8> {
        [self.algorithm.type_bytes(), &self.key].concat()
    }
}

impl fmt::Display for VerifierKey {
    /// As it is given to whoever verifies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, hex(&self.id()), STANDARD.encode(self.typed()))
    }
}

impl KeyError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = shown(path);
        move |source| Self::Io { action, path, source }
    }
}

/// Whether a note can carry it as the name of a key.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// As stable as the key, and the same for nobody else.
fn default_origin(key: &Ed25519KeyPair) -> String {
    let digest = Hash::leaf(key.public_key().as_ref());
    let start = digest.as_bytes().first_chunk::<8>().map(|start| hex(start)).unwrap_or_default();
    format!("procura/{start}")
}

fn ed25519(path: &Path) -> Result<Ed25519KeyPair, KeyError> {
    let fresh = || Ok(Ed25519KeyPair::generate()?.to_pkcs8v1()?.as_ref().to_vec());
    let pkcs8 = read_or_create(path, fresh)?;
    Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| KeyError::NotAKey(shown(path)))
}

fn ml_dsa(path: &Path) -> Result<PqdsaKeyPair, KeyError> {
    let fresh = || Ok(PqdsaKeyPair::generate(&ML_DSA_65_SIGNING)?.to_pkcs8v1()?.as_ref().to_vec());
    let pkcs8 = read_or_create(path, fresh)?;
    PqdsaKeyPair::from_pkcs8(&ML_DSA_65_SIGNING, &pkcs8).map_err(|_| KeyError::NotAKey(shown(path)))
}

/// The key in the file at `path`, PKCS#8; if there is no file, a `fresh` one is written there, durably and whole.
fn read_or_create(
    path: &Path,
    fresh: impl FnOnce() -> Result<Vec<u8>, Unspecified>,
) -> Result<Vec<u8>, KeyError> {
    match fs::metadata(path) {
        Ok(found) if found.len() > KEY_FILE_BYTES => return Err(KeyError::NotAKey(shown(path))),
        Ok(_) => {
            let text = fs::read_to_string(path).map_err(KeyError::io("read", path))?;
            return from_pem(&text).ok_or_else(|| KeyError::NotAKey(shown(path)));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(KeyError::io("read", path)(error)),
    }
    let pkcs8 = fresh().map_err(|_| KeyError::Library("make a key"))?;
    durable::replace(path, to_pem(&pkcs8).as_bytes()).map_err(KeyError::io("write", path))?;
    Ok(pkcs8)
}

fn to_pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = format!("{PEM_BEGIN}\n");
    let mut rest = base64.as_str();
    while let Some((line, behind)) = rest.split_at_checked(64) {
        text.push_str(line);
        text.push('\n');
        rest = behind;
    }
    text.push_str(&format!("{rest}\n{PEM_END}\n"));
    text
}

fn from_pem(text: &str) -> Option<Vec<u8>> {
    let (_, text) = text.split_once(PEM_BEGIN)?;
    let (base64, _) = text.split_once(PEM_END)?;
    let base64: String = base64.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(base64).ok()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
