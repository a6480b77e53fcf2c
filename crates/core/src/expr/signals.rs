//! `signals`: the facts in force for one resource, as expressions see them.

use std::cell::OnceCell;

use super::Budget;
use super::functions::CallError;
use super::instant::Instant;
use super::val::{List, MapVal, Str, Val};
use crate::limits::BYTES_PER_COST_UNIT;
use crate::model::{EntityKind, Fact};

/// What the list costs for each fact, besides its texts and its content.
const FACT_COST: usize = 12;

/// The facts in force for one resource, newest first, each with its place among those of the call.
#[derive(Debug)]
pub struct InForce<'r> {
    facts: Vec<(usize, &'r Fact)>,
    /// The list that expressions read, and what it cost to make.
    list: OnceCell<(Val<'static>, u64)>,
}

impl<'r> InForce<'r> {
    /// These facts.
    #[must_use]
    pub fn new(facts: Vec<(usize, &'r Fact)>) -> Self {
        Self { facts, list: OnceCell::new() }
    }

    /// The facts, newest first, each with its place among those of the call.
    #[must_use]
    pub fn facts(&self) -> &[(usize, &'r Fact)] {
        &self.facts
    }

    /// The list that expressions read: made once, and paid for whenever it is read, so that what an expression costs does
    /// not depend on who has read it before.
    pub(crate) fn list<'v>(&self, budget: &Budget) -> Result<Val<'v>, CallError> {
        if let Some((list, cost)) = self.list.get() {
            budget.charge(usize::try_from(*cost).unwrap_or(usize::MAX))?;
            return Ok(list.clone());
        }
        let before = budget.left_to_expression();
        let facts = self.facts.iter().map(|(_, fact)| record(fact, budget));
        let list = Val::list(facts.collect::<Result<_, _>>()?);
        let cost = before.saturating_sub(budget.left_to_expression());
        Ok(self.list.get_or_init(|| (list, cost)).0.clone())
    }
}

/// The list where there are no facts.
pub(crate) const fn none<'v>() -> Val<'v> {
    Val::List(List::Values(&[]))
}

fn record(fact: &Fact, budget: &Budget) -> Result<Val<'static>, CallError> {
    budget.charge(FACT_COST)?;
    let entities = fact.subject.entities();
    let mut about = Vec::with_capacity(entities.len());
    for entity in entities {
        about.push((key(entity.kind.as_str()), text(&entity.id, budget)?));
    }
    let subject = fact.subject.get(EntityKind::Principal).or(entities.first());
    let subject = text(subject.map_or("", |entity| &entity.id), budget)?;
    let data = match &fact.value {
        Some(value) => Val::from(value).detached(budget)?,
        None => Val::Null,
    };
    let shared = |text: &std::sync::Arc<str>| Val::String(Str::Owned(std::sync::Arc::clone(text)));
    let members = [
        (key("type"), shared(&fact.name)),
        (key("subject"), subject),
        (key("about"), Val::Map(MapVal::Owned(about.into()))),
        (key("source"), shared(&fact.source)),
        (key("at"), Val::Timestamp(Instant::from(fact.at))),
        (key("received"), Val::Timestamp(Instant::from(fact.received))),
        (key("id"), shared(&fact.id)),
        (key("data"), data),
    ];
    Ok(Val::Map(MapVal::Owned(members.into())))
}

fn key(name: &'static str) -> Val<'static> {
    Val::String(Str::Borrowed(name))
}

fn text(text: &str, budget: &Budget) -> Result<Val<'static>, CallError> {
    budget.charge(text.len() / BYTES_PER_COST_UNIT)?;
    Ok(Val::string(text))
}

#[cfg(test)]
mod tests;
