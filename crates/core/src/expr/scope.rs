//! What an evaluation reads: the request, the policy's variables, the budget.

use std::cell::RefCell;
use std::sync::Arc;

use super::error::EvalError;
use super::eval::{Evaluated, Machine};
use super::ir::Form;
use super::val::Val;
use super::{Budget, EvalErrorKind, InForce, Program};
use crate::model::{AuxData, Principal, Resource, Timestamp};
use crate::value::Map;

/// The variables that the programs of one policy share, each compiled once.
#[derive(Debug, Default)]
pub struct Frame {
    /// Name and program by slot; a variable only uses variables of lower slots.
    pub variables: Vec<(Arc<str>, Program)>,
}

/// What an evaluation of a policy's expression reads.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'r> {
    /// `request.principal`, `P`.
    pub principal: &'r Principal<'r>,
    /// `request.resource`, `R`.
    pub resource: &'r Resource<'r>,
    /// `request.context`.
    pub context: Option<&'r Map<'r>>,
    /// `request.auxData`.
    pub aux_data: &'r AuxData<'r>,
    /// `globals`, `G`.
    pub globals: &'r Map<'r>,
    /// `now()`: one instant per call.
    pub now: Timestamp,
    /// What a variable that errs is to those who ask whether it has a value.
    pub failed_variable: FailedVariable,
    /// `runtime.effectiveDerivedRoles`, sorted; `None` where they are not known: whoever asks for them errs.
    pub derived_roles: Option<&'r [Arc<str>]>,
    /// `signals`, `S`; `None` if there are none.
    pub signals: Option<&'r InForce<'r>>,
}

/// What `has(V.x)`, `V.?x` and `V` as a whole make of a variable that errs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedVariable {
    /// An error, as everywhere else.
    Errs,
    /// It has no value, as for the peer.
    IsAbsent,
}

/// What an evaluation of an expression that stands alone reads.
#[derive(Clone, Copy, Debug)]
pub struct Bindings<'r> {
    /// The values of the declared variables by slot; what is `None` or missing is absent.
    pub values: &'r [Option<Val<'r>>],
    /// `now()`.
    pub now: Timestamp,
}

/// One policy's view of one request: inputs, memoised variables and the budget of the call.
#[derive(Debug)]
pub struct Scope<'r> {
    inputs: Source<'r>,
    frame: &'r Frame,
    budget: &'r Budget,
    /// What the variables yielded, by slot, as far as they were used.
    memo: RefCell<Vec<Option<Evaluated<'r>>>>,
}

