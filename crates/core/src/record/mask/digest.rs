//! What stands for a masked value: a digest that only the holder of its key can make.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::record::json::Json;
use crate::value::Value;

/// Separates these digests from every other use of their keys.
const DOMAIN: &[u8] = b"procura mask v1\0";

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// A secret and its name.
#[derive(Clone, PartialEq, Eq)]
pub struct MaskKey {
    id: String,
    secret: [u8; MaskKey::LEN],
}

/// The keys for the records of an instant. What has no key is removed instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskKeys {
    /// For hashes.
    pub hash: Option<MaskKey>,
    /// For pseudonyms.
    pub pseudonym: Option<MaskKey>,
}

impl MaskKey {
    /// Bytes of a secret.
    pub const LEN: usize = 32;

    /// The key called `id`.
    #[must_use]
    pub fn new(id: impl Into<String>, secret: [u8; Self::LEN]) -> Self {
        Self { id: id.into(), secret }
    }

    /// Its name, which stands in the digests.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What stands for `value`: `hmac:<key id>:<HMAC-SHA256 in base64url>`, of the domain and the JSON text that a record
    /// would have held.
    #[must_use]
    pub fn digest(&self, value: &Value<'_>) -> String {
        let mut json = Json::with_capacity(64);
        json.value(value);
        let digest = hmac(&self.secret, &[DOMAIN, &json.into_bytes()]);
        format!("hmac:{}:{}", self.id, URL_SAFE_NO_PAD.encode(digest))
    }
}

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// HMAC-SHA256 (RFC 2104) of `parts`, one after another.
fn hmac(key: &[u8; MaskKey::LEN], parts: &[&[u8]]) -> [u8; 32] {
    let pad = |byte: u8| {
        let mut block = [byte; BLOCK];
        block.iter_mut().zip(key).for_each(|(padded, byte)| *padded ^= byte);
        block
    };
    let mut inner = Sha256::new();
    inner.update(pad(0x36));
    parts.iter().for_each(|part| inner.update(part));
    let mut outer = Sha256::new();
    outer.update(pad(0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_has_the_values_of_rfc_4231() {
        let mut key = [0; MaskKey::LEN];
        key[..20].fill(0x0b);
        let hex = |digest: [u8; 32]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(
            hex(hmac(&key, &[b"Hi ", b"There"])),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        key.fill(0);
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex(hmac(&key, &[b"what do ya want for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn digest_tells_key_and_value_apart_and_shows_neither() {
        let (one, other) = (MaskKey::new("k1", [1; 32]), MaskKey::new("k1", [2; 32]));
        let text = |text: &'static str| Value::String(text.into());
        assert_eq!(one.digest(&text("alice")), one.digest(&text("alice")));
        assert_ne!(one.digest(&text("alice")), other.digest(&text("alice")));
        assert_ne!(one.digest(&text("1")), one.digest(&Value::Number(1.0)));
        assert!(one.digest(&text("alice")).starts_with("hmac:k1:"));
        assert!(!format!("{one:?}").contains('1') || !format!("{one:?}").contains("[1"), "{one:?}");
    }
}
