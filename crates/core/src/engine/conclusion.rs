//! What is answered about an action, after everybody was asked.

use std::sync::{Arc, LazyLock};

use super::combine::Finding;
use super::question::{Stop, Word};
use super::target::Chain;
use crate::model::{ActionDecision, Effect, Ground, Item, Problem, Reason, ResourceEvaluation};
use crate::policy::PolicyKind;

/// What decisions print where no policy could decide.
static NO_MATCH: LazyLock<Arc<str>> = LazyLock::new(|| "NO_MATCH".into());

/// What follows for an action, in parts that cost nothing to hand on.
#[derive(Clone, Copy)]
pub(super) struct Conclusion<'r> {
    effect: Effect,
    reason: Reason,
    /// The policy as decisions print it; `None` if there is none.
    name: Option<&'r Arc<str>>,
    /// On whose word.
    word: Option<Word<'r>>,
    /// The scope that decided.
    scope: Option<&'r Arc<str>>,
}

impl<'r> Conclusion<'r> {
    /// What follows from what was said on `chain`; `needs_consent` is an allow rule that waits for the scopes above.
    pub(super) fn of(
        chain: &'r Chain<'r>,
        finding: Finding<Word<'r>>,
        needs_consent: Option<Word<'r>>,
    ) -> Self {
        let (reason, word) = match (finding, needs_consent) {
            (Finding::Allow(word) | Finding::Deny(word), _) => (word.reason, word),
            (Finding::DenyUndecided(word), _) => (Reason::DenyRuleUndecided, word),
            (Finding::Silent, Some(word)) if chain.exists => {
                // No scope has decided.
                let denial = Self::denial(Reason::NoParentalConsent, chain.name(), Some(word));
                return Self { scope: None, ..denial };
            }
            (Finding::Silent, _) if chain.exists => {
                return Self::denial(Reason::NoRuleMatched, chain.name(), None);
            }
            (Finding::Silent, _) => return Self::denial(Reason::NoPolicy, None, None),
        };
        let name = match word.policy.kind {
            PolicyKind::Role => Some(&word.policy.name),
            PolicyKind::Resource | PolicyKind::Principal => chain.name(),
        };
        Self { effect: finding.effect(), ..Self::denial(reason, name, Some(word)) }
    }

    /// What follows where not everybody was asked; `chain` is that of the resource.
    pub(super) fn of_stop(stop: &Stop<'r>, chain: &'r Chain<'r>) -> Self {
        match stop {
            Stop::Error(word) => Self::denial(Reason::EvaluationError, Some(&word.policy.name), Some(*word)),
            Stop::CostExceeded => Self::denial(Reason::CostExceeded, chain.name(), None),
        }
    }

    /// The decision about a resource for which `policy` is printed, with the problems that were met on the way to it.
    pub(super) fn decision(self, policy: &Arc<str>, problems: Vec<Problem>) -> ActionDecision {
        let name = printed(self.name);
        let is_own = !Arc::ptr_eq(name, policy) && name != policy;
        let rule = self.word.and_then(|word| word.rule_name());
        ActionDecision {
            effect: self.effect,
            reason: self.reason,
            own_policy: is_own.then(|| Arc::clone(name)),
            matched_scope: self.scope.filter(|scope| !scope.is_empty()).map(Arc::clone),
            rule: rule.map(Arc::clone),
            ground: None,
            problems,
        }
    }

    /// A denial on the word of somebody or nobody, with `name` for the policy.
    fn denial(reason: Reason, name: Option<&'r Arc<str>>, word: Option<Word<'r>>) -> Self {
        let scope = word.map(|word| &word.policy.scope);
        Self { effect: Effect::Deny, reason, name, word, scope }
    }
}

/// The policy of this name as decisions print it.
pub(super) fn printed(name: Option<&Arc<str>>) -> &Arc<str> {
    name.unwrap_or(&NO_MATCH)
}

/// On whose word the decision rests, if on anybody's.
pub(super) fn spokesman<'r>(
    answer: &Result<(&Chain<'_>, Finding<Word<'r>>), Stop<'r>>,
    needs_consent: Option<Word<'r>>,
) -> Option<Word<'r>> {
    match answer {
        Ok((chain, Finding::Silent)) => needs_consent.filter(|_| chain.exists),
        Ok((_, finding)) => finding.word(),
        Err(Stop::Error(word)) => Some(*word),
        Err(Stop::CostExceeded) => None,
    }
}

/// Every action denied without asking anybody, with `name` for the policy.
pub(super) fn deny_all(item: &Item<'_>, reason: Reason, name: Option<&Arc<str>>) -> ResourceEvaluation {
    let (denial, policy) = (Conclusion::denial(reason, name, None), printed(name));
    let actions = item.actions.iter().map(|_| denial.decision(policy, Vec::new())).collect();
    ResourceEvaluation { actions, ..ResourceEvaluation::of_policy(Arc::clone(policy)) }
}

/// As [`deny_all`], because of what is held true.
pub(super) fn deny_all_on(
    ground: Option<&Ground>,
    item: &Item<'_>,
    reason: Reason,
    name: Option<&Arc<str>>,
) -> ResourceEvaluation {
    let mut denied = deny_all(item, reason, name);
    denied.actions.iter_mut().for_each(|decision| decision.ground = ground.cloned().map(Box::new));
    denied
}
