//! What would have to differ for the opposite answer: one condition at a time is taken to be the other way round, and
//! the action is decided again.

use super::explanation::Change;
use super::recorder::Lead;
use crate::engine::conditions::Truth;
use crate::engine::observe::Observer;
use crate::engine::{Conduct, Settings, decide_as};
use crate::expr::Budget;
use crate::limits::{CALL_COST, EXPLAINED_CHANGES, EXPLANATION_TRIAL_COST, EXPR_COST};
use crate::model::{Effect, Request, Timestamp};
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
    /// What alone turns `action` of the one resource of `request`, which was decided with `effect`, around: expressions
    /// if there are any, otherwise conditions as a whole.
    pub(super) fn changes<'l>(
        &self,
        request: &mut Request<'_>,
        action: &str,
        effect: Effect,
        leads: impl Iterator<Item = &'l Lead> + Clone,
    ) -> Vec<Change> {
        for item in &mut request.items {
            item.actions = vec![action.to_owned().into()];
        }
        let of_expressions = leads.clone().filter(|lead| lead.expr.is_some());
        let found: Vec<Change> = of_expressions
            .filter_map(|lead| self.change(request, effect, lead))
            .take(EXPLAINED_CHANGES)
            .collect();
        if !found.is_empty() {
            return found;
        }
        let as_a_whole = leads.filter(|lead| lead.expr.is_none());
        as_a_whole.filter_map(|lead| self.change(request, effect, lead)).take(EXPLAINED_CHANGES).collect()
    }

    fn change(&self, request: &Request<'_>, effect: Effect, lead: &Lead) -> Option<Change> {
        let others: &[bool] = match lead.truth {
            Truth::True => &[false],
            Truth::False => &[true],
            Truth::Undecided => &[true, false],
        };
        let turns = |needed: &&bool| {
            self.turns(request, effect, &Assumption { condition: lead.condition, truth: **needed })
        };
        let needed = *others.iter().find(turns)?;
        let change = Change {
            rule: lead.rule.clone(),
            derived_role: lead.derived_role.clone(),
            expr: lead.expr.clone(),
            position: lead.position.clone(),
            needed,
            attribute: None,
            actual: None,
            wanted: None,
        };
        Some(change.comparing(lead.comparison.as_ref()))
    }

    /// Whether the decision is another one under `assumption`. What is too costly to find out does not count.
    fn turns(&self, request: &Request<'_>, effect: Effect, assumption: &Assumption) -> bool {
        if self.budget.charge_call(EXPLANATION_TRIAL_COST).is_err() {
            return false;
        }
        let room = self.budget.left().min(CALL_COST);
        let budget = Budget::new(room, EXPR_COST);
        let conduct = Conduct::new(self.now, &budget).observed(assumption);
        let evaluation = decide_as(self.snapshot, request, self.settings, &conduct);
        let spent = usize::try_from(room.saturating_sub(budget.left())).unwrap_or(usize::MAX);
        let is_paid = self.budget.charge_call(spent).is_ok() && !budget.is_exceeded();
        let mut decisions = evaluation.resources.iter().flat_map(|resource| &resource.actions);
        is_paid && decisions.all(|decision| decision.effect != effect)
    }
}
