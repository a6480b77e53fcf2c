//! What is answered about an action, after everybody was asked.

use std::sync::{Arc, LazyLock};

use super::combine::Finding;
use super::question::{Stop, Word};
use super::target::Chain;
use crate::model::{ActionDecision, Effect, Item, Reason, ResourceEvaluation};
use crate::policy::PolicyKind;

/// What decisions print where no policy could decide.
static NO_MATCH: LazyLock<Arc<str>> = LazyLock::new(|| "NO_MATCH".into());

/// The decision that follows from what was said on `chain`; `needs_consent` is an allow rule that waits for the scopes
/// above. Problems are still to be added.
pub(super) fn of(
    chain: &Chain<'_>,
    finding: Finding<Word<'_>>,
    needs_consent: Option<Word<'_>>,
) -> ActionDecision {
    let (reason, word) = match (finding, needs_consent) {
        (Finding::Allow(word) | Finding::Deny(word), _) => (word.reason, word),
        (Finding::DenyUndecided(word), _) => (Reason::DenyRuleUndecided, word),
        (Finding::Silent, Some(word)) if chain.exists => {
            let decision = decision(Reason::NoParentalConsent, chain.name(), Some(word));
            // No scope has decided.
            return ActionDecision { matched_scope: Arc::default(), ..decision };
        }
        (Finding::Silent, _) if chain.exists => {
            return decision(Reason::NoRuleMatched, chain.name(), None);
        }
        (Finding::Silent, _) => return decision(Reason::NoPolicy, None, None),
    };
    let name = match word.policy.kind {
        PolicyKind::Role => Some(&word.policy.name),
        PolicyKind::Resource | PolicyKind::Principal => chain.name(),
    };
    ActionDecision { effect: finding.effect(), ..decision(reason, name, Some(word)) }
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

/// The decision where not everybody was asked; `chain` is that of the resource.
pub(super) fn of_stop(stop: &Stop<'_>, chain: &Chain<'_>) -> ActionDecision {
    match stop {
        Stop::Error(word) => decision(Reason::EvaluationError, Some(&word.policy.name), Some(*word)),
        Stop::CostExceeded => decision(Reason::CostExceeded, chain.name(), None),
    }
}

/// Every action denied without asking anybody, with `name` for the policy.
pub(super) fn deny_all(item: &Item<'_>, reason: Reason, name: Option<&Arc<str>>) -> ResourceEvaluation {
    let actions = item.actions.iter().map(|_| decision(reason, name, None)).collect();
    ResourceEvaluation { actions, ..ResourceEvaluation::default() }
}

/// A denial on the word of somebody or nobody, with `name` for the policy.
fn decision(reason: Reason, name: Option<&Arc<str>>, word: Option<Word<'_>>) -> ActionDecision {
    ActionDecision {
        effect: Effect::Deny,
        reason,
        matched_policy: Arc::clone(name.unwrap_or(&NO_MATCH)),
        matched_scope: word.map_or_else(Arc::default, |word| Arc::clone(&word.policy.scope)),
        rule: word.and_then(|word| word.rule_name()).map(Arc::clone),
        problems: Vec::new(),
    }
}
