//! Whether a condition is true, false or undecided.
//!
//! A leaf that errs or yields no boolean is undecided under [`OnError::Closed`] and false under
//! [`OnError::Cerbos`]. Blocks follow Kleene's three-valued logic, so an undecided item matters only where the
//! others leave the outcome open:
//!
//! | block | false if | true if | undecided |
//! |---|---|---|---|
//! | `all` | any item is false | every item is true | otherwise |
//! | `any` | every item is false | any item is true | otherwise |
//! | `none` | any item is true | every item is false | otherwise |

use std::ops::Range;
use std::sync::Arc;

use super::observe::Observer;
use super::{Call, OnError};
use crate::expr::{EvalError, EvalErrorKind, Program, Scope};
use crate::limits::ACTION_PROBLEMS;
use crate::model::{Problem, ProblemCode};
use crate::policy::{Brief, Condition, Criterion, DerivedBrief, Policy, Spanned};

/// What a condition comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It could be either: part of it cannot be evaluated.
    Undecided,
}

/// The condition cost more than the expression or the call may spend; the action must be denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CostExceeded;

/// A condition that has been evaluated, and what went wrong on the way.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    /// At most [`ACTION_PROBLEMS`].
    pub(super) problems: Vec<Problem>,
}

/// How the evaluation of a condition ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    /// What it came to.
    pub(super) truth: Result<Truth, CostExceeded>,
    /// Whether an error was met on the way, even one that leaves the truth as it is. For the peer a value that is
    /// no boolean is none.
    pub(super) erred: bool,
    /// Whether a constant that is not what it is converted to ended it: for the peer such a condition is not met and
    /// puts nothing out.
    pub(super) broken: bool,
}

impl Verdict {
    /// Where nothing went wrong but, at most, the cost.
    pub(super) const fn of(truth: Result<Truth, CostExceeded>) -> Self {
        Self { truth, erred: false, broken: false }
    }
}

impl Default for Verdict {
    fn default() -> Self {
        Self::of(Ok(Truth::Undecided))
    }
}

/// Evaluates the condition of `owner` in `scope`. No condition at all holds.
pub(super) fn judge<'r>(owner: Owner<'r>, scope: &Scope<'r>, call: &Call<'_>) -> Judged {
    let (on_error, observer) = (call.settings.on_error, call.observer);
    let mut judge = Judge { scope, on_error, observer, owner, erred: false, problems: Vec::new() };
    let truth = match (owner.criterion, observer) {
        (Some(criterion), None) => judge.weighed(criterion),
        _ => owner.condition().map_or(Ok(Truth::True), |condition| judge.truth(condition)),
    };
    let broken = matches!(truth, Err(Ended::Broken));
    let verdict = Verdict { truth: settled(truth), erred: judge.erred, broken };
    Judged { verdict, problems: judge.problems }
}

/// A rule or derived role with a condition.
#[derive(Clone, Copy)]
pub(super) struct Owner<'r> {
    policy: &'r Policy,
    whose: Whose,
    /// What problems are reported for.
    name: &'r Arc<str>,
    criterion: Option<&'r Criterion>,
}

#[derive(Clone, Copy)]
enum Whose {
    Rule(usize),
    DerivedRole(usize),
}

impl<'r> Owner<'r> {
    /// The rule of `policy` at `index`.
    pub(super) fn rule(policy: &'r Policy, (index, brief): (usize, &'r Brief)) -> Self {
        Self { policy, whose: Whose::Rule(index), name: &brief.name, criterion: brief.criterion.as_ref() }
    }

    /// The derived role of `policy` at `index`.
    pub(super) fn derived_role(policy: &'r Policy, (index, brief): (usize, &'r DerivedBrief)) -> Self {
        let criterion = brief.criterion.as_ref();
        Self { policy, whose: Whose::DerivedRole(index), name: &brief.name, criterion }
    }

    /// The condition as it is written. It is read only where a problem has to be reported or somebody looks on: with
    /// many policies it is far away.
    fn condition(&self) -> Option<&'r Condition> {
        match self.whose {
            Whose::Rule(index) => self.policy.rules.get(index)?.condition.as_ref(),
            Whose::DerivedRole(index) => self.policy.derived_roles.get(index)?.condition.as_ref(),
        }
    }
}

impl Truth {
    /// The truth of the opposite.
    pub(super) fn not(self) -> Truth {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Undecided => Truth::Undecided,
        }
    }
}

/// Why a condition comes to an end before it is decided.
#[derive(Clone, Copy)]
enum Ended {
    CostExceeded,
    Broken,
}

