//! What a signal states, once its signature and the rules are kept; nothing is changed here.

use jiff::SignedDuration;
use procura_core::model::{Fact, Timestamp};
use procura_core::signal::{self, Event, Ignored, Set, SetReject, SetRules};
use tokio::sync::SemaphorePermit;

use super::keep::Stated;
use super::source::{Source, Stream, StreamState};
use super::{Intake, NotHeard, OLDEST, SKEW, Said};
use crate::ports::{Origin, SetError, SetFault, VouchedSet};

impl Intake {
    /// What `set` states, which came over the stream `source`.
    pub(super) async fn judge_set(
        &self,
        source: &Source,
        set: &str,
        received: Timestamp,
    ) -> Result<Stated, NotHeard> {
        let Some(stream) = source.stream() else {
            return Err(refused(SetFault::InvalidRequest, "the source is no stream"));
        };
        let vouched = self.vouched(source, set).await?;
        self.check_origin(source, stream, &vouched)?;
        let id = stream.id();
        let rules = SetRules {
            issuer: &stream.issuer,
            audiences: &stream.audiences,
            stream: id.as_deref(),
            skew: SignedDuration::try_from(SKEW).unwrap_or(SignedDuration::ZERO),
            scim_drafts: stream.scim_drafts,
        };
        let set = Set::read(vouched.kind.as_deref(), &vouched.claims, &rules, received).map_err(rejected)?;
        let (facts, ignored) = match source.trust.facts(&set, received) {
            Ok(facts) => (facts, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        if !self.keeper.store.has_taken(source.name(), &set.id) {
            tell(stream, &set)?;
        }
        Ok(Stated {
            source: source.trust.source.clone(),
            via: "poll",
            id: set.id,
            txn: set.txn.map(String::from),
            at: set.events.iter().map(|event| event.at).max(),
            events: set.events.into_iter().map(|event| String::from(event.uri)).collect(),
            facts,
            ignored,
        })
    }

    /// What is stated of what somebody has `said`, as far as the source may.
    pub(super) fn judge_said(
        &self,
        source: &Source,
        said: Said,
        received: Timestamp,
    ) -> Result<Stated, NotHeard> {
        let skewed = received.saturating_add(SKEW).unwrap_or(Timestamp::MAX);
        let oldest = received.saturating_sub(OLDEST).unwrap_or(Timestamp::MIN);
        if said.facts.iter().any(|fact| fact.at > skewed) {
            return Err(refused(SetFault::InvalidRequest, "`at` is in the future"));
        }
        if said.facts.iter().any(|fact| fact.expires.is_some() && fact.at < oldest) {
            return Err(refused(
                SetFault::InvalidRequest,
                "`at` of a fact that expires is older than 30 days",
            ));
        }
        let had_any = !said.facts.is_empty();
        let facts: Vec<Fact> = said.facts.iter().flat_map(|fact| bound(source, fact)).collect();
        let ignored = match (facts.is_empty(), had_any) {
            (false, _) => None,
            (true, true) => Some(Ignored::NotEntitled),
            (true, false) => Some(Ignored::NoFact),
        };
        Ok(Stated {
            source: source.trust.source.clone(),
            via: said.via,
            id: said.id,
            txn: None,
            at: facts.iter().map(|fact| fact.at).max(),
            events: said.events,
            facts,
            ignored,
        })
    }

    /// `set`, if a key of its stream vouches for it. If there may be newer keys, they are asked for, once. While nobody
    /// knows whether there are, it may come again: a transmitter drops for good what is refused.
    async fn vouched(&self, source: &Source, set: &str) -> Result<VouchedSet, NotHeard> {
        let vouch = async || {
            let _turn = self.turn(source).await;
            self.verifier.vouch(source.name(), set)
        };
        let (mut vouched, mut newest) = (vouch().await, false);
        if matches!(vouched, Err(SetError::Outdated(_) | SetError::NoKeys)) {
            newest = self.verifier.refresh(source.name()).await;
            vouched = vouch().await;
        }
        vouched.map_err(|error| match error {
            SetError::Malformed(reason) => refused(SetFault::InvalidRequest, reason),
            SetError::Outdated(reason) if !newest => {
                NotHeard::NotNow(format!("{reason}, and newer keys cannot be had at present"))
            }
            SetError::Unvouched(reason) | SetError::Outdated(reason) => refused(SetFault::InvalidKey, reason),
            SetError::NoKeys => NotHeard::NotNow(error.to_string()),
        })
    }

    /// The turn of `source`, and room among all sources. Semaphores are fair: who sends much waits behind who sends little.
    async fn turn<'a>(
        &'a self,
        source: &'a Source,
    ) -> (Option<SemaphorePermit<'a>>, Option<SemaphorePermit<'a>>) {
        // They are never closed; without a permit the signature is verified all the same.
        let turn = source.turn.acquire().await.ok();
        (turn, self.room.acquire().await.ok())
    }

    fn check_origin(&self, source: &Source, stream: &Stream, vouched: &VouchedSet) -> Result<(), NotHeard> {
        let origin = Origin {
            issuer: Some(&stream.issuer),
            key_set: Some(source.name()),
            key: vouched.key.as_deref(),
        };
        if self.quarantine.is_quarantined(&origin) {
            return Err(refused(SetFault::InvalidKey, "its issuer or its key is under quarantine"));
        }
        Ok(())
    }
}

/// What events about the stream itself say of it.
fn tell(stream: &Stream, set: &Set) -> Result<(), NotHeard> {
    for event in &set.events {
        match &event.event {
            Event::Verification { state: Some(state) } => {
                if !stream.awaits(state) {
                    return Err(refused(
                        SetFault::InvalidState,
                        "no verification with this `state` is awaited",
                    ));
                }
                stream.verified(state);
            }
            Event::StreamUpdated { status, reason } => {
                stream.updated(StreamState { status, reason: reason.as_deref().map(str::to_owned) });
            }
            Event::Verification { state: None } | Event::Stated(_) | Event::Unknown => {}
        }
    }
    Ok(())
}

fn bound(source: &Source, fact: &Fact) -> Vec<Fact> {
    let subjects = source.trust.entitlement.bind(&fact.name, fact.subject.clone());
    subjects.into_iter().map(|subject| Fact { subject, ..fact.clone() }).collect()
}

fn rejected(reject: SetReject) -> NotHeard {
    let fault = match reject.fault {
        signal::SetFault::InvalidRequest => SetFault::InvalidRequest,
        signal::SetFault::InvalidIssuer => SetFault::InvalidIssuer,
        signal::SetFault::InvalidAudience => SetFault::InvalidAudience,
    };
    NotHeard::Refused { fault, reason: reject.reason }
}

fn refused(fault: SetFault, reason: impl Into<String>) -> NotHeard {
    NotHeard::Refused { fault, reason: reason.into() }
}
