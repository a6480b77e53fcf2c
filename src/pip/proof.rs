//! Whether whoever used a token holds the key that the token is bound to (RFC 7800): by a DPoP proof (RFC 9449) or by the
//! client certificate that was seen (RFC 8705).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_core::model::Timestamp;
use procura_core::value::{Map, Value};
use sha2::{Digest, Sha256};

use super::algorithm::Algorithm;
use super::token::Token;
use super::{claims, jwk, pem};
use crate::ports::Proof;

/// How old a proof may be, besides the skew.
const WINDOW: Duration = Duration::from_secs(60);

/// Most proofs that are remembered at a time.
const MAX_SEEN: usize = 50_000;

/// The shortest pause between two looks for proofs that need not be remembered any more.
const PAUSE: Duration = Duration::from_secs(5);

/// Why a proof is not taken.
type Fault = Cow<'static, str>;

/// What a proof is for.
pub(super) struct Use<'a> {
    /// The token.
    pub(super) token: &'a str,
    /// What it says.
    pub(super) claims: &'a Map<'a>,
    /// The id of the request that asks, empty if it has none.
    pub(super) request_id: &'a str,
    /// When.
    pub(super) now: Timestamp,
    /// How far clocks may be off.
    pub(super) skew: Duration,
}

/// Judges proofs and remembers those that were good, so that each serves one request.
#[derive(Default)]
pub(super) struct Proofs(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// By the digest of key and `jti`: until when, and the request that it served.
    proofs: HashMap<[u8; 32], (Timestamp, Box<str>)>,
    /// When those that are over were last taken out.
    swept: Option<Timestamp>,
}

impl Proofs {
    /// Whether `proof` shows that the key of the token is held; `false` if the token is bound to no such key.
    pub(super) fn judge(&self, proof: &Proof<'_>, of: &Use<'_>) -> Result<bool, Fault> {
        let Some(Value::Map(cnf)) = of.claims.get("cnf") else { return Ok(false) };
        match proof {
            Proof::Certificate(certificate) => {
                let Some(Value::String(wanted)) = cnf.get("x5t#S256") else { return Ok(false) };
                let der = pem::certificate(certificate.as_bytes())
                    .ok_or("the proof is not one certificate in PEM")?;
                let same = digest(&der) == **wanted;
                if same { Ok(true) } else { Err("the token is bound to another certificate".into()) }
            }
            Proof::Dpop { text, method, url } => {
                let Some(wanted) = key_of(cnf) else { return Ok(false) };
                let parsed = Token::parse(text).map_err(|fault| format!("the DPoP proof: {fault}"))?;
                if signed_by(&parsed)? != wanted {
                    return Err("the DPoP proof is made with another key than the token is bound to".into());
                }
                let (jti, over) = said(&parsed, (method, url), of)?;
                self.remember(&format!("{wanted} {jti}"), over, of)?;
                Ok(true)
            }
        }
    }

    /// Fails if another request has shown the same proof. One request may be asked about in several calls.
    fn remember(&self, name: &str, over: Timestamp, of: &Use<'_>) -> Result<(), Fault> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pause_ends = seen.swept.and_then(|at| at.saturating_add(PAUSE).ok());
        if pause_ends.is_none_or(|at| at <= of.now) {
            seen.swept = Some(of.now);
            seen.proofs.retain(|_, (over, _)| of.now < *over);
        }
        let name = Sha256::digest(name).into();
        match seen.proofs.get(&name) {
            Some((_, by)) if by.is_empty() || **by != *of.request_id => {
                Err("the DPoP proof was used before".into())
            }
            None if seen.proofs.len() >= MAX_SEEN => {
                Err("too many DPoP proofs are in use: try again in a minute".into())
            }
            _ => {
                seen.proofs.insert(name, (over, of.request_id.into()));
                Ok(())
            }
        }
    }
}

