//! `auxData` of a request: the tokens that come with it, the same on every surface that asks for decisions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName};
use procura_core::value::{Map, Value};
use serde::Deserialize;

use super::json::{Named, Object, Text};
use super::{Invalid, RequestLimits};
use crate::pdp::{Call, TRANSACTION, Tokens};
use crate::ports::{Proof, Token};

/// Most tokens of a call; each costs a signature check and may have to wait for keys.
const MAX_TOKENS: usize = 8;

/// Longest text of a proof.
pub(in crate::http) const MAX_PROOF_BYTES: usize = 16 * 1024;

/// The header with a transaction token (draft-ietf-oauth-transaction-tokens, section 6).
const TXN_TOKEN: HeaderName = HeaderName::from_static("txn-token");

/// Tokens about the principal. Nothing of them reaches a condition or a record unverified.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuxData<'a> {
    #[serde(borrow)]
    jwt: Option<Object<ProvenEntry<'a>>>,
    #[serde(borrow)]
    jwts: Option<Named<'a, Object<Entry<'a>>>>,
}

/// The one token, perhaps with what shows that its key is held.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvenEntry<'a> {
    #[serde(borrow)]
    token: Option<Text<'a>>,
    #[serde(borrow, rename = "keySetId", alias = "key_set_id")]
    key_set_id: Option<Text<'a>>,
    #[serde(borrow)]
    proof: Option<Object<ProofEntry<'a>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofEntry<'a> {
    #[serde(borrow)]
    dpop: Option<Text<'a>>,
    #[serde(borrow)]
    method: Option<Text<'a>>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
    #[serde(borrow)]
    certificate: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
    #[serde(borrow)]
    token: Option<Text<'a>>,
    #[serde(borrow, rename = "keySetId", alias = "key_set_id")]
    key_set_id: Option<Text<'a>>,
}

impl<'a> AuxData<'a> {
    /// From a value at `path`, where the request is read as values first.
    pub(super) fn from_value(path: &str, value: Value<'a>) -> Result<Self, Invalid> {
        let mut members = object(path, value)?;
        let jwt =
            present(&mut members, "jwt").map(|value| ProvenEntry::from_value(&format!("{path}.jwt"), value));
        let jwts = match present(&mut members, "jwts") {
            Some(value) => named(&format!("{path}.jwts"), value)?,
            None => BTreeMap::new(),
        };
        all_known(path, &members)?;
        Ok(Self { jwt: jwt.transpose()?.map(Object), jwts: Some(Named(jwts)) })
    }

    /// The tokens.
    pub(super) fn tokens(self, limits: &RequestLimits) -> Result<Tokens<'a>, Invalid> {
        let Named(jwts) = self.jwts.unwrap_or(Named(BTreeMap::new()));
        if self.jwt.is_some() && !jwts.is_empty() {
            return Err(Invalid::at("auxData", "only one of `jwt` and `jwts` may be there"));
        }
        if jwts.len() > MAX_TOKENS {
            let count = jwts.len();
            return Err(Invalid::at(
                "auxData.jwts",
                format_args!("{count} tokens, the limit is {MAX_TOKENS}"),
            ));
        }
        let (jwt, proof) = match self.jwt {
            Some(Object(ProvenEntry { token, key_set_id, proof })) => {
                let proof = proof.map(|Object(proof)| proof.check("auxData.jwt.proof")).transpose()?;
                (Some(Entry { token, key_set_id }.token("auxData.jwt", limits)?), proof)
            }
            None => (None, None),
        };
        let jwts = jwts.into_iter().map(|(name, Object(entry))| {
            let name = limits.required("auxData.jwts", Some(Text(name)))?;
            let token = entry.token(&format!("auxData.jwts.{name}"), limits)?;
            Ok((name, token))
        });
        Ok(Tokens { jwt, proof, jwts: jwts.collect::<Result<_, Invalid>>()?, transaction: None })
    }
}

/// Adds the token in the header `Txn-Token` to those of `call`.
pub(super) fn take_transaction(headers: &HeaderMap, call: &mut Call<'_>) -> Result<(), Invalid> {
    let mut values = headers.get_all(TXN_TOKEN).iter();
    let Some(value) = values.next() else { return Ok(()) };
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let text = value.to_str().ok().filter(|text| !text.is_empty() && text.bytes().all(is_of_token));
    let text = text.filter(|_| values.next().is_none());
    let text =
        text.ok_or_else(|| Invalid::at("Txn-Token", "must be there once, as a token in compact form"))?;
    if call.tokens.jwts.contains_key(TRANSACTION) {
        let why = "this name is taken by the token in the header `Txn-Token`";
        return Err(Invalid::at("auxData.jwts.txn", why));
    }
    call.tokens.transaction = Some(Token { text: Cow::Owned(text.to_owned()), key_set: Cow::Borrowed("") });
    Ok(())
}

