//! What operators state themselves, and what they see of what others state.

use std::collections::BTreeSet;
use std::sync::Arc;

use procura_core::model::{Entity, EntityKind, Fact, Subject, Timestamp};
use procura_core::signal::Entitlement;

use super::path::{FactParts, NotStated, Stated};
use super::said::{NotSaid, Said, Saying};
use super::source::{Webhook, Webhooks};
use crate::pdp::Caller;
use crate::pdp::decide::call_id;
use crate::ports::{Change, FactStore};

/// The source that stands for whoever states facts through the API.
pub const OPERATOR: &str = "operator";

/// Shows, states and withdraws facts, and hears webhooks.
pub struct FactOffice {
    parts: FactParts,
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
    NotStated(#[from] NotStated),
}

impl FactOffice {
    /// An office that does its work with `parts` and hears these `webhooks`.
    #[must_use]
    pub fn new(parts: FactParts, webhooks: Vec<Webhook>) -> Self {
        Self { webhooks: Webhooks::new(parts.clone(), webhooks), parts }
    }

    /// The sources that send webhooks.
    #[must_use]
    pub const fn webhooks(&self) -> &Webhooks {
        &self.webhooks
    }

    /// Where facts are kept.
    #[must_use]
    pub fn store(&self) -> &dyn FactStore {
        &*self.parts.store
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Every fact that `caller` sees about one of `entities`, in force or not, newest first.
    #[must_use]
    pub fn about(&self, caller: &Caller, entities: &[Entity<'_>]) -> Vec<Arc<Fact>> {
        let mut seen = BTreeSet::new();
        let found = entities.iter().flat_map(|entity| self.parts.store.of(entity));
        let is_first = |fact: &Arc<Fact>| {
            seen.insert((fact.subject.clone(), Arc::clone(&fact.source), Arc::clone(&fact.slot)))
        };
        let mut facts: Vec<_> =
            found.filter(|fact| caller.sees_facts_about(&fact.subject)).filter(is_first).collect();
        facts.sort_by(|a, b| (b.at, &a.source, &a.slot).cmp(&(a.at, &b.source, &b.slot)));
        facts
    }

    /// States `said`, as `caller` asks: every later decision knows it once this returns. To say the same again changes
    /// nothing. What a caller says that is bound to tenants is only true there.
    ///
    /// # Errors
    /// If it is not stated.
    pub async fn state(&self, caller: &Caller, said: &Said) -> Result<Vec<Arc<Fact>>, FactError> {
        let (received, entitlement) = (self.now(), entitlement(caller));
        let saying = Saying {
            source: OPERATOR.into(),
            id: call_id(received).into(),
            received,
            entitlement: &entitlement,
        };
        let facts = said.facts("data", &saying)?;
        let held: Option<Vec<_>> = facts.iter().map(|fact| self.same(fact, said.at, received)).collect();
        match held {
            Some(held) => Ok(held),
            None => Ok(self.take(caller, facts, saying).await?),
        }
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
        let (received, entitlement) = (self.now(), entitlement(caller));
        let id: Arc<str> = call_id(received).into();
        let subjects = entitlement.bind(name, subject.clone());
        let held: Vec<_> = subjects.iter().flat_map(|subject| self.stated(subject)).collect();
        let held: Vec<_> = held.into_iter().filter(|fact| &*fact.name == name).collect();
        let withdrawn = |fact: &Arc<Fact>| Fact {
            value: None,
            id: Arc::clone(&id),
            at: received.max(fact.at),
            received,
            // It outweighs what it withdraws also if that is said to be true since now.
            rank: u8::MAX,
            ..(**fact).clone()
        };
        let facts: Vec<_> = held.iter().map(withdrawn).collect();
        if !facts.is_empty() {
            let saying =
                Saying { source: OPERATOR.into(), id: Arc::clone(&id), received, entitlement: &entitlement };
            self.take(caller, facts, saying).await?;
        }
        Ok(held)
    }

    /// Whether `caller` is told of `change`.
    #[must_use]
    pub fn tells(&self, caller: &Caller, change: &Change) -> bool {
        caller.sees_facts_about(&change.subject)
    }

    async fn take(
        &self,
        caller: &Caller,
        facts: Vec<Fact>,
        saying: Saying<'_>,
    ) -> Result<Vec<Arc<Fact>>, NotStated> {
        let shown = facts.iter().cloned().map(Arc::new).collect();
        let events: BTreeSet<String> = facts.iter().map(|fact| fact.name.to_string()).collect();
        let Saying { source, id, received, .. } = saying;
        let events = events.into_iter().collect();
        let (via, ignored, caller) = ("api", None, caller.clone());
        self.parts.take(Stated { source, via, id, received, events, facts, ignored, caller }).await?;
        Ok(shown)
    }

    /// What operators state about exactly this.
    fn stated(&self, subject: &Subject) -> Vec<Arc<Fact>> {
        let found = subject.entities().first().map(|entity| self.parts.store.of(entity));
        let is_that = |fact: &Arc<Fact>| fact.subject == *subject && &*fact.source == OPERATOR;
        found.into_iter().flatten().filter(is_that).collect()
    }

    /// The fact that is held and says what `wanted` does, if there is one; since another instant only if none is asked for.
    fn same(&self, wanted: &Fact, at: Option<Timestamp>, now: Timestamp) -> Option<Arc<Fact>> {
        self.stated(&wanted.subject).into_iter().find(|held| {
            held.slot == wanted.slot
                && held.name == wanted.name
                && held.value == wanted.value
                && held.expires == wanted.expires
                && at.is_none_or(|at| at == held.at)
                && held.is_in_force(now)
        })
    }
}

/// What `caller` may state: everything, within its tenants if it is bound to some.
fn entitlement(caller: &Caller) -> Entitlement {
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
