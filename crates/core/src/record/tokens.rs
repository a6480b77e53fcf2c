//! What the tokens of a call said, and who vouched for that.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Not;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::AuxData;
use crate::value::{Map, Value};

/// The claims that came with a call; the tokens themselves are nowhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuxDataInput<'a> {
    /// The one token: `request.auxData.jwt`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<TokenInput<'a>>,
    /// Tokens by their names: `request.auxData.jwts`.
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub jwts: BTreeMap<Cow<'a, str>, TokenInput<'a>>,
    /// Whether the holder of the one token proved to hold its key: `request.auxData.bound`.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub bound: bool,
}

/// What one token said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenInput<'a> {
    /// The key set that vouched for it; absent if nobody did, because verification was turned off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_set: Option<Cow<'a, str>>,
    /// The key of that set that made its signature, if the key has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Cow<'a, str>>,
    /// The attributes of the principal that come from it, each with the claim that it was.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    /// Its claims, sorted by name.
    #[serde(borrow)]
    pub claims: Cow<'a, Map<'a>>,
}

/// Who vouched for the tokens of a call, and what was made of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vouchers {
    /// For the one token.
    pub jwt: Voucher,
    /// For tokens by their names.
    pub jwts: BTreeMap<String, Voucher>,
}

/// Who vouched for one token, and what was made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voucher {
    /// The key set; `None` if nobody did.
    pub key_set: Option<Arc<str>>,
    /// The key, if it has a name.
    pub key: Option<Arc<str>>,
    /// The attributes of the principal that come from it, each with the claim that it was ([`claim_at`]).
    pub attributes: BTreeMap<String, String>,
    /// Whether it is about somebody else than the principal, as far as its key set says how that is told.
    pub of_another: bool,
}

/// The claim at `path`: the one of this name, or else one within others whose names are joined by dots.
#[must_use]
pub fn claim_at<'c, 'v>(claims: &'c Map<'v>, path: &str) -> Option<&'c Value<'v>> {
    if let Some(claim) = claims.get(path) {
        return Some(claim);
    }
    let (first, rest) = path.split_once('.')?;
    match claims.get(first)? {
        Value::Map(inner) => claim_at(inner, rest),
        _ => None,
    }
}

impl<'a> AuxDataInput<'a> {
    /// What is recorded of `aux_data`; `None` if there is nothing.
    #[must_use]
    pub fn new(aux_data: &'a AuxData<'_>, vouchers: &'a Vouchers) -> Option<Self> {
        if aux_data.jwt.is_empty() && aux_data.jwts.is_empty() {
            return None;
        }
        let jwt = (!aux_data.jwt.is_empty()).then(|| TokenInput::new(&aux_data.jwt, Some(&vouchers.jwt)));
        let tokens = aux_data.jwts.iter().filter_map(|(name, claims)| match claims {
            Value::Map(claims) => {
                Some((Cow::Borrowed(name), TokenInput::new(claims, vouchers.jwts.get(name))))
            }
            _ => None,
        });
        let input = Self { jwt, jwts: tokens.collect(), bound: aux_data.bound };
        Some(input).filter(|input| *input != Self::default())
    }

    /// The claims again, as conditions see them and without an actor: to make the decisions of a record anew.
    #[must_use]
    pub fn claims(&self) -> AuxData<'static> {
        let owned = |token: &TokenInput<'_>| token.claims.clone().into_owned().into_owned();
        let mut jwts = Map::default();
        for (name, token) in &self.jwts {
            jwts.insert(Cow::Owned(name.clone().into_owned()), Value::Map(owned(token)));
        }
        AuxData {
            jwt: self.jwt.as_ref().map(owned).unwrap_or_default(),
            jwts,
            actor: None,
            bound: self.bound,
        }
    }

    /// Who vouched for them, again.
    #[must_use]
    pub fn vouchers(&self) -> Vouchers {
        let named = self.jwts.iter().map(|(name, token)| (name.to_string(), token.voucher()));
        Vouchers {
            jwt: self.jwt.as_ref().map(TokenInput::voucher).unwrap_or_default(),
            jwts: named.collect(),
        }
    }
}

impl<'a> TokenInput<'a> {
    fn new(claims: &'a Map<'_>, voucher: Option<&'a Voucher>) -> Self {
        let attributes = voucher.iter().flat_map(|voucher| &voucher.attributes);
        Self {
            key_set: voucher.and_then(|voucher| voucher.key_set.as_deref()).map(Cow::Borrowed),
            key: voucher.and_then(|voucher| voucher.key.as_deref()).map(Cow::Borrowed),
            attributes: attributes.map(|(name, claim)| (name.into(), claim.into())).collect(),
            claims: Cow::Borrowed(claims),
        }
    }

    fn voucher(&self) -> Voucher {
        let attributes = self.attributes.iter();
        Voucher {
            key_set: self.key_set.as_deref().map(Into::into),
            key: self.key.as_deref().map(Into::into),
            attributes: attributes.map(|(name, claim)| (name.to_string(), claim.to_string())).collect(),
            // What followed from that is in the record by itself.
            of_another: false,
        }
    }
}
