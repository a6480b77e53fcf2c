//! Why a decision came out as it did, and what single condition would turn it around.
//!
//! The call is decided as ever, with the [`recorder`] looking on; then each condition that was met is tried the other
//! way round, by deciding once more. So nothing is said here that a decision does not do.

mod change;
mod explanation;
mod recorder;
mod signals;
mod trees;

pub use explanation::{
    Block, Change, Decider, ExplainedAction, ExplainedCondition, ExplainedDerivedRole, ExplainedMismatch,
    ExplainedProblem, ExplainedResource, ExplainedRole, ExplainedRule, ExplainedTruth, Explanation, Outcome,
    SpokenTo,
};
pub use signals::{ExplainedDemand, ExplainedSignal};

use super::{Conduct, Settings, decide_as};
use crate::expr::Budget;
use crate::limits::{CALL_COST, EXPLANATION_COST, EXPR_COST};
use crate::model::{Evaluation, Few, Request, Timestamp};
use crate::policy::Snapshot;
use change::Trials;
use recorder::{ActionDraft, Draft, Recorder};

/// Decides `request` as [`decide`](super::decide) does, and says why.
///
/// The explanation is bounded by [`EXPLANATION_BYTES`](crate::limits::EXPLANATION_BYTES) and [`EXPLANATION_COST`];
/// what does not fit is left out, and the explanation says so. The decisions are never touched by it.
#[must_use]
pub fn explain(
    snapshot: &Snapshot,
    request: &Request<'_>,
    settings: &Settings,
    now: Timestamp,
) -> Explanation {
    let extra = Budget::new(EXPLANATION_COST, EXPR_COST);
    let recorder = Recorder::new(&extra);
    let budget = Budget::new(CALL_COST, EXPR_COST);
    let evaluation = decide_as(snapshot, request, settings, &Conduct::new(now, &budget).observed(&recorder));
    let (drafts, truncated) = recorder.into_drafts();
    let trials = Trials { snapshot, settings, now, budget: &extra };
    let results = results(&evaluation, request, drafts, &trials);
    let (signals, has_more) = signals::explained(&request.signals, now);
    let truncated = truncated || extra.is_exceeded() || has_more;
    Explanation { evaluation, signals, results, truncated }
}

fn results(
    evaluation: &Evaluation,
    request: &Request<'_>,
    drafts: Vec<Draft>,
    trials: &Trials<'_>,
) -> Vec<ExplainedResource> {
    let mut results = Vec::with_capacity(drafts.len());
    let mut trial = Request {
        principal: request.principal.clone(),
        items: Few::default(),
        context: request.context.clone(),
        aux_data: request.aux_data.clone(),
        tenants: request.tenants.clone(),
        signals: request.signals.clone(),
    };
    for ((item, decided), draft) in request.items.iter().zip(&evaluation.resources).zip(drafts) {
        // All its actions, since the schemas of a policy may look at them together.
        trial.items = [item.clone()].into();
        let mut drafted = draft.actions.into_iter();
        let opposite = trials.changes(&trial, decided, &draft.leads);
        let decisions = item.actions.iter().zip(&decided.actions).zip(opposite);
        let actions = decisions.map(|((action, decision), opposite)| {
            let ActionDraft { decider, rules, .. } = drafted.next().unwrap_or_default();
            ExplainedAction { decided_by: decider, rules, opposite, ..ExplainedAction::new(action, decision) }
        });
        let actions = actions.collect();
        let validation_errors = decided.validation_errors.iter().map(ExplainedMismatch::new).collect();
        results.push(ExplainedResource { actions, validation_errors, ..draft.resource });
    }
    results
}

#[cfg(test)]
mod tests;
