//! Calls natives directly, for the unit tests beside them.

use super::{CallCx, CallError, Function, LIBRARIES};
use crate::expr::Budget;
use crate::expr::val::Val;
use crate::limits;

/// Calls a function by name with a full budget; the instant is the start of 2026.
pub(crate) fn call<'r>(name: &str, args: &[Val<'r>]) -> Result<Val<'r>, CallError> {
    call_within(limits::EXPR_COST, name, args)
}

/// Calls a function by name with `units` to spend.
pub(crate) fn call_within<'r>(units: u64, name: &str, args: &[Val<'r>]) -> Result<Val<'r>, CallError> {
    let budget = Budget::new(units, units);
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    (function(name).call)(&CallCx { now, budget: &budget }, args)
}

/// Asserts what a call answers.
pub(crate) fn check(name: &str, args: &[Val<'_>], expected: &Val<'_>) {
    let answer = call(name, args).unwrap_or_else(|error| panic!("{name}({args:?}): {error:?}"));
    let budget = Budget::new(limits::EXPR_COST, limits::EXPR_COST);
    let same = expected.equals(&answer, &budget).unwrap();
    assert!(same, "{name}({args:?}) is {answer:?}, not {expected:?}");
}

/// Asserts that a call fails.
pub(crate) fn refuses(name: &str, args: &[Val<'_>]) {
    let answer = call(name, args);
    assert!(answer.is_err(), "{name}({args:?}) is {answer:?}, not an error");
}

pub(crate) fn s<'r>(text: &str) -> Val<'r> {
    Val::string(text)
}

pub(crate) fn texts<'r>(items: &[&str]) -> Val<'r> {
    Val::list(items.iter().map(|item| s(item)).collect())
}

pub(crate) fn ints<'r>(items: &[i64]) -> Val<'r> {
    Val::list(items.iter().copied().map(Val::Int).collect())
}

fn function(name: &str) -> &'static Function {
    let mut all = LIBRARIES.iter().flat_map(|library| library.iter());
    all.find(|function| function.name == name).unwrap_or_else(|| panic!("no function {name}"))
}
