//! What one source states by a SET: its events, what they are about here, and what it may say, taken together.

use std::sync::Arc;

use jiff::SignedDuration;

use super::entitlement::Entitlement;
use super::event::{Event, Statement, Statements};
use super::mapping::SubjectRules;
use super::merge::Registers;
use super::set::{Dated, Set};
use crate::model::{EntityKind, Fact, Subject, Timestamp};
use crate::policy::Glob;

/// How far a source is trusted, and what its identifiers mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Trust {
    /// The source, by its name in the configuration.
    pub source: Arc<str>,
    /// What its identifiers mean.
    pub subjects: SubjectRules,
    /// What it may state.
    pub entitlement: Entitlement,
    /// How long what it states is true; the first that fits counts.
    pub ttl: Vec<Ttl>,
}

/// How long facts of some names are true.
#[derive(Clone, Debug, PartialEq)]
pub struct Ttl {
    /// The names.
    pub names: Glob,
    /// How long, from the time of the event on.
    pub lasts: SignedDuration,
}

/// Why a SET that keeps all rules states nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ignored {
    /// It is of a kind that says nothing of anybody, for example about the stream.
    NoFact,
    /// Its type is not known.
    UnknownType,
    /// What it is about means nothing here.
    UnknownSubject,
    /// Its source may not state that, or not about that.
    NotEntitled,
}

impl Ignored {
    /// The code in records and in metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoFact => "no_fact",
            Self::UnknownType => "unknown_type",
            Self::UnknownSubject => "unknown_subject",
            Self::NotEntitled => "not_entitled",
        }
    }
}

/// How long a session stays revoked if nothing else is configured: longer than sessions last.
const REVOKED: (&str, SignedDuration) = ("session-revoked", SignedDuration::from_hours(30 * 24));

impl Trust {
    /// The facts that `set` states, received at `received`: never none, at most one for each subject and slot.
    ///
    /// # Errors
    /// Why it states nothing; of several reasons that which is nearest to stating something.
    pub fn facts(&self, set: &Set, received: Timestamp) -> Result<Vec<Fact>, Ignored> {
        let mut held = Registers::default();
        let mut ignored = Ignored::NoFact;
        for dated in &set.events {
            match self.stated(set, dated, received) {
                Ok(facts) => facts.into_iter().for_each(|fact| {
                    held.take(fact);
                }),
                Err(why) => ignored = ignored.max(why),
            }
        }
        let facts: Vec<Fact> = held.iter().cloned().collect();
        if facts.is_empty() { Err(ignored) } else { Ok(facts) }
    }

    fn stated(&self, set: &Set, dated: &Dated, received: Timestamp) -> Result<Vec<Fact>, Ignored> {
        let Statements { about, made, .. } = match &dated.event {
            Event::Stated(statements) if !statements.made.is_empty() => statements,
            Event::Stated(_) | Event::Verification { .. } | Event::StreamUpdated { .. } => {
                return Err(Ignored::NoFact);
            }
            Event::Unknown => return Err(Ignored::UnknownType),
        };
        let subjects = self.subjects.subjects(&set.subject, *about).ok_or(Ignored::UnknownSubject)?;
        let fact = |statement: &Statement, subject: Subject| Fact {
            subject,
            name: Arc::clone(&statement.name),
            slot: Arc::clone(&statement.slot),
            value: Some(statement.value.clone()),
            source: Arc::clone(&self.source),
            id: Arc::clone(&set.id),
            at: dated.at,
            received,
            expires: self
                .lasts(&statement.name)
                .map(|ttl| dated.at.checked_add(ttl).unwrap_or(Timestamp::MAX)),
            rank: statement.rank,
        };
        let bound = |statement: &Statement| {
            let is_sound = |subject: &&Subject| !is_account_of_group(statement, subject);
            let bind = |subject: &Subject| self.entitlement.bind(&statement.name, subject.clone());
            subjects
                .iter()
                .filter(is_sound)
                .flat_map(bind)
                .map(|subject| fact(statement, subject))
                .collect::<Vec<_>>()
        };
        let facts: Vec<Fact> = made.iter().flat_map(bound).collect();
        if made.iter().all(|statement| subjects.iter().all(|subject| is_account_of_group(statement, subject)))
        {
            return Err(Ignored::NoFact);
        }
        if facts.is_empty() { Err(Ignored::NotEntitled) } else { Ok(facts) }
    }

    fn lasts(&self, name: &str) -> Option<SignedDuration> {
        let configured = self.ttl.iter().find(|ttl| ttl.names.matches(name)).map(|ttl| ttl.lasts);
        configured.or_else(|| (name == REVOKED.0).then_some(REVOKED.1))
    }
}

/// A group has no account: to delete it takes the group from its members, and locks nobody out.
fn is_account_of_group(statement: &Statement, subject: &Subject) -> bool {
    let has = |kind| subject.get(kind).is_some();
    &*statement.slot == "account" && has(EntityKind::Group) && !has(EntityKind::Principal)
}
