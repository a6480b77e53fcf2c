//! The parts of a token: a JSON Web Signature in compact form (RFC 7515, section 3.1).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_core::value::Value;

use super::algorithm::Algorithm;

/// Longest token, in bytes: what a header of an HTTP request may hold.
const MAX_BYTES: usize = 16 * 1024;

/// A token, taken apart and not yet believed.
pub(super) struct Token<'t> {
    /// The algorithm that it claims.
    pub(super) algorithm: Algorithm,
    /// The key that it claims.
    pub(super) key_id: Option<String>,
    /// Of which kind it claims to be: the `typ` of its header.
    pub(super) kind: Option<String>,
    /// The key in its header, which nobody vouches for.
    pub(super) jwk: Option<Value<'static>>,
    /// The bytes that are signed.
    pub(super) signed: &'t [u8],
    /// The claims, as JSON text that nobody has vouched for yet.
    pub(super) payload: Vec<u8>,
    /// The signature.
    pub(super) signature: Vec<u8>,
}

impl<'t> Token<'t> {
    /// Takes `text` apart; what is wrong with it is said without repeating any of it.
    pub(super) fn parse(text: &'t str) -> Result<Self, Cow<'static, str>> {
        Self::parse_within(text, MAX_BYTES)
    }

    /// The same of a token of at most `limit` bytes.
    pub(super) fn parse_within(text: &'t str, limit: usize) -> Result<Self, Cow<'static, str>> {
        let text = text.trim_ascii();
        if text.len() > limit {
            return Err(format!("the token has {} bytes, the limit is {limit}", text.len()).into());
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(NOT_COMPACT)?;
        let (header, payload) = signed.split_once('.').ok_or(NOT_COMPACT)?;
        let header = decode(header)?;
        let Ok(Value::Map(mut header)) = serde_json::from_slice(&header) else {
            return Err("the header of the token is not a JSON object that can be taken".into());
        };
        if header.get("crit").is_some() {
            return Err("the header of the token has `crit`, of which nothing is understood".into());
        }
        let Some(Value::String(algorithm)) = header.remove("alg") else {
            return Err("the header of the token has no text `alg`".into());
        };
        let algorithm =
            Algorithm::named(&algorithm).ok_or("the token is signed with no supported algorithm")?;
        let mut text = |name: &str| match header.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.into_owned())),
            Some(_) => Err(format!("the header of the token has a `{name}` that is not a text")),
        };
        let (key_id, kind) = (text("kid")?, text("typ")?);
        Ok(Self {
            algorithm,
            key_id,
            kind,
            jwk: header.remove("jwk").map(Value::into_owned),
            signed: signed.as_bytes(),
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }
}

const NOT_COMPACT: &str = "the token does not consist of header, payload and signature, separated by dots";

fn decode(part: &str) -> Result<Vec<u8>, &'static str> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| "a part of the token is not base64url")
}
