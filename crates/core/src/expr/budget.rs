//! What an evaluation may cost.

use std::cell::Cell;

use super::functions::CallError;

/// Cost units left for one call.
#[derive(Debug)]
pub struct Budget {
    /// What the call may still spend, without what the current expression took.
    call: Cell<u64>,
    /// What the current expression may still spend.
    expr: Cell<u64>,
    /// What one expression may spend.
    limit: u64,
    /// Whether something could not be paid for.
    exceeded: Cell<bool>,
    /// Whether an expression asked what time it is.
    time_asked: Cell<bool>,
}

impl Budget {
    /// A budget of `call` units in all, of which one expression may spend `expr`.
    #[must_use]
    pub fn new(call: u64, expr: u64) -> Self {
        Self {
            call: Cell::new(call),
            expr: Cell::new(call.min(expr)),
            limit: expr,
            exceeded: Cell::new(false),
            time_asked: Cell::new(false),
        }
    }

    /// Takes `units` off what the expression and the call may still spend.
    /// When that is not enough, nothing is taken.
    #[inline]
    pub(crate) fn charge(&self, units: usize) -> Result<(), CallError> {
        if self.pays(units) { Ok(()) } else { Err(self.refuse()) }
    }

    /// As [`charge`](Self::charge), for those who take another way when it is not enough: nothing is refused.
    #[inline]
    pub(crate) fn pays(&self, units: usize) -> bool {
        let left = self.expr.get().checked_sub(units as u64);
        self.expr.set(left.unwrap_or(self.expr.get()));
        left.is_some()
    }

    /// Takes `units` off what the call may still spend, for work between expressions.
    /// When that is not enough, nothing is taken.
    pub(crate) fn charge_call(&self, units: usize) -> Result<(), CallError> {
        let Some(left) = self.call.get().checked_sub(units as u64) else {
            return Err(self.refuse());
        };
        self.call.set(left);
        self.expr.set(self.expr.get().min(left));
        Ok(())
    }

    /// What the call may still spend.
    pub(crate) fn left(&self) -> u64 {
        self.call.get()
    }

    /// What the current expression may still spend.
    pub(crate) fn left_to_expression(&self) -> u64 {
        self.expr.get()
    }

    /// Whether an expression asked what time it is. As long as none did, another instant changes nothing.
    pub(crate) fn is_time_asked(&self) -> bool {
        self.time_asked.get()
    }

    /// Notes that an expression asks what time it is.
    pub(crate) fn note_time(&self) {
        self.time_asked.set(true);
    }

    /// Whether something could not be paid for. As long as nothing was refused, a larger budget changes nothing.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded.get()
    }

    /// That something cannot be paid for.
    #[cold]
    pub(crate) fn refuse(&self) -> CallError {
        self.exceeded.set(true);
        CallError::cost()
    }

    /// Runs one expression with a share of its own, and takes what it spent off the call.
    #[inline]
    pub(crate) fn expression<T>(&self, run: impl FnOnce() -> T) -> T {
        let share = self.call.get().min(self.limit);
        let outer = self.expr.replace(share);
        let result = run();
        let spent = share - self.expr.get();
        self.call.set(self.call.get().saturating_sub(spent));
        self.expr.set(outer.min(self.call.get()));
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_that_the_budget_does_not_cover_takes_nothing() {
        let budget = Budget::new(10, 5);
        assert!(budget.charge(6).is_err());
        assert!(budget.charge(5).is_ok());
        assert!(budget.charge(1).is_err());
    }

    #[test]
    fn what_was_refused_is_remembered() {
        let budget = Budget::new(10, 5);
        assert!(budget.charge_call(7).is_ok());
        assert!(!budget.is_exceeded());
        assert!(budget.charge_call(4).is_err());
        assert!(budget.is_exceeded());
        assert!(budget.expression(|| budget.charge(4)).is_err());
        assert!(budget.expression(|| budget.charge(3)).is_ok());
    }

    #[test]
    fn expressions_share_what_the_call_may_spend() {
        let budget = Budget::new(10, 7);
        assert!(budget.expression(|| budget.charge(7)).is_ok());
        assert!(budget.expression(|| budget.charge(7)).is_err());
        assert!(budget.expression(|| budget.charge(3)).is_ok());
        assert!(budget.expression(|| budget.charge(1)).is_err());
    }
}
