//! Callers that show a token of an issuer: whom it names, and which roles and tenants that gives.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use procura_core::model::Timestamp;
use procura_core::record::claim_at;
use procura_core::value::{Map, Value};
use tokio::time::timeout;

use super::{Holder, Reason};
use crate::ports::{Identity, Method, Token, TokenError, TokenVerifier, VerifiedToken, is_reserved_role};
use crate::telemetry::Refused;

/// How long a token may take: the keys of its issuer may have to be fetched.
const DEADLINE: Duration = Duration::from_secs(5);

/// Longest name of a caller, in bytes: it stands in every record.
const NAME_BYTES: usize = 256;

/// Most roles or tenants that a token may give.
const MOST: usize = 64;

/// What the tokens of an issuer say about callers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenIssuer {
    /// Its name, the `iss` of its tokens.
    pub issuer: String,
    /// The claim that names the caller.
    pub name_claim: String,
    /// Roles that each of its callers has.
    pub roles: Vec<String>,
    /// The claim with more roles.
    pub roles_claim: Option<String>,
    /// The roles that a value of that claim stands for; `None` if each stands for itself.
    pub roles_map: Option<BTreeMap<String, Vec<String>>>,
    /// The tenants that its callers are bound to; `None` if they are bound to none.
    pub tenants: Option<Vec<String>>,
    /// The claim with the tenants of a caller, which then must be there.
    pub tenants_claim: Option<String>,
    /// Whether its callers are agents.
    pub agent: bool,
}

/// Knows callers by tokens.
pub struct TokenCallers {
    verifier: Arc<dyn TokenVerifier>,
    issuers: BTreeMap<String, TokenIssuer>,
}

impl TokenCallers {
    /// Knows those whom tokens name that `verifier` believes; `issuers` by the ids of their key sets.
    #[must_use]
    pub fn new(verifier: Arc<dyn TokenVerifier>, issuers: BTreeMap<String, TokenIssuer>) -> Self {
        Self { verifier, issuers }
    }

    /// Whom the token `text` names at `now`.
    pub(super) async fn holder(&self, text: Cow<'_, str>, now: Timestamp) -> Result<Holder, Reason> {
        let token = Token { text, key_set: Cow::Borrowed("") };
        let verified = match timeout(DEADLINE, self.verifier.verify(&token, now)).await {
            Ok(Ok(verified)) => verified,
            Ok(Err(TokenError::Invalid(why))) => return Err(Reason::of_token(why)),
            Ok(Err(TokenError::KeysUnavailable { .. })) | Err(_) => {
                return Err(Refused::KeysUnavailable.into());
            }
        };
        let issuer = verified.key_set.as_ref().and_then(|id| self.issuers.get(&**id));
        let issuer = issuer.ok_or_else(|| Reason::of_token("no issuer of callers vouches for it"))?;
        let expires = verified.expires;
        let identity = issuer.identity(verified).map_err(Reason::of_token)?;
        Ok(Holder { identity: Arc::new(identity), expires })
    }
}

impl TokenIssuer {
    /// Who a token of this issuer stands for, or what it must say and does not.
    fn identity(&self, token: VerifiedToken) -> Result<Identity, String> {
        let wrong = |claim: &str, what: &str| format!("the claim `{claim}` of the token must be {what}");
        let name = self.name(&token.claims);
        let name = name.ok_or_else(|| wrong(&self.name_claim, "a name of 1 to 256 bytes"))?;
        let roles = self.roles(&token.claims);
        let tenants = self.tenants(&token.claims);
        Ok(Identity {
            name: Some(name.to_owned()),
            method: Some(Method::Token),
            issuer: Some(self.issuer.clone()),
            roles: roles.ok_or_else(|| {
                wrong(self.roles_claim.as_deref().unwrap_or_default(), "a text or a list of at most 64 texts")
            })?,
            tenants: tenants.ok_or_else(|| {
                let claim = self.tenants_claim.as_deref().unwrap_or_default();
                wrong(claim, "there, and name a tenant that callers of its issuer may have")
            })?,
            agent: self.agent,
            key: token.key.map(|key| key.to_string()),
        })
    }

    fn name<'c>(&self, claims: &'c Map<'_>) -> Option<&'c str> {
        let Some(Value::String(name)) = claim_at(claims, &self.name_claim) else { return None };
        Some(name.as_ref()).filter(|name| !name.is_empty() && name.len() <= NAME_BYTES)
    }

    fn roles(&self, claims: &Map<'_>) -> Option<Vec<String>> {
        let mut roles = self.roles.clone();
        let values = match self.roles_claim.as_ref().and_then(|name| claim_at(claims, name)) {
            Some(value) => texts(value)?,
            None => Vec::new(),
        };
        for value in values {
            match &self.roles_map {
                Some(map) => roles.extend(map.get(value).into_iter().flatten().cloned()),
                // Who has these roles shows no credential.
                None if is_reserved_role(value) => {}
                None => roles.push(value.to_owned()),
            }
        }
        roles.sort_unstable();
        roles.dedup();
        Some(roles)
    }

    /// INVARIANT(bound_stays_bound): a token that should name tenants and does not is not good for all of them.
    fn tenants(&self, claims: &Map<'_>) -> Option<Option<Vec<String>>> {
        let Some(name) = &self.tenants_claim else { return Some(self.tenants.clone()) };
        let named = texts(claim_at(claims, name)?)?.into_iter();
        let allowed =
            |tenant: &&str| self.tenants.as_ref().is_none_or(|all| all.iter().any(|one| one == tenant));
        let tenants: Vec<_> = named.filter(allowed).map(str::to_owned).collect();
        (!tenants.is_empty()).then_some(Some(tenants))
    }
}

/// One text or a list of texts; texts with spaces between them, as in `scope` (RFC 8693, section 4.2), are several.
fn texts<'c>(value: &'c Value<'_>) -> Option<Vec<&'c str>> {
    let texts = match value {
        Value::String(text) => text.split(' ').filter(|text| !text.is_empty()).collect(),
        Value::List(items) => {
            let text = |item: &'c Value<'_>| match item {
                Value::String(text) => Some(text.as_ref()),
                _ => None,
            };
            items.iter().map(text).collect::<Option<Vec<_>>>()?
        }
        _ => return None,
    };
    Some(texts).filter(|texts: &Vec<_>| texts.len() <= MOST)
}
