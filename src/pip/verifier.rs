//! Whether a token is believed, and what it says.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use procura_core::model::Timestamp;
use tokio::task::JoinHandle;

use super::cache::{Believed, Cache};
use super::claims;
use super::fetch::Fetcher;
use super::key_set::{KeySet, KeySetSettings, KeySource, Reports, Shelf};
use super::keys::{Keys, Unvouched};
use super::local;
use super::proof::{Proofs, Use};
use super::remote::{Remote, RemoteTiming};
use super::token::Token;
use crate::ports::{self, Clock, Proof, TokenError, TokenVerifier, Verification, VerifiedToken};
use crate::telemetry::Metrics;
use crate::telemetry::events::TokensNotVerified;

/// How tokens are verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSettings {
    /// Whether claims are believed without a signature. Key sets are then not used at all.
    pub unverified: bool,
    /// How far the clocks of issuers may be off.
    pub skew: Duration,
    /// The key sets; each id occurs once.
    pub key_sets: Vec<KeySetSettings>,
    /// When remote keys are fetched.
    pub timing: RemoteTiming,
}

/// Why tokens cannot be verified as configured.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Keys of the configuration or of a file cannot be used.
    #[error("cannot load the key set `{key_set}`")]
    Keys {
        /// The key set.
        key_set: String,
        /// Why.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// Remote keys cannot be fetched by anyone.
    #[error(
        "cannot fetch keys: the system has no certificate authorities; install them, or name a file with \
         `SSL_CERT_FILE`"
    )]
    NoAuthorities(#[source] io::Error),
}

/// Verifies tokens with the keys of the configured sets.
pub struct Verifier {
    pub(super) trust: Trust,
    skew: Duration,
    cache: Cache,
    proofs: Proofs,
    watches: Vec<JoinHandle<()>>,
}

pub(super) enum Trust {
    /// Everything is believed.
    Blind,
    /// Only what the keys of a set vouch for.
    Keys(BTreeMap<String, KeySet>),
}

impl Verifier {
    /// Loads local keys and begins to fetch remote ones, on the runtime it is called on. It does not wait for those: no
    /// issuer can keep the server from starting.
    ///
    /// # Errors
    /// If local keys cannot be used.
    pub fn start(
        settings: &TokenSettings,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StartError> {
        let (trust, skew, watches) = (Trust::Blind, settings.skew, Vec::new());
        let (cache, proofs) = (Cache::default(), Proofs::default());
        let mut verifier = Self { trust, skew, cache, proofs, watches };
        if settings.unverified {
            TokensNotVerified.emit();
            return Ok(verifier);
        }
        let reports = Arc::new(Reports::new(&settings.key_sets, metrics, clock));
        let fetcher = fetcher(settings)?;
        let mut sets = BTreeMap::new();
        for set in &settings.key_sets {
            let shelf = Arc::new(Shelf::new(set, &reports));
            let remote = set.place().zip(fetcher.clone()).map(|((place, interval), fetcher)| {
                Remote::start(place, interval, settings.timing, fetcher, Arc::clone(&shelf))
            });
            match &set.source {
                KeySource::Remote { .. } | KeySource::Discovered { .. } => {}
                KeySource::File { path, .. } => {
                    let loaded = local::load(path, &shelf).map_err(|error| unusable(set, error))?;
                    verifier.watches.push(local::watch(path.clone(), Arc::clone(&shelf), loaded));
                }
                KeySource::Data { text, .. } => {
                    shelf.put(text.clone()).map_err(|error| unusable(set, error))?;
                }
            }
            sets.insert(set.id.clone(), KeySet { shelf, remote });
        }
        verifier.trust = Trust::Keys(sets);
        Ok(verifier)
    }

    async fn claims_of(&self, token: &ports::Token<'_>, now: Timestamp) -> Result<VerifiedToken, TokenError> {
        match &self.trust {
            Trust::Blind => self.believed(token, now),
            Trust::Keys(sets) => match self.remembered(sets, token, now) {
                Some(told) => Ok(told),
                None => self.vouched(sets, token, now).await,
            },
        }
    }

    /// What `token` says, whoever made it.
    fn believed(&self, token: &ports::Token<'_>, now: Timestamp) -> Result<VerifiedToken, TokenError> {
        let parsed = Token::parse(&token.text).map_err(TokenError::Invalid)?;
        let (claims, period) =
            claims::in_force(&parsed.payload, now, self.skew).map_err(TokenError::Invalid)?;
        Ok(VerifiedToken { claims: Arc::new(claims), key_set: None, key: None, expires: period.ends })
    }

    /// What `token` says, if that would be found again.
    ///
    /// INVARIANT(memory_changes_nothing): the same keys would vouch for the same bytes, and the instants are looked at.
    fn remembered(
        &self,
        sets: &BTreeMap<String, KeySet>,
        token: &ports::Token<'_>,
        now: Timestamp,
    ) -> Option<VerifiedToken> {
        let Believed { told, period, keys, .. } = self.cache.get(token)?;
        let holds = |id: &Arc<str>| sets.get(&**id).is_some_and(|set| set.shelf.holds(keys));
        if told.key_set.as_ref().is_some_and(holds) && period.covers(now) {
            return Some(told);
        }
        self.cache.forget(token);
        None
    }

    /// What `token` says, if a key vouches for it.
    async fn vouched(
        &self,
        sets: &BTreeMap<String, KeySet>,
        token: &ports::Token<'_>,
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenError> {
        let parsed = Token::parse(&token.text).map_err(TokenError::Invalid)?;
        let set = chosen(sets, &token.key_set, &parsed)?;
        // INVARIANT(only_verified_claims): nothing of the payload is believed before a key has vouched for it.
        let (keys, key) = set.vouch(&parsed).await?;
        let (claims, period) =
            claims::in_force(&parsed.payload, now, self.skew).map_err(TokenError::Invalid)?;
        set.shelf.tokens.check(&parsed, &claims).map_err(TokenError::Invalid)?;
        let (claims, key_set) = (Arc::new(claims), Some(Arc::clone(&set.shelf.id)));
        let told = VerifiedToken { claims, key_set, key, expires: period.ends };
        let asked = (*token.key_set).into();
        self.cache.put(token, Believed { told: told.clone(), period, keys, asked });
        Ok(told)
    }
}

impl TokenVerifier for Verifier {
    fn verify<'a>(&'a self, token: &'a ports::Token<'_>, now: Timestamp) -> Verification<'a> {
        Box::pin(self.claims_of(token, now))
    }

