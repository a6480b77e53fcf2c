//! What the tokens of a call said, and who vouched for that.

use std::borrow::Cow;
use std::collections::BTreeMap;

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
}

/// What one token said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenInput<'a> {
    /// The key set that vouched for it; absent if nobody did, because verification was turned off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_set: Option<Cow<'a, str>>,
    /// Its claims, sorted by name.
    #[serde(borrow)]
    pub claims: Cow<'a, Map<'a>>,
}

/// The key sets that vouched for the tokens of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vouchers {
    /// For the one token.
    pub jwt: Option<String>,
    /// For tokens by their names.
    pub jwts: BTreeMap<String, String>,
}

impl<'a> AuxDataInput<'a> {
    /// What is recorded of `aux_data`; `None` if there is nothing.
    #[must_use]
    pub fn new(aux_data: &'a AuxData<'_>, vouchers: &'a Vouchers) -> Option<Self> {
        if aux_data.jwt.is_empty() && aux_data.jwts.is_empty() {
            return None;
        }
        let input = |claims, key_set: Option<&'a String>| TokenInput {
            key_set: key_set.map(|id| Cow::Borrowed(id.as_str())),
            claims: Cow::Borrowed(claims),
        };
        let jwt = (!aux_data.jwt.is_empty()).then(|| input(&aux_data.jwt, vouchers.jwt.as_ref()));
        let tokens = aux_data.jwts.iter().filter_map(|(name, claims)| match claims {
            Value::Map(claims) => Some((Cow::Borrowed(name), input(claims, vouchers.jwts.get(name)))),
            _ => None,
        });
        Some(Self { jwt, jwts: tokens.collect() }).filter(|input| *input != Self::default())
    }

    /// The claims again, as conditions see them: to make the decisions of a record anew.
    #[must_use]
    pub fn claims(&self) -> AuxData<'static> {
        let owned = |token: &TokenInput<'_>| token.claims.clone().into_owned().into_owned();
        let mut jwts = Map::default();
        for (name, token) in &self.jwts {
            jwts.insert(Cow::Owned(name.clone().into_owned()), Value::Map(owned(token)));
        }
        AuxData { jwt: self.jwt.as_ref().map(owned).unwrap_or_default(), jwts }
    }

    /// Who vouched for them, again.
    #[must_use]
    pub fn vouchers(&self) -> Vouchers {
        let key_set = |token: &TokenInput<'_>| token.key_set.as_deref().map(str::to_owned);
        let named = self.jwts.iter().filter_map(|(name, token)| Some((name.to_string(), key_set(token)?)));
        Vouchers { jwt: self.jwt.as_ref().and_then(key_set), jwts: named.collect() }
    }
}
