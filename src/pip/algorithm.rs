//! The signature algorithms of tokens, by their names in RFC 7518, RFC 8037 and RFC 9864.

/// An algorithm that can be verified. `none` is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSA as in PKCS #1, version 1.5, with SHA-256.
    Rs256,
    /// RSA as in PKCS #1, version 1.5, with SHA-384.
    Rs384,
    /// RSA as in PKCS #1, version 1.5, with SHA-512.
    Rs512,
    /// RSA-PSS with SHA-256.
    Ps256,
    /// RSA-PSS with SHA-384.
    Ps384,
    /// RSA-PSS with SHA-512.
    Ps512,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// ECDSA over P-521 with SHA-512.
    Es512,
    /// EdDSA over Curve25519.
    Ed25519,
}

impl Algorithm {
    /// Those for shared secrets.
    pub(super) const SECRET: &[Self] = &[Self::Hs256, Self::Hs384, Self::Hs512];
    /// Those for RSA keys.
    pub(super) const RSA: &[Self] =
        &[Self::Rs256, Self::Rs384, Self::Rs512, Self::Ps256, Self::Ps384, Self::Ps512];
    /// Those for public keys of any type.
    pub(super) const PUBLIC: &[Self] = &[
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Ed25519,
    ];

    /// Those of a JWT-SVID (SPIFFE JWT-SVID, section 2.1).
    pub(super) const SVID: &[Self] = &[
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
    ];

    /// The algorithm of this name, as in the header of a token.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "HS256" => Self::Hs256,
            "HS384" => Self::Hs384,
            "HS512" => Self::Hs512,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            // RFC 9864 names the curve instead of the family.
            "EdDSA" | "Ed25519" => Self::Ed25519,
            _ => return None,
        })
    }
}