#[derive(Clone, Copy, Debug)]
enum Source<'r> {
    Request(Inputs<'r>),
    Bindings(Bindings<'r>),
}

static NO_VARIABLES: Frame = Frame { variables: Vec::new() };

impl<'r> Scope<'r> {
    /// A fresh scope; variables are evaluated at most once in it, on first use.
    #[must_use]
    pub fn new(inputs: Inputs<'r>, frame: &'r Frame, budget: &'r Budget) -> Self {
        Self { inputs: Source::Request(inputs), frame, budget, memo: RefCell::default() }
    }

    /// A scope for expressions that were compiled with [`Declarations`](super::Declarations).
    #[must_use]
    pub fn of_bindings(bindings: Bindings<'r>, budget: &'r Budget) -> Self {
        let inputs = Source::Bindings(bindings);
        Self { inputs, frame: &NO_VARIABLES, budget, memo: RefCell::default() }
    }

    /// A scope for the same expressions that pays from `budget` and remembers nothing yet.
    pub(crate) fn afresh<'s>(&self, budget: &'s Budget) -> Scope<'s>
    where
        'r: 's,
    {
        Scope { inputs: self.inputs, frame: self.frame, budget, memo: RefCell::default() }
    }

    pub(crate) fn frame(&self) -> &'r Frame {
        self.frame
    }

    /// A scope with nothing in it, for constants.
    pub(crate) fn empty(budget: &'r Budget) -> Self {
        Self::of_bindings(Bindings { values: &[], now: Timestamp::UNIX_EPOCH }, budget)
    }

    pub(crate) fn budget(&self) -> &'r Budget {
        self.budget
    }

    pub(crate) fn now(&self) -> Timestamp {
        match &self.inputs {
            Source::Request(inputs) => inputs.now,
            Source::Bindings(bindings) => bindings.now,
        }
    }

    pub(crate) fn inputs(&self) -> Option<&Inputs<'r>> {
        match &self.inputs {
            Source::Request(inputs) => Some(inputs),
            Source::Bindings(_) => None,
        }
    }

    pub(crate) fn declared(&self, slot: usize) -> Option<Val<'r>> {
        match &self.inputs {
            Source::Request(_) => None,
            Source::Bindings(bindings) => bindings.values.get(slot)?.clone(),
        }
    }

    /// The value of the variable in `slot`, evaluated on first use.
    pub(crate) fn variable(&self, slot: usize) -> Evaluated<'r> {
        if let Some(value) = self.constant(slot) {
            return Ok(value.borrowed());
        }
        if let Some(known) = self.remembered(slot) {
            return known;
        }
        match self.frame.variables.get(slot) {
            Some((_, program)) if program.uses().is_empty() => self.evaluated(slot, program),
            _ => self.evaluated_in_order(slot),
        }
    }

    /// What `look` makes of the variable in `slot`; `None` if that is still to be evaluated, or has no value.
    pub(crate) fn look_at<T>(&self, slot: usize, look: impl Fn(&Val<'r>) -> Option<T>) -> Option<T> {
        if let Some(value) = self.constant(slot) {
            return look(&value.borrowed());
        }
        match self.memo.borrow().get(slot) {
            Some(Some(Ok(value))) => look(value),
            _ => None,
        }
    }

    /// The value of a variable that depends on nothing: it is not worth remembering.
    fn constant(&self, slot: usize) -> Option<&'r Val<'static>> {
        self.frame.variables.get(slot)?.1.constant()?.ok()
    }

    /// As [`variable`](Self::variable): what it uses is evaluated first, from a list rather than by recursion, so
    /// that variables may be chained at any length without using up the stack.
    fn evaluated_in_order(&self, slot: usize) -> Evaluated<'r> {
        let mut pending = vec![slot];
        while let Some(&next) = pending.last() {
            if self.is_known(next) {
                pending.pop();
                continue;
            }
            let Some((_, program)) = self.frame.variables.get(next) else {
                break;
            };
            let waiting = pending.len();
            // INVARIANT(lower-slots): lower slots only, so this ends even if a frame were not sorted.
            let unknown = program.uses().iter().map(|used| *used as usize);
            pending.extend(unknown.filter(|used| *used < next && !self.is_known(*used)));
            if pending.len() == waiting {
                // What it yields is remembered.
                let _ = self.evaluated(next, program);
                pending.pop();
            }
        }
        self.remembered(slot).unwrap_or_else(|| {
            Err(EvalError::new(EvalErrorKind::NoSuchKey, 0..0, "no such key".to_owned()).into())
        })
    }

    fn evaluated(&self, slot: usize, program: &'r Program) -> Evaluated<'r> {
        let result = program.run(self);
        let mut memo = self.memo.borrow_mut();
        if memo.is_empty() {
            memo.resize(self.frame.variables.len(), None);
        }
        if let Some(place) = memo.get_mut(slot) {
            *place = Some(result.clone());
        }
        result
    }

    /// The name of the variable in `slot`.
    pub(crate) fn name(&self, slot: usize) -> &'r str {
        self.frame.variables.get(slot).map_or("", |(name, _)| name)
    }

    fn is_known(&self, slot: usize) -> bool {
        self.constant(slot).is_some() || matches!(self.memo.borrow().get(slot), Some(Some(_)))
    }

    fn remembered(&self, slot: usize) -> Option<Evaluated<'r>> {
        self.memo.borrow().get(slot)?.clone()
    }
}

impl Program {
    /// Evaluates with a share of the budget of its own.
    pub(super) fn run<'r>(&'r self, scope: &Scope<'r>) -> Evaluated<'r> {
        if let Some(error) = &self.spoilt {
            return Err(error.clone());
        }
        scope.budget.expression(|| Machine::new(scope, &self.constants).eval(&self.form.root))
    }

    /// As [`run`](Self::run), for those who ask for a boolean.
    #[inline]
    pub(super) fn ask<'r>(&'r self, scope: &Scope<'r>) -> Result<Option<bool>, Box<EvalError>> {
        if let Some(error) = &self.spoilt {
            return Err(error.clone());
        }
        self.form.holds(scope, &self.constants)
    }
}

impl Form {
    /// As [`Program::holds`] of the expression that has these `constants`.
    #[inline]
    pub(crate) fn holds<'r>(
        &'r self,
        scope: &Scope<'r>,
        constants: &'r [Val<'static>],
    ) -> Result<Option<bool>, Box<EvalError>> {
        scope.budget.expression(|| Machine::new(scope, constants).truth(&self.root))
    }
}
