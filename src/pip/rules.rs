//! What a key set demands of tokens beyond a good signature: who issued them, for whom, and of which kind they are.

use std::borrow::Cow;

use procura_core::model::spiffe::domain_of_workload;
use procura_core::value::{Map, Value};

use super::algorithm::Algorithm;
use super::token::Token;

/// What tokens must say to be believed. The default demands nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRules {
    /// What kind of token they are.
    pub profile: Profile,
    /// The `iss` that they must have.
    pub issuer: Option<String>,
    /// One of these must be in `aud`; any will do if there are none.
    pub audiences: Vec<String>,
    /// One of these must be the `typ` of the header, in whichever case and with or without `application/` (RFC 7515,
    /// section 4.1.9). If there are none, the profile says which.
    pub types: Vec<String>,
    /// The algorithms that may be used. If there are none, the profile says which, and else each key.
    pub algorithms: Vec<Algorithm>,
    /// The trust domain that `sub` must be a SPIFFE ID of.
    pub trust_domain: Option<String>,
    /// Whether `exp` must be there, whatever the profile says.
    pub must_expire: bool,
}

/// A kind of token, which has rules of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Any JSON Web Token (RFC 7519).
    #[default]
    Jwt,
    /// An OAuth access token (RFC 9068).
    AccessToken,
    /// A SPIFFE JWT-SVID.
    JwtSvid,
    /// A transaction token (draft-ietf-oauth-transaction-tokens).
    TxnToken,
}

impl Profile {
    /// What `typ` may be; empty if it may be anything.
    const fn types(self) -> &'static [&'static str] {
        match self {
            Self::Jwt => &[],
            Self::AccessToken => &["at+jwt"],
            Self::JwtSvid => &["JWT", "JOSE"],
            Self::TxnToken => &["txntoken+jwt"],
        }
    }

    /// The claims that must be there.
    const fn claims(self) -> &'static [&'static str] {
        match self {
            Self::Jwt => &[],
            Self::AccessToken => &["iss", "aud", "exp", "sub", "client_id"],
            Self::JwtSvid => &["sub", "aud", "exp"],
            Self::TxnToken => &["iat", "aud", "exp", "txn", "sub", "scope", "req_wl"],
        }
    }

    /// Those of them that must be texts, besides the ones that must be so in any token.
    const fn texts(self) -> &'static [&'static str] {
        match self {
            Self::Jwt | Self::JwtSvid => &[],
            Self::AccessToken => &["client_id"],
            Self::TxnToken => &["txn", "scope", "req_wl"],
        }
    }
}

impl TokenRules {
    /// The algorithms that keys may be used with; empty if each key says which.
    pub(super) fn algorithms(&self) -> &[Algorithm] {
        match self.profile {
            Profile::JwtSvid if self.algorithms.is_empty() => Algorithm::SVID,
            _ => &self.algorithms,
        }
    }

    /// Whether a token with this `typ` and this `iss`, neither of which anybody has vouched for, is one that these rules
    /// are about.
    pub(super) fn are_about(&self, kind: Option<&str>, issuer: Option<&str>) -> bool {
        let names_types = !self.types.is_empty() || self.profile == Profile::TxnToken;
        match &self.issuer {
            Some(wanted) => issuer == Some(wanted.as_str()) && self.admits(kind),
            None => names_types && self.admits(kind),
        }
    }

    /// Why a token is not taken that a key has vouched for; nothing of it is repeated.
    pub(super) fn check(&self, token: &Token<'_>, claims: &Map<'_>) -> Result<(), Cow<'static, str>> {
        if !self.admits(token.kind.as_deref()) {
            return Err("the token is of another type (`typ`) than its key set vouches for".into());
        }
        let expiry: &[&str] = if self.must_expire { &["exp"] } else { &[] };
        if let Some(name) = self.profile.claims().iter().chain(expiry).find(|name| claims.get(name).is_none())
        {
            return Err(format!("the token lacks the claim `{name}`").into());
        }
        let is_text = |name: &str| matches!(claims.get(name), Some(Value::String(_)));
        if let Some(name) = self.profile.texts().iter().find(|name| !is_text(name)) {
            return Err(format!("the claim `{name}` is not a text").into());
        }
        if self.issuer.as_deref().is_some_and(|wanted| text(claims, "iss") != Some(wanted)) {
            return Err("the token was issued by somebody else (`iss`) than its key set vouches for".into());
        }
        if !self.audiences.is_empty() && !self.is_for_us(claims) {
            return Err("the token is meant for somebody else (`aud`)".into());
        }
        let foreign =
            |domain: &String| text(claims, "sub").and_then(domain_of_workload) != Some(domain.as_str());
        if self.trust_domain.as_ref().is_some_and(foreign) {
            return Err("the claim `sub` is no SPIFFE ID of the trust domain of its key set".into());
        }
        Ok(())
    }

    /// Whether a token may have this `typ`.
    fn admits(&self, kind: Option<&str>) -> bool {
        let fits = |allowed: &str| kind.is_some_and(|kind| bare(kind).eq_ignore_ascii_case(bare(allowed)));
        match (self.types.as_slice(), self.profile) {
            ([], Profile::Jwt) => true,
            ([], Profile::JwtSvid) if kind.is_none() => true,
            ([], profile) => profile.types().iter().any(|allowed| fits(allowed)),
            (types, _) => types.iter().any(|allowed| fits(allowed)),
        }
    }

    fn is_for_us(&self, claims: &Map<'_>) -> bool {
        let Some(Value::List(named)) = claims.get("aud") else { return false };
        let wanted = |name: &str| self.audiences.iter().any(|audience| audience == name);
        named.iter().any(|name| matches!(name, Value::String(name) if wanted(name)))
    }
}

fn text<'c>(claims: &'c Map<'_>, name: &str) -> Option<&'c str> {
    match claims.get(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// A media type without `application/`.
fn bare(kind: &str) -> &str {
    const PREFIX: &str = "application/";
    match kind.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => rest,
        _ => kind,
    }
}