/// What it comes to then.
fn settled(truth: Result<Truth, Ended>) -> Result<Truth, CostExceeded> {
    match truth {
        Ok(truth) => Ok(truth),
        Err(Ended::Broken) => Ok(Truth::False),
        Err(Ended::CostExceeded) => Err(CostExceeded),
    }
}

struct Judge<'s, 'r> {
    scope: &'s Scope<'r>,
    on_error: OnError,
    observer: Option<&'s dyn Observer>,
    owner: Owner<'r>,
    erred: bool,
    problems: Vec<Problem>,
}

impl<'r> Judge<'_, 'r> {
    fn truth(&mut self, condition: &'r Condition) -> Result<Truth, Ended> {
        let Some(observer) = self.observer else {
            return self.unwatched(condition);
        };
        if let Some(assumed) = observer.assumed(condition) {
            return Ok(if assumed { Truth::True } else { Truth::False });
        }
        let truth = self.unwatched(condition);
        observer.judged(condition, self.scope, settled(truth));
        truth
    }

    fn unwatched(&mut self, condition: &'r Condition) -> Result<Truth, Ended> {
        match condition {
            Condition::Expr(program) => self.leaf(program),
            Condition::All(items) => self.until(Truth::False, items, Self::truth),
            Condition::Any(items) => self.until(Truth::True, items, Self::truth),
            Condition::None(items) => self.until(Truth::True, items, Self::truth).map(Truth::not),
        }
    }

    /// As [`unwatched`](Self::unwatched) of the condition as it is written.
    fn weighed(&mut self, criterion: &'r Criterion) -> Result<Truth, Ended> {
        match criterion {
            Criterion::Expr(leaf) => {
                let answer = leaf.form.holds(self.scope, leaf.constants(&self.owner.policy.constants));
                let owner = self.owner;
                self.settled(answer, || leaf.written(owner.condition()?))
            }
            Criterion::All(items) => self.until(Truth::False, items, Self::weighed),
            Criterion::Any(items) => self.until(Truth::True, items, Self::weighed),
            Criterion::None(items) => self.until(Truth::True, items, Self::weighed).map(Truth::not),
        }
    }

    /// `decisive` as soon as one item comes to it; undecided if any item is; otherwise the opposite.
    fn until<T>(
        &mut self,
        decisive: Truth,
        items: &'r [T],
        truth: fn(&mut Self, &'r T) -> Result<Truth, Ended>,
    ) -> Result<Truth, Ended> {
        let mut outcome = decisive.not();
        for item in items {
            let truth = truth(self, item)?;
            if truth == decisive {
                return Ok(decisive);
            }
            if truth == Truth::Undecided {
                outcome = Truth::Undecided;
            }
        }
        Ok(outcome)
    }

    fn leaf(&mut self, program: &'r Spanned<Program>) -> Result<Truth, Ended> {
        self.settled(program.node.holds(self.scope), || Some(program))
    }

    /// What an expression comes to by its `answer`; what goes wrong is reported for the program that was `written`.
    fn settled(
        &mut self,
        answer: Result<Option<bool>, Box<EvalError>>,
        written: impl FnOnce() -> Option<&'r Spanned<Program>>,
    ) -> Result<Truth, Ended> {
        let error = match answer {
            Ok(Some(true)) => return Ok(Truth::True),
            Ok(Some(false)) => return Ok(Truth::False),
            Ok(None) => {
                let message = "the condition yields a value that is not a boolean".to_owned();
                self.note(ProblemCode::NotBoolean, written(), 0..0, message);
                self.erred |= self.on_error == OnError::Closed;
                return Ok(self.failed());
            }
            Err(error) => error,
        };
        if error.kind == EvalErrorKind::CostExceeded {
            self.note(ProblemCode::CostExceeded, written(), error.range.clone(), error.account());
            return Err(Ended::CostExceeded);
        }
        self.note(ProblemCode::ConditionError, written(), error.range.clone(), error.account());
        self.erred = true;
        if error.kind == EvalErrorKind::BadConstant && self.on_error == OnError::Cerbos {
            return Err(Ended::Broken);
        }
        Ok(self.failed())
    }

    fn failed(&self) -> Truth {
        match self.on_error {
            OnError::Closed => Truth::Undecided,
            OnError::Cerbos => Truth::False,
        }
    }

    fn note(
        &mut self,
        code: ProblemCode,
        program: Option<&Spanned<Program>>,
        range: Range<usize>,
        message: String,
    ) {
        let Some(program) = program.filter(|_| self.problems.len() < ACTION_PROBLEMS) else {
            return;
        };
        self.problems.push(Problem {
            code,
            source: Arc::clone(self.owner.name),
            expression: Arc::clone(program.node.source()),
            position: program.locate(range.start).to_string().into(),
            message,
        });
    }
}
