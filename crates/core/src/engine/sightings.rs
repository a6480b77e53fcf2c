//! What has been met of a policy set over any number of calls: for those who measure what tests cover.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::conditions::{CostExceeded, Truth};
use super::observe::{Observer, Visited};
use crate::expr::Scope;
use crate::policy::{Condition, Rule};

/// Which rules were asked and applied, and what conditions came to. Where they lie in memory only tells them apart, so
/// one policy set must outlive it.
#[derive(Default)]
pub(crate) struct Sightings {
    rules: RefCell<BTreeMap<*const Rule, bool>>,
    conditions: RefCell<BTreeMap<*const Condition, Met>>,
}

/// What a condition has come to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Met {
    pub(crate) true_once: bool,
    pub(crate) false_once: bool,
}

impl Sightings {
    /// Whether `rule` has applied; nothing if it was never asked.
    pub(crate) fn of_rule(&self, rule: &Rule) -> Option<bool> {
        self.rules.borrow().get(&std::ptr::from_ref(rule)).copied()
    }

    /// What `condition` has come to.
    pub(crate) fn of_condition(&self, condition: &Condition) -> Met {
        self.conditions.borrow().get(&std::ptr::from_ref(condition)).copied().unwrap_or_default()
    }
}

impl Observer for Sightings {
    fn judged(&self, condition: &Condition, _scope: &Scope<'_>, truth: Result<Truth, CostExceeded>) {
        let mut conditions = self.conditions.borrow_mut();
        let met = conditions.entry(condition).or_default();
        met.true_once |= truth == Ok(Truth::True);
        met.false_once |= truth == Ok(Truth::False);
    }

    fn visits(&self, visit: &Visited<'_>) {
        *self.rules.borrow_mut().entry(visit.rule).or_default() |= visit.activated;
    }
}