/// The thumbprint of the key that `cnf` names, as `jkt` or as a key.
fn key_of(cnf: &Map<'_>) -> Option<String> {
    match (cnf.get("jkt"), cnf.get("jwk")) {
        (Some(Value::String(thumbprint)), _) => Some(thumbprint.to_string()),
        (None, Some(jwk)) => thumbprint(jwk),
        _ => None,
    }
}

/// The thumbprint of the key in the header of a proof, which made its signature.
fn signed_by(proof: &Token<'_>) -> Result<String, Fault> {
    let is_proof = proof.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("dpop+jwt"));
    if !is_proof || !Algorithm::PUBLIC.contains(&proof.algorithm) {
        return Err("the DPoP proof has another `typ` than `dpop+jwt`, or an algorithm for secrets".into());
    }
    let no_key = "the header of the DPoP proof has no public key (`jwk`) for its algorithm";
    let jwk = proof.jwk.as_ref().ok_or(no_key)?;
    let text = serde_json::to_vec(jwk).map_err(|_| no_key)?;
    let keys = jwk::keys(&text).map_err(|_| no_key)?;
    let [key] = keys.as_slice() else { return Err(no_key.into()) };
    let mut checks = key.checks.iter().filter(|(algorithm, _)| *algorithm == proof.algorithm);
    match checks.next() {
        None => Err(no_key.into()),
        Some((_, check)) if check.accepts(proof.signed, &proof.signature) => {
            thumbprint(jwk).ok_or_else(|| no_key.into())
        }
        Some(_) => Err("the signature of the DPoP proof is wrong".into()),
    }
}

/// The `jti` of a proof that fits its use, and when it is over.
fn said(proof: &Token<'_>, (method, url): (&str, &str), of: &Use<'_>) -> Result<(String, Timestamp), Fault> {
    let (claims, _) = claims::in_force(&proof.payload, of.now, of.skew)
        .map_err(|fault| format!("the DPoP proof: {fault}"))?;
    let text = |name: &'static str| match claims.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(&**text),
        _ => Err(format!("the DPoP proof lacks the text `{name}`")),
    };
    if text("htm")? != method {
        return Err("the DPoP proof is for another method (`htm`)".into());
    }
    match (target(text("htu")?), target(url)) {
        (Some(made_for), Some(used_for)) if made_for == used_for => {}
        _ => return Err("the DPoP proof is for another URL (`htu`)".into()),
    }
    if text("ath")? != digest(of.token.trim_ascii().as_bytes()) {
        return Err("the DPoP proof is for another token (`ath`)".into());
    }
    let issued: Timestamp = text("iat")?.parse().map_err(|_| "the DPoP proof lacks `iat`")?;
    let over = issued.saturating_add(WINDOW).and_then(|at| at.saturating_add(of.skew));
    let over = over.unwrap_or(Timestamp::MAX);
    if over <= of.now {
        return Err("the DPoP proof is too old (`iat`)".into());
    }
    Ok((text("jti")?.to_owned(), over))
}

/// A URL without query and fragment, as far as it can be written in several ways (RFC 3986, section 6.2.2).
fn target(url: &str) -> Option<String> {
    let url = url.split(['?', '#']).next()?;
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    let usual_port = if scheme == "https" { ":443" } else { ":80" };
    let host = authority.strip_suffix(usual_port).unwrap_or(&authority);
    (!host.is_empty() && !host.contains('@')).then(|| format!("{scheme}://{host}/{path}"))
}

/// The thumbprint of a public key (RFC 7638): the digest of the members that make it up.
fn thumbprint(jwk: &Value<'_>) -> Option<String> {
    let Value::Map(jwk) = jwk else { return None };
    let text = |name: &'static str| match jwk.get(name)? {
        Value::String(text) => Some((name, &**text)),
        _ => None,
    };
    let members: &[&str] = match text("kty")?.1 {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        _ => return None,
    };
    let members: Option<BTreeMap<_, _>> = members.iter().map(|name| text(name)).collect();
    Some(digest(&serde_json::to_vec(&members?).ok()?))
}

/// The SHA-256 of `bytes` in base64url.
fn digest(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}
