//! The tokens of a call: verified before anything is decided.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use procura_core::model::{AuxData, Timestamp};
use procura_core::record::Vouchers;
use procura_core::value::Value;
use tokio::time::{Instant, timeout_at};

use super::evidence::{Told, Transaction};
use super::{Call, DecideError, Distrust, Pdp};
use crate::ports::{Origin, Proof, Token, TokenError, VerifiedToken};

/// How long all tokens of a call may take together: the keys of one key set may have to be fetched.
const DEADLINE: Duration = Duration::from_secs(5);

/// The name of the token in the header `Txn-Token` among those with names.
pub const TRANSACTION: &str = "txn";

/// The tokens that came with a call, not yet believed. `jwt` and `jwts` are never both there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens<'a> {
    /// The one token.
    pub jwt: Option<Token<'a>>,
    /// What shows that whoever used the one token holds the key that it is bound to.
    pub proof: Option<Proof<'a>>,
    /// Tokens by their names.
    pub jwts: BTreeMap<Cow<'a, str>, Token<'a>>,
    /// The token in the header `Txn-Token`.
    pub transaction: Option<Token<'a>>,
}

/// What the record of a call says of its tokens besides their claims.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub(super) vouchers: Vouchers,
    pub(super) transaction: Option<Transaction>,
}

impl Tokens<'_> {
    /// Whether the call came without any.
    pub(super) fn is_empty(&self) -> bool {
        self.jwt.is_none() && self.jwts.is_empty() && self.transaction.is_none()
    }
}

impl Pdp {
    /// Puts what the tokens of `call` say at `now` into its request. One that is not believed spoils the whole call.
    pub(super) async fn rely(&self, call: &mut Call<'_>, now: Timestamp) -> Result<Evidence, DecideError> {
        let mut evidence = Evidence::default();
        let mut told = Told::default();
        if call.tokens.is_empty() {
            evidence.transaction = Transaction::of(None, &call.request);
            return Ok(evidence);
        }
        let Call { tokens, request, .. } = call;
        let deadline = Instant::now() + DEADLINE;
        let mut aux_data = AuxData::default();
        if let Some(token) = &tokens.jwt {
            let verified = self.verified("jwt", token, (now, deadline)).await?;
            if let Some(proof) = &tokens.proof {
                let bound = self.tokens.proves(proof, token, &verified, &call.request_id, now);
                aux_data.bound =
                    bound.map_err(|why| distrusted("jwt", (Distrust::HolderBindingFailed, why)))?;
            }
            let taken = self.evidence.take(&verified, false, &mut told, request);
            evidence.vouchers.jwt = taken.map_err(|fault| distrusted("jwt", fault))?;
            aux_data.jwt = Arc::unwrap_or_clone(verified.claims);
        }
        for (name, token) in self.named(tokens) {
            let place = format!("jwts.{name}");
            let verified = self.verified(&place, &token, (now, deadline)).await?;
            if tokens.transaction.is_some() && name == TRANSACTION && !self.evidence.is_transaction(&verified)
            {
                return Err(refused(
                    &place,
                    TokenError::Invalid("the header `Txn-Token` holds another token".into()),
                ));
            }
            let voucher = self.evidence.take(&verified, true, &mut told, request);
            evidence
                .vouchers
                .jwts
                .insert(name.to_string(), voucher.map_err(|fault| distrusted(&place, fault))?);
            let claims = Value::Map(Arc::unwrap_or_clone(verified.claims));
            aux_data.jwts.insert(Cow::Owned(name.into_owned()), claims);
        }
        aux_data.actor = told.actor;
        request.aux_data = aux_data;
        evidence.transaction = Transaction::of(told.transaction, request);
        Ok(evidence)
    }

    /// The tokens with names; that of the header is one if there is a key set for it.
    fn named<'t>(&self, tokens: &'t Tokens<'_>) -> Vec<(Cow<'t, str>, Token<'t>)> {
        let borrowed = |token: &'t Token<'_>, key_set: Option<&str>| Token {
            text: Cow::Borrowed(&*token.text),
            key_set: key_set.map_or(Cow::Borrowed(&*token.key_set), |id| Cow::Owned(id.to_owned())),
        };
        let mut named: Vec<_> =
            tokens.jwts.iter().map(|(name, token)| (Cow::Borrowed(&**name), borrowed(token, None))).collect();
        let mut sets = self.evidence.transaction_sets();
        if let (Some(token), Some(first)) = (&tokens.transaction, sets.next()) {
            let only = sets.next().is_none().then_some(first);
            named.push((Cow::Borrowed(TRANSACTION), borrowed(token, only)));
        }
        named
    }

    /// What `token` says, if it is believed and what it rests on is relied on.
    async fn verified(
        &self,
        place: &str,
        token: &Token<'_>,
        (now, deadline): (Timestamp, Instant),
    ) -> Result<VerifiedToken, DecideError> {
        let verified = match timeout_at(deadline, self.tokens.verify(token, now)).await {
            Ok(verified) => verified,
            Err(_) => Err(TokenError::KeysUnavailable { key_set: token.key_set.clone().into_owned() }),
        };
        let verified = verified.map_err(|error| refused(place, error))?;
        let issuer = match verified.claims.get("iss") {
            Some(Value::String(issuer)) => Some(&**issuer),
            _ => None,
        };
        let origin = Origin { issuer, key_set: verified.key_set.as_deref(), key: verified.key.as_deref() };
        if self.quarantine.is_quarantined(&origin) {
            let reason = "what the token rests on is under quarantine".into();
            return Err(distrusted(place, (Distrust::Quarantined, reason)));
        }
        Ok(verified)
    }
}

fn refused(token: &str, error: TokenError) -> DecideError {
    DecideError::Token { token: token.to_owned(), error }
}

fn distrusted(token: &str, (distrust, reason): (Distrust, Cow<'static, str>)) -> DecideError {
    DecideError::Distrusted { token: token.to_owned(), distrust, reason }
}
