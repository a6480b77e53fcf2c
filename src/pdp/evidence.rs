//! What is made of verified tokens: who acts, which attributes of the principal they vouch for, and the transaction.

use std::borrow::Cow;
use std::collections::BTreeMap;

use procura_core::limits::ACTORS;
use procura_core::model::{Request, actor};
use procura_core::record::{Voucher, claim_at};
use procura_core::value::{Map, Value};

use crate::ports::VerifiedToken;

/// What may be made of verified tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceRules {
    /// Most actors of a chain of delegation.
    pub max_actors: usize,
    /// By the id of the key set; the usual for a key set that is not here.
    pub key_sets: BTreeMap<String, KeySetEvidence>,
}

/// What may be made of the tokens that one key set vouches for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySetEvidence {
    /// Whether they say who acts; if this does not say so, the one token of a call does and tokens with names do not.
    pub actor: Option<bool>,
    /// Whether they are transaction tokens.
    pub transactions: bool,
    /// What they say about the principal.
    pub principal: Option<PrincipalClaims>,
}

/// How claims speak about the principal of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrincipalClaims {
    /// The claim that is the id of the principal.
    pub id: String,
    /// Attributes of the principal, each with its claim. What a request says under their names is dropped.
    pub attributes: BTreeMap<String, String>,
    /// Whether a token about somebody else spoils the call; if not, nothing is taken from it.
    pub must_match: bool,
}

/// Why a call is refused although its tokens are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// Nobody can say who acts.
    ActorInvalid,
    /// A token is about somebody else than the request.
    PrincipalMismatch,
    /// Whoever uses a token does not hold the key that it is bound to.
    HolderBindingFailed,
    /// What a token rests on is not relied on any more.
    Quarantined,
}

/// Why a call is refused, and what is wrong.
type Doubt = (Distrust, Cow<'static, str>);

/// The transaction that a call belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transaction {
    pub(super) id: String,
    /// Whether only the caller says so.
    pub(super) is_stated: bool,
}

/// What the tokens of one call have told so far.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) actor: Option<Map<'static>>,
    pub(super) transaction: Option<String>,
    /// The attributes that have come from a token.
    attributes: Vec<String>,
}

impl Default for EvidenceRules {
    fn default() -> Self {
        Self { max_actors: Self::USUAL_ACTORS, key_sets: BTreeMap::new() }
    }
}

impl EvidenceRules {
    /// Most actors if nothing else is said.
    pub const USUAL_ACTORS: usize = 4;
    /// Most actors that can be allowed.
    pub const MOST_ACTORS: usize = ACTORS;

    /// The key sets of transaction tokens.
    pub(super) fn transaction_sets(&self) -> impl Iterator<Item = &str> {
        self.key_sets.iter().filter(|(_, of)| of.transactions).map(|(id, _)| id.as_str())
    }

    /// Whether this token is a transaction token.
    pub(super) fn is_transaction(&self, token: &VerifiedToken) -> bool {
        let of = token.key_set.as_deref().and_then(|id| self.key_sets.get(id));
        of.is_some_and(|of| of.transactions)
    }

    /// Takes from `token` what may be taken, into `told` and the principal of `request`; what it was is in the voucher.
    ///
    /// INVARIANT(only_verified_claims): a token that no key vouches for says nothing here.
    pub(super) fn take(
        &self,
        token: &VerifiedToken,
        has_name: bool,
        told: &mut Told,
        request: &mut Request<'_>,
    ) -> Result<Voucher, Doubt> {
        static USUAL: KeySetEvidence = KeySetEvidence { actor: None, transactions: false, principal: None };
        let mut voucher =
            Voucher { key_set: token.key_set.clone(), key: token.key.clone(), ..Voucher::default() };
        let Some(key_set) = &token.key_set else { return Ok(voucher) };
        let of = self.key_sets.get(&**key_set).unwrap_or(&USUAL);
        if of.actor.unwrap_or(!has_name) {
            self.take_actor(&token.claims, told)?;
        }
        if of.transactions {
            take_transaction(&token.claims, told)?;
        }
        if let Some(principal) = &of.principal {
            match principal.take(&token.claims, told, request)? {
                Some(attributes) => voucher.attributes = attributes,
                None => voucher.of_another = true,
            }
        }
        Ok(voucher)
    }

    fn take_actor(&self, claims: &Map<'_>, told: &mut Told) -> Result<(), Doubt> {
        let invalid = |reason: Cow<'static, str>| (Distrust::ActorInvalid, reason);
        let Some(actor) =
            actor(claims, self.max_actors).map_err(|fault| invalid(fault.to_string().into()))?
        else {
            return Ok(());
        };
        match told.actor.replace(actor) {
            None => Ok(()),
            Some(_) => Err(invalid("another token of the call says who acts as well".into())),
        }
    }
}

impl PrincipalClaims {
    /// Puts the claims in the place of what `request` says; the names and claims of what came from them, or `None` if they
    /// are about somebody else.
    fn take(
        &self,
        claims: &Map<'_>,
        told: &mut Told,
        request: &mut Request<'_>,
    ) -> Result<Option<BTreeMap<String, String>>, Doubt> {
        let mismatch = |reason: &'static str| Err((Distrust::PrincipalMismatch, reason.into()));
        let principal = &mut request.principal;
        match claim_at(claims, &self.id) {
            Some(Value::String(id)) if *id == principal.id => {}
            _ if self.must_match => return mismatch("the token is about somebody else than the principal"),
            _ => return Ok(None),
        }
        let mut taken = BTreeMap::new();
        for (name, path) in &self.attributes {
            if told.attributes.contains(name) {
                return mismatch("two tokens of the call say the same attribute of the principal");
            }
            told.attributes.push(name.clone());
            match claim_at(claims, path) {
                Some(claim) => {
                    principal.attr.insert(Cow::Owned(name.clone()), claim.clone().into_owned());
                    taken.insert(name.clone(), path.clone());
                }
                // What only the request says must not look as if a token had said it.
                None => drop(principal.attr.remove(name)),
            }
        }
        Ok(Some(taken))
    }
}

impl Distrust {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ActorInvalid => "actor_invalid",
            Self::PrincipalMismatch => "principal_mismatch",
            Self::HolderBindingFailed => "holder_binding_failed",
            Self::Quarantined => "quarantined",
        }
    }
}

/// Longest transaction that a caller may state: it is repeated in records and in the index of the log.
const STATED_TXN_BYTES: usize = 256;

impl Transaction {
    /// The one that a token has told, or else the one that the caller states in the context of `request`.
    pub(super) fn of(told: Option<String>, request: &Request<'_>) -> Option<Self> {
        let stated = || match request.context.as_ref()?.get("txn")? {
            Value::String(txn) if (1..=STATED_TXN_BYTES).contains(&txn.len()) => Some(txn.to_string()),
            _ => None,
        };
        let verified = told.map(|id| Self { id, is_stated: false });
        verified.or_else(|| stated().map(|id| Self { id, is_stated: true }))
    }
}

fn take_transaction(claims: &Map<'_>, told: &mut Told) -> Result<(), Doubt> {
    let Some(Value::String(txn)) = claims.get("txn") else { return Ok(()) };
    match told.transaction.replace(txn.to_string()) {
        Some(other) if other != **txn => Err((
            Distrust::PrincipalMismatch,
            "two tokens of the call belong to different transactions".into(),
        )),
        _ => Ok(()),
    }
}
