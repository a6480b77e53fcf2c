//! Keys that check signatures. The only module that knows the cryptography library.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, ParsedPublicKey};

use super::algorithm::Algorithm;

/// A key bound to one algorithm: whatever a token says, nothing else is computed with it.
///
/// INVARIANT(no_algorithm_confusion): a public key never becomes the secret of an HMAC, because a check is made for one
/// algorithm and from one kind of key.
pub(super) enum Check {
    /// An asymmetric key.
    Public(ParsedPublicKey),
    /// A shared secret.
    Secret(Box<hmac::Key>),
}

impl Check {
    /// A check with a public key: a point, an `RSAPublicKey` or a `SubjectPublicKeyInfo`. `None` if `bytes` are no key
    /// for `algorithm`.
    pub(super) fn public(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let parsed = match algorithm {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return None,
            Algorithm::Rs256 => ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, bytes),
            Algorithm::Rs384 => ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA384, bytes),
            Algorithm::Rs512 => ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA512, bytes),
            Algorithm::Ps256 => ParsedPublicKey::new(&signature::RSA_PSS_2048_8192_SHA256, bytes),
            Algorithm::Ps384 => ParsedPublicKey::new(&signature::RSA_PSS_2048_8192_SHA384, bytes),
            Algorithm::Ps512 => ParsedPublicKey::new(&signature::RSA_PSS_2048_8192_SHA512, bytes),
            Algorithm::Es256 => ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, bytes),
            Algorithm::Es384 => ParsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, bytes),
            Algorithm::Es512 => ParsedPublicKey::new(&signature::ECDSA_P521_SHA512_FIXED, bytes),
            Algorithm::Ed25519 => ParsedPublicKey::new(&signature::ED25519, bytes),
        };
        parsed.ok().map(Self::Public)
    }

    /// A check with a shared secret. `None` if it is shorter than the hash of `algorithm` (RFC 7518, section 3.2), or
    /// if the algorithm takes none.
    pub(super) fn secret(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        let (hash, least) = match algorithm {
            Algorithm::Hs256 => (hmac::HMAC_SHA256, 32),
            Algorithm::Hs384 => (hmac::HMAC_SHA384, 48),
            Algorithm::Hs512 => (hmac::HMAC_SHA512, 64),
            _ => return None,
        };
        (secret.len() >= least).then(|| Self::Secret(Box::new(hmac::Key::new(hash, secret))))
    }

    /// Whether `signature` is one of `message`.
    pub(super) fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
            Self::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

/// Keys are not shown.
impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public(_) => "Public",
            Self::Secret(_) => "Secret",
        })
    }
}
