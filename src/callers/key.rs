//! A key as its holder has it: `procura_<id>_<secret>`. The id finds its entry, the secret has 256 random bits, so that
//! nothing slower than SHA-256 is needed to keep it from whoever reads the file.

use std::hint::black_box;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use procura_core::value::hex;
use sha2::{Digest, Sha256};

/// How every key begins.
const PREFIX: &str = "procura_";

/// Bytes of an id: few enough to be read aloud, enough not to meet by chance.
const ID_BYTES: usize = 6;

/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

/// A key that was just made.
pub struct NewKey {
    /// Its id.
    pub id: String,
    /// The key itself: for its holder, and to be kept nowhere else.
    pub text: String,
    /// What the file keeps of it.
    pub hash: String,
}

impl NewKey {
    /// A key that nobody has yet; nothing if the system has no randomness.
    #[must_use]
    pub fn generate() -> Option<Self> {
        let (id, secret) = (random::<ID_BYTES>().ok()?, random::<SECRET_BYTES>().ok()?);
        let text = format!("{PREFIX}{id}_{secret}");
        let hash = format!("sha256:{}", hex(&Hash::of(&text).0));
        Some(Self { id, text, hash })
    }
}

/// The SHA-256 of a whole key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    /// The hash of the key `text`.
    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// The hash that is written as `sha256:` and 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64)?;
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let pair = str::from_utf8(pair).ok().filter(|pair| !pair.starts_with('+'))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(hash))
    }

    /// Whether both are the same; that takes equally long wherever they differ.
    pub(super) fn is(self, other: Self) -> bool {
        let difference = self.0.iter().zip(other.0).fold(0, |seen, (a, b)| black_box(seen | (a ^ b)));
        difference == 0
    }
}

/// The id in the key `text`; nothing if it is no key.
pub(super) fn id_of(text: &str) -> Option<&str> {
    const MAX_BYTES: usize = 256;
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    (text.len() <= MAX_BYTES && !id.is_empty() && !secret.is_empty()).then_some(id)
}

fn random<const N: usize>() -> Result<String, Unspecified> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes)?;
    Ok(hex(&bytes))
}
