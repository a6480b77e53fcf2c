//! Makes keys and tokens, good and bad ones.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A key that signs with one algorithm; it is new each time.
pub struct SigningKey {
    /// The algorithm, by its name in tokens.
    pub alg: &'static str,
    /// The name of the key.
    pub kid: String,
    pair: Pair,
}

enum Pair {
    Secret(Vec<u8>),
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>, &'static str),
    Ed(Ed25519KeyPair),
}

impl SigningKey {
    /// A new key.
    #[must_use]
    pub fn generate(alg: &'static str, kid: &str) -> Self {
        let ec = |algorithm, curve| Pair::Ec(Box::new(EcdsaKeyPair::generate(algorithm).unwrap()), curve);
        let pair = match alg {
            "HS256" | "HS384" | "HS512" => {
                let mut secret = vec![0; 64];
                aws_lc_rs::rand::fill(&mut secret).unwrap();
                Pair::Secret(secret)
            }
            "ES256" => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            "ES384" => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            "ES512" => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            "EdDSA" => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
            _ => Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())),
        };
        Self { alg, kid: kid.to_owned(), pair }
    }

    /// The public key as a JSON Web Key with `kid` and `alg`; of a secret, the secret.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Secret(secret) => json!({"kty": "oct", "k": encode(secret)}),
            Pair::Rsa(pair) => {
                // A key of 2048 bits: two headers and a zero stand before the modulus.
                let modulus = &pair.public_key().as_ref()[9..9 + 256];
                json!({"kty": "RSA", "n": encode(modulus), "e": "AQAB"})
            }
            Pair::Ec(pair, curve) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(coordinate_bytes(curve));
                json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
            }
            Pair::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        };
        jwk["kid"] = self.kid.as_str().into();
        jwk["alg"] = self.alg.into();
        jwk
    }

    /// The public key in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der().unwrap(),
            Pair::Ec(pair, _) => pair.public_key().as_der().unwrap(),
            Pair::Ed(pair) => pair.public_key().as_der().unwrap(),
            Pair::Secret(_) => panic!("a secret has no public key"),
        };
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// A token with `claims`, signed by this key and naming it.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": self.alg, "kid": self.kid, "typ": "JWT"}), claims.to_string().as_bytes())
    }

    /// A token with any header and payload, signed by this key as its own algorithm demands, whatever the header says.
    #[must_use]
    pub fn sign(&self, header: &Value, payload: &[u8]) -> String {
        self.sign_as(self.alg, header, payload)
    }

    /// The same, signed with another algorithm that the key can be used with.
    #[must_use]
    pub fn sign_as(&self, alg: &str, header: &Value, payload: &[u8]) -> String {
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(payload));
        let signature = self.signature(alg, signed.as_bytes());
        format!("{signed}.{}", encode(&signature))
    }

    fn signature(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        match &self.pair {
            Pair::Secret(secret) => {
                let algorithm = match alg {
                    "HS256" => hmac::HMAC_SHA256,
                    "HS384" => hmac::HMAC_SHA384,
                    _ => hmac::HMAC_SHA512,
                };
                hmac::sign(&hmac::Key::new(algorithm, secret), message).as_ref().to_vec()
            }
            Pair::Rsa(pair) => {
                let encoding: &dyn signature::RsaEncoding = match alg {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    _ => &signature::RSA_PSS_SHA512,
                };
                let mut made = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &rng, message, &mut made).unwrap();
                made
            }
            Pair::Ec(pair, _) => pair.sign(&rng, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// A token signed with `secret` as HMAC, whatever kind of key `secret` really is.
#[must_use]
pub fn hmac_token(secret: &[u8], header: &Value, claims: &Value) -> String {
    let pair = Pair::Secret(secret.to_vec());
    SigningKey { alg: "HS256", kid: String::new(), pair }.sign(header, claims.to_string().as_bytes())
}

/// The HMAC with SHA-256 of `message`, in hexadecimal digits, as webhooks are signed.
#[must_use]
pub fn webhook_signature(secret: &str, message: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A JSON Web Key Set.
#[must_use]
pub fn jwks(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

/// Base64url without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn coordinate_bytes(curve: &str) -> usize {
    match curve {
        "P-256" => 32,
        "P-384" => 48,
        _ => 66,
    }
}
