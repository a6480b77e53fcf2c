//! What operators state themselves, and what callers see of what anybody states.

use std::collections::BTreeSet;
use std::sync::Arc;

use procura_core::model::{Entity, EntityKind, Fact, Subject, Timestamp};
use procura_core::signal::Entitlement;

use super::said::{Assertion, NotSaid, Speaker};
use super::source::{Webhook, Webhooks};
use crate::pdp::decide::call_id;
use crate::pdp::{Caller, Intake, NotHeard, Said};
use crate::ports::{Change, Clock, FactStore};

/// The source that stands for whoever states facts through the API.
pub const OPERATOR: &str = "operator";

/// Shows, states and withdraws facts, and hears webhooks.
pub struct FactOffice {
    intake: Arc<Intake>,
    clock: Arc<dyn Clock>,
    webhooks: Webhooks,
}

/// Why a fact is not stated.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// It is not what such a fact is.
    #[error(transparent)]
    NotSaid(#[from] NotSaid),
    /// It is not taken.
    #[error(transparent)]
    NotHeard(#[from] NotHeard),
}

impl FactOffice {
    /// An office whose statements go through `intake`, as do those of these `webhooks`.
    #[must_use]
    pub fn new(intake: Arc<Intake>, clock: Arc<dyn Clock>, webhooks: Vec<Webhook>) -> Self {
        let webhooks = Webhooks::new(Arc::clone(&intake), Arc::clone(&clock), webhooks);
        Self { intake, clock, webhooks }
    }

    /// The sources that send webhooks.
    #[must_use]
    pub const fn webhooks(&self) -> &Webhooks {
        &self.webhooks
    }

    /// What takes signals.
    #[must_use]
    pub const fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    /// Where facts are kept.
    #[must_use]
    pub fn store(&self) -> &dyn FactStore {
        &**self.intake.facts()
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Every fact that `caller` sees about one of `entities`, in force or not, newest first.
    #[must_use]
    pub fn about(&self, caller: &Caller, entities: &[Entity<'_>]) -> Vec<Arc<Fact>> {
        let mut seen = BTreeSet::new();
        let found = entities.iter().flat_map(|entity| self.store().of(entity));
        let is_first = |fact: &Arc<Fact>| {
            seen.insert((fact.subject.clone(), Arc::clone(&fact.source), Arc::clone(&fact.slot)))
        };
        let mut facts: Vec<_> =
            found.filter(|fact| caller.sees_facts_about(&fact.subject)).filter(is_first).collect();
        facts.sort_by(|a, b| (b.at, &a.source, &a.slot).cmp(&(a.at, &b.source, &b.slot)));
        facts
    }

    /// States `wanted`, as `caller` asks: every later decision knows it once this returns. To state the same since the
    /// same instant again changes nothing. What a caller states that is bound to tenants is only true there.
    ///
    /// # Errors
    /// If it is not stated.
    pub async fn state(&self, caller: &Caller, wanted: &Assertion) -> Result<Vec<Arc<Fact>>, FactError> {
        let speaker = self.speaker();
        let within = tenants(caller);
        let bound = |fact: Fact| {
            let subjects = within.bind(&fact.name, fact.subject.clone()).into_iter();
            subjects.map(move |subject| Fact { subject, ..fact.clone() })
        };
        let facts: Vec<_> = wanted.facts("", &speaker)?.into_iter().flat_map(bound).collect();
        // What is so from now on is news, also if it was so before: a session may have begun in between.
        let held = wanted.at.and_then(|_| facts.iter().map(|fact| self.same(fact)).collect());
        if let Some(held) = held {
            return Ok(held);
        }
        let stated = facts.iter().cloned().map(Arc::new).collect();
        self.say(caller, speaker, facts).await?;
        Ok(stated)
    }

    /// Withdraws what operators state about `subject` under `name`, as `caller` asks; what was there.
    ///
    /// # Errors
    /// If it is not withdrawn.
    pub async fn withdraw(
        &self,
        caller: &Caller,
        subject: &Subject,
        name: &str,
    ) -> Result<Vec<Arc<Fact>>, FactError> {
        let speaker = self.speaker();
        let subjects = tenants(caller).bind(name, subject.clone());
        let held: Vec<_> = subjects.iter().flat_map(|subject| self.stated(subject)).collect();
        let held: Vec<_> = held.into_iter().filter(|fact| &*fact.name == name).collect();
        let withdrawn = |fact: &Arc<Fact>| Fact {
            value: None,
            id: Arc::clone(&speaker.id),
            at: speaker.received.max(fact.at),
            received: speaker.received,
            // Whoever withdraws has seen what is there: that is outweighed, also at the same instant.
            rank: u8::MAX,
            ..(**fact).clone()
        };
        let facts: Vec<_> = held.iter().map(withdrawn).collect();
        if !facts.is_empty() {
            self.say(caller, speaker, facts).await?;
        }
        Ok(held)
    }

    /// Whether `caller` is told of `change`.
    #[must_use]
    pub fn tells(&self, caller: &Caller, change: &Change) -> bool {
        caller.sees_facts_about(&change.subject)
    }

    fn speaker(&self) -> Speaker {
        let received = self.now();
        Speaker { source: OPERATOR.into(), id: call_id(received).into(), received }
    }

    async fn say(&self, caller: &Caller, speaker: Speaker, facts: Vec<Fact>) -> Result<(), NotHeard> {
        let events: BTreeSet<String> = facts.iter().map(|fact| fact.name.to_string()).collect();
        let said = Said {
            source: OPERATOR.to_owned(),
            via: "api",
            id: speaker.id,
            events: events.into_iter().collect(),
            facts,
            caller: Some(caller.clone()),
        };
        self.intake.admit(OPERATOR)?;
        self.intake.state(said).await.map(drop)
    }

    /// What operators state about exactly this.
    fn stated(&self, subject: &Subject) -> Vec<Arc<Fact>> {
        let found = subject.entities().first().map(|entity| self.store().of(entity));
        let is_that = |fact: &Arc<Fact>| fact.subject == *subject && &*fact.source == OPERATOR;
        found.into_iter().flatten().filter(is_that).collect()
    }

    /// The fact that is held and says what `wanted` does, since the same instant, if there is one.
    fn same(&self, wanted: &Fact) -> Option<Arc<Fact>> {
        self.stated(&wanted.subject).into_iter().find(|held| {
            held.slot == wanted.slot
                && held.name == wanted.name
                && held.value == wanted.value
                && held.expires == wanted.expires
                && held.at == wanted.at
                && held.is_in_force(wanted.received)
        })
    }
}

/// What `caller` may state: everything, within its tenants if it is bound to some.
fn tenants(caller: &Caller) -> Entitlement {
    Entitlement { tenants: caller.identity.tenants.clone(), ..Entitlement::default() }
}

impl Caller {
    /// Whether there are facts about `subject` for it: if it is bound to tenants, those of one of them.
    #[must_use]
    pub fn sees_facts_about(&self, subject: &Subject) -> bool {
        let Some(tenants) = &self.identity.tenants else { return true };
        subject.get(EntityKind::Tenant).is_some_and(|named| tenants.iter().any(|tenant| *tenant == named.id))
    }
}
