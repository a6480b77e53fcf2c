//! What the conditions about one resource came to.

use std::collections::BTreeMap;

use super::explanation::{Block, ExplainedCondition, ExplainedTruth};
use super::recorder::Lead;
use crate::engine::conditions::{CostExceeded, Truth};
use crate::expr::{Budget, Comparison, Reading, Scope, Val};
use crate::policy::Condition;

/// The conditions that were evaluated, each with its parts. Where they lie in memory only tells them apart.
#[derive(Default)]
pub(super) struct Trees {
    known: BTreeMap<*const Condition, Known>,
}

/// What one condition, or part of one, came to.
struct Known {
    truth: Result<Truth, CostExceeded>,
    /// Why it could not be evaluated, if it is an expression.
    error: Option<String>,
    readings: Vec<Reading>,
    comparison: Option<Comparison>,
}

/// To what a condition belongs.
#[derive(Clone, Copy)]
pub(super) enum Owner<'o> {
    Rule(&'o str),
    DerivedRole(&'o str),
}

impl Trees {
    /// Notes that `condition` came to `truth` in `scope`. What it read is found out on `budget`, where `in_detail`.
    pub(super) fn note(
        &mut self,
        condition: &Condition,
        scope: &Scope<'_>,
        truth: Result<Truth, CostExceeded>,
        budget: Option<&Budget>,
    ) {
        let mut known = Known { truth, error: None, readings: Vec::new(), comparison: None };
        if let (Condition::Expr(program), Some(budget)) = (condition, budget) {
            let again = scope.afresh(budget);
            known.error = match program.node.eval(&again) {
                Ok(Val::Bool(_)) => None,
                Ok(_) => Some("the condition yields a value that is not a boolean".to_owned()),
                Err(error) => Some(error.account()),
            };
            known.readings = program.node.readings(scope, budget);
            known.comparison = program.node.comparison(scope, budget);
        }
        self.known.insert(condition, known);
    }

    /// `condition` with everything that is known of its parts.
    pub(super) fn tree(&self, condition: &Condition) -> ExplainedCondition {
        let known = self.known.get(&std::ptr::from_ref(condition));
        let block = match condition {
            Condition::Expr(program) => Block::Expr {
                expr: program.node.source().to_string(),
                position: program.locate(0).to_string(),
                error: known.and_then(|known| known.error.clone()),
                readings: known.map_or_else(Vec::new, |known| known.readings.clone()),
            },
            Condition::All(items) => Block::All(self.trees(items)),
            Condition::Any(items) => Block::Any(self.trees(items)),
            Condition::None(items) => Block::None(self.trees(items)),
        };
        ExplainedCondition { truth: explained(known.map(|known| known.truth)), block }
    }

    /// The expressions of `condition` that were evaluated, and `condition` as a whole if it is more than that.
    pub(super) fn leads(&self, condition: &Condition, owner: Owner<'_>) -> Vec<Lead> {
        let mut leads = Vec::new();
        self.add_leads(condition, owner, &mut leads);
        let first = leads.first().map(|lead| lead.position.clone());
        if let (false, Some(position)) = (matches!(condition, Condition::Expr(_)), first) {
            leads.extend(self.lead(condition, owner, position));
        }
        leads
    }

    fn trees(&self, items: &[Condition]) -> Vec<ExplainedCondition> {
        items.iter().map(|item| self.tree(item)).collect()
    }

    fn add_leads(&self, condition: &Condition, owner: Owner<'_>, leads: &mut Vec<Lead>) {
        match condition {
            // What is the same for every request cannot be otherwise.
            Condition::Expr(program) if program.node.constant().is_some() => {}
            Condition::Expr(program) => {
                let lead = self.lead(condition, owner, program.locate(0).to_string());
                leads.extend(lead.map(|lead| Lead { expr: Some(program.node.source().to_string()), ..lead }));
            }
            Condition::All(items) | Condition::Any(items) | Condition::None(items) => {
                items.iter().for_each(|item| self.add_leads(item, owner, leads));
            }
        }
    }

    fn lead(&self, condition: &Condition, owner: Owner<'_>, position: String) -> Option<Lead> {
        let known = self.known.get(&std::ptr::from_ref(condition))?;
        let (rule, derived_role) = match owner {
            Owner::Rule(name) => (Some(name.to_owned()), None),
            Owner::DerivedRole(name) => (None, Some(name.to_owned())),
        };
        let comparison = known.comparison.clone();
        Some(Lead {
            condition,
            truth: known.truth.ok()?,
            rule,
            derived_role,
            expr: None,
            position,
            comparison,
        })
    }
}

/// A truth as explanations say it; nothing is known of what was not evaluated.
pub(super) fn explained(truth: Option<Result<Truth, CostExceeded>>) -> ExplainedTruth {
    match truth {
        None => ExplainedTruth::NotEvaluated,
        Some(Ok(Truth::True)) => ExplainedTruth::True,
        Some(Ok(Truth::False)) => ExplainedTruth::False,
        Some(Ok(Truth::Undecided)) => ExplainedTruth::Undecided,
        Some(Err(CostExceeded)) => ExplainedTruth::CostExceeded,
    }
}