impl<'a> ProvenEntry<'a> {
    fn from_value(path: &str, value: Value<'a>) -> Result<Self, Invalid> {
        let mut members = object(path, value)?;
        let proof = present(&mut members, "proof")
            .map(|value| ProofEntry::from_value(&format!("{path}.proof"), value));
        let Entry { token, key_set_id } = Entry::from_value(path, Value::Map(members))?;
        Ok(Self { token, key_set_id, proof: proof.transpose()?.map(Object) })
    }
}

impl<'a> ProofEntry<'a> {
    fn from_value(path: &str, value: Value<'a>) -> Result<Self, Invalid> {
        let mut members = object(path, value)?;
        let (dpop, method) = (text(path, &mut members, "dpop")?, text(path, &mut members, "method")?);
        let (url, certificate) = (text(path, &mut members, "url")?, text(path, &mut members, "certificate")?);
        all_known(path, &members)?;
        Ok(Self { dpop, method, url, certificate })
    }

    fn check(self, path: &str) -> Result<Proof<'a>, Invalid> {
        let long = |text: &Text<'_>| text.0.len() > MAX_PROOF_BYTES;
        if [&self.dpop, &self.method, &self.url, &self.certificate].into_iter().flatten().any(long) {
            return Err(Invalid::at(
                path,
                format_args!("a text is longer than {MAX_PROOF_BYTES} bytes, the limit"),
            ));
        }
        match (self.dpop, self.method, self.url, self.certificate) {
            (Some(Text(text)), Some(Text(method)), Some(Text(url)), None) => {
                Ok(Proof::Dpop { text, method, url })
            }
            (None, None, None, Some(Text(certificate))) => Ok(Proof::Certificate(certificate)),
            _ => Err(Invalid::at(path, "must have `dpop`, `method` and `url`, or else `certificate`")),
        }
    }
}

impl<'a> Entry<'a> {
    fn from_value(path: &str, value: Value<'a>) -> Result<Self, Invalid> {
        let mut members = object(path, value)?;
        let token = text(path, &mut members, "token")?;
        let (key_set_id, alias) =
            (text(path, &mut members, "keySetId")?, text(path, &mut members, "key_set_id")?);
        all_known(path, &members)?;
        Ok(Self { token, key_set_id: key_set_id.or(alias) })
    }

    /// The token; its length is for the verifier to judge.
    fn token(self, path: &str, limits: &RequestLimits) -> Result<Token<'a>, Invalid> {
        let Some(Text(text)) = self.token.filter(|Text(text)| !text.is_empty()) else {
            return Err(Invalid::at(format_args!("{path}.token"), "a value is required"));
        };
        let key_set = limits.optional(format_args!("{path}.keySetId"), self.key_set_id)?;
        Ok(Token { text, key_set })
    }
}

fn object<'a>(path: &str, value: Value<'a>) -> Result<Map<'a>, Invalid> {
    match value {
        Value::Map(members) => Ok(members),
        _ => Err(Invalid::at(path, "invalid type: expected an object")),
    }
}

fn named<'a>(path: &str, value: Value<'a>) -> Result<BTreeMap<Cow<'a, str>, Object<Entry<'a>>>, Invalid> {
    let members = object(path, value)?.into_entries();
    let entries = members.map(|(name, value)| {
        let entry = Entry::from_value(&format!("{path}.{name}"), value)?;
        Ok((name, Object(entry)))
    });
    entries.collect()
}

fn present<'a>(members: &mut Map<'a>, name: &str) -> Option<Value<'a>> {
    members.remove(name).filter(|value| *value != Value::Null)
}

fn text<'a>(path: &str, members: &mut Map<'a>, name: &str) -> Result<Option<Text<'a>>, Invalid> {
    match present(members, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(Text(text))),
        Some(_) => Err(Invalid::at(format_args!("{path}.{name}"), "invalid type: expected a string")),
    }
}

fn all_known(path: &str, rest: &Map<'_>) -> Result<(), Invalid> {
    match rest.iter().next() {
        Some((name, _)) => Err(Invalid::at(path, format_args!("unknown field `{name}`"))),
        None => Ok(()),
    }
}
