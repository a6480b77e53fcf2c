//! One action that is asked for, and what is met on the way to its decision.

use std::sync::Arc;

use super::combine::Finding;
use super::conditions::CostExceeded;
use crate::limits::ACTION_PROBLEMS;
use crate::model::{OutputEntry, Problem, Reason};
use crate::policy::{Policy, Rule};

/// One action that is asked for.
pub(super) struct Question<'r> {
    pub(super) action: &'r str,
    /// What visited rules put out.
    pub(super) outputs: Vec<OutputEntry>,
    /// The first allow rule that applies and needs the consent of the scopes above.
    pub(super) needs_consent: Option<Word<'r>>,
    problems: Vec<Problem>,
    /// Where problems were noted from. Only compared, so that where things lie in memory changes nothing.
    noted: Vec<*const Problem>,
}

/// Who has said something, and the reason that decisions give if nobody outweighs it.
#[derive(Clone, Copy)]
pub(super) struct Word<'r> {
    pub(super) policy: &'r Policy,
    /// Where the rule is among those of the policy; nothing where a role policy has no rule about the action.
    pub(super) rule: Option<usize>,
    pub(super) reason: Reason,
}

impl<'r> Word<'r> {
    /// The rule.
    pub(super) fn rule(&self) -> Option<&'r Rule> {
        self.policy.rules.get(self.rule?)
    }

    /// The name of the rule.
    pub(super) fn rule_name(&self) -> Option<&'r Arc<str>> {
        self.policy.table.rules.get(self.rule?).map(|brief| &brief.name)
    }
}

/// Why a question ends before everybody was asked.
pub(super) enum Stop<'r> {
    /// It would cost more than a call may spend.
    CostExceeded,
    /// An error was met, and evaluation is strict.
    Error(Word<'r>),
}

/// What is said to a role, and by whom; or why nobody was asked to the end.
pub(super) type Answer<'r> = Result<Finding<Word<'r>>, Stop<'r>>;

impl<'r> Question<'r> {
    pub(super) fn about(action: &'r str) -> Self {
        Self { action, outputs: Vec::new(), needs_consent: None, problems: Vec::new(), noted: Vec::new() }
    }

    /// Notes what went wrong with a condition, once, however often it is consulted.
    pub(super) fn note(&mut self, problems: &[Problem]) {
        let room = ACTION_PROBLEMS - self.problems.len();
        // What finds no room is not looked for among thousands of others.
        if room > 0 && !problems.is_empty() && !self.noted.contains(&problems.as_ptr()) {
            self.noted.push(problems.as_ptr());
            self.problems.extend(problems.iter().take(room).cloned());
        }
    }

    /// Notes what ends the question: it comes first.
    pub(super) fn note_end(&mut self, problem: Problem) {
        self.problems.insert(0, problem);
        self.problems.truncate(ACTION_PROBLEMS);
    }

    /// Everything that was met: outputs and problems.
    pub(super) fn into_met(self) -> (Vec<OutputEntry>, Vec<Problem>) {
        (self.outputs, self.problems)
    }
}

impl From<CostExceeded> for Stop<'_> {
    fn from(CostExceeded: CostExceeded) -> Self {
        Stop::CostExceeded
    }
}