    fn proves(
        &self,
        proof: &Proof<'_>,
        token: &ports::Token<'_>,
        told: &VerifiedToken,
        request_id: &str,
        now: Timestamp,
    ) -> Result<bool, Cow<'static, str>> {
        if told.key_set.is_none() {
            return Ok(false);
        }
        let (token, claims, skew) = (&*token.text, &*told.claims, self.skew);
        self.proofs.judge(proof, &Use { token, claims, request_id, now, skew })
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.watches.iter().for_each(JoinHandle::abort);
    }
}

impl KeySet {
    /// The number of the keys of which one made the signature of `token`, and the name of that one if it has one. If
    /// there may be newer keys, they are asked for, once.
    async fn vouch(&self, token: &Token<'_>) -> Result<(u64, Option<Arc<str>>), TokenError> {
        let vouched = |keys: &Keys| keys.vouch(token).map(|key| (keys.number, key.id.clone()));
        let keys = self.shelf.keys();
        let mut outcome = keys.as_deref().map(vouched);
        let is_final = match (&keys, &outcome) {
            (Some(keys), Some(Err(failure))) => !keys.may_be_outdated(*failure),
            (_, outcome) => outcome.is_some(),
        };
        if let (false, Some(remote)) = (is_final, &self.remote) {
            remote.refresh().await;
            outcome = self.shelf.keys().as_deref().map(vouched);
        }
        match outcome {
            Some(outcome) => outcome.map_err(|why| TokenError::Invalid(reason(why).into())),
            None => Err(TokenError::KeysUnavailable { key_set: self.shelf.id.to_string() }),
        }
    }
}

/// The key set called `id`; without a name the only one there is, or the only one that is about tokens like this.
fn chosen<'s>(
    sets: &'s BTreeMap<String, KeySet>,
    id: &str,
    token: &Token<'_>,
) -> Result<&'s KeySet, TokenError> {
    let invalid = |reason: &'static str| TokenError::Invalid(reason.into());
    if !id.is_empty() {
        return sets.get(id).ok_or(invalid("there is no key set with the id that `keySetId` names"));
    }
    let mut all = sets.values();
    match (all.next(), all.next()) {
        (Some(only), None) => return Ok(only),
        (None, _) => return Err(invalid("no key set is configured, so no token can be verified")),
        (Some(_), Some(_)) => {}
    }
    // What nobody has vouched for chooses who is asked to vouch, and that set demands what it was chosen for.
    let issuer = claims::issuer(&token.payload);
    let mut fitting =
        sets.values().filter(|set| set.shelf.tokens.are_about(token.kind.as_deref(), issuer.as_deref()));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(invalid(
            "there are several key sets and none is for the issuer of the token: name one with `keySetId`",
        )),
        (Some(_), Some(_)) => Err(invalid(
            "several key sets are for the issuer and the type of the token: name one with `keySetId`",
        )),
    }
}

/// What is wrong, for people.
pub(super) const fn reason(why: Unvouched) -> &'static str {
    match why {
        Unvouched::NamesNoKey => "the header of the token names no key (`kid`)",
        Unvouched::UnknownKey => "the key set has no key with the name in the header of the token (`kid`)",
        Unvouched::WrongAlgorithm => "the token is signed with an algorithm that its key is not for",
        Unvouched::WrongSignature => "the signature of the token is wrong",
    }
}

fn unusable(set: &KeySetSettings, cause: impl Error + Send + Sync + 'static) -> StartError {
    StartError::Keys { key_set: set.id.clone(), cause: Box::new(cause) }
}

/// A client, if any key set needs one.
fn fetcher(settings: &TokenSettings) -> Result<Option<Fetcher>, StartError> {
    let needed = settings.key_sets.iter().any(KeySetSettings::is_remote);
    needed.then(Fetcher::new).transpose().map_err(StartError::NoAuthorities)
}
