//! What would have to differ for the opposite answer: one condition at a time is taken to be the other way round, and
//! the resource is decided again.

use super::explanation::Change;
use super::recorder::Lead;
use crate::engine::conditions::Truth;
use crate::engine::observe::Observer;
use crate::engine::{Conduct, Settings, decide_as};
use crate::expr::Budget;
use crate::limits::{CALL_COST, EXPLAINED_CHANGES, EXPLANATION_TRIAL_COST, EXPR_COST};
use crate::model::{Effect, Evaluation, Request, ResourceEvaluation, Timestamp};
use crate::policy::{Condition, Snapshot};

/// What deciding again needs.
pub(super) struct Trials<'r> {
    pub(super) snapshot: &'r Snapshot,
    pub(super) settings: &'r Settings,
    pub(super) now: Timestamp,
    /// What all trials together may spend.
    pub(super) budget: &'r Budget,
}

/// A condition that is taken to be true or false, whatever it says.
struct Assumption {
    condition: *const Condition,
    truth: bool,
}

impl Observer for Assumption {
    fn assumed(&self, condition: &Condition) -> Option<bool> {
        std::ptr::eq(self.condition, condition).then_some(self.truth)
    }
}

impl Trials<'_> {
    /// What alone turns each action of the one item of `request` around, which was decided as `decided` says:
    /// expressions among `leads` if there are any, otherwise conditions as a whole.
    pub(super) fn changes(
        &self,
        request: &Request<'_>,
        decided: &ResourceEvaluation,
        leads: &[Lead],
    ) -> Vec<Vec<Change>> {
        let effects: Vec<Effect> = decided.actions.iter().map(|decision| decision.effect).collect();
        let mut changes = vec![Vec::new(); effects.len()];
        let of_rules = leads.iter().filter(|lead| lead.rule.is_some());
        let leads = of_rules.chain(leads.iter().filter(|lead| lead.derived_role.is_some()));
        for lead in leads.clone().filter(|lead| lead.expr.is_some()) {
            self.try_out(request, lead, &effects, &mut changes);
        }
        let mut as_a_whole = vec![Vec::new(); effects.len()];
        if changes.iter().any(Vec::is_empty) {
            for lead in leads.filter(|lead| lead.expr.is_none()) {
                self.try_out(request, lead, &effects, &mut as_a_whole);
            }
        }
        let both = changes.into_iter().zip(as_a_whole);
        both.map(|(parts, whole)| if parts.is_empty() { whole } else { parts }).collect()
    }

    /// Adds `lead` to the changes of the actions that it turns around.
    fn try_out(&self, request: &Request<'_>, lead: &Lead, effects: &[Effect], changes: &mut [Vec<Change>]) {
        let others: &[bool] = match lead.truth {
            Truth::True => &[false],
            Truth::False => &[true],
            Truth::Undecided => &[true, false],
        };
        let mut turned = vec![false; effects.len()];
        for needed in others {
            let assumption = Assumption { condition: lead.condition, truth: *needed };
            let Some(after) = self.decide(request, &assumption) else {
                return;
            };
            let decisions = after.resources.iter().flat_map(|resource| &resource.actions);
            let pairs = effects.iter().zip(decisions).zip(changes.iter_mut().zip(&mut turned));
            for ((before, after), (changes, turned)) in pairs {
                if after.effect != *before && !*turned && changes.len() < EXPLAINED_CHANGES {
                    *turned = true;
                    changes.push(lead.change(*needed));
                }
            }
        }
    }

    /// What is decided under `assumption`; nothing if that is too costly to find out.
    fn decide(&self, request: &Request<'_>, assumption: &Assumption) -> Option<Evaluation> {
        self.budget.charge_call(EXPLANATION_TRIAL_COST).ok()?;
        let room = self.budget.left().min(CALL_COST);
        let budget = Budget::new(room, EXPR_COST);
        let conduct = Conduct::new(self.now, &budget).observed(assumption);
        let evaluation = decide_as(self.snapshot, request, self.settings, &conduct);
        let spent = usize::try_from(room.saturating_sub(budget.left())).unwrap_or(usize::MAX);
        self.budget.charge_call(spent).ok()?;
        // What is denied because it costs too much says nothing about the condition.
        (!budget.is_exceeded()).then_some(evaluation)
    }
}

impl Lead {
    /// That it would have to be `needed`.
    fn change(&self, needed: bool) -> Change {
        let change = Change {
            rule: self.rule.clone(),
            derived_role: self.derived_role.clone(),
            expr: self.expr.clone(),
            position: self.position.clone(),
            needed,
            attribute: None,
            actual: None,
            wanted: None,
        };
        change.comparing(self.comparison.as_ref())
    }
}
