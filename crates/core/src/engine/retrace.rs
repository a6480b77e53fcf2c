//! What a call met on its way, told as the audit trail of the peer does: which policies were looked at, and which
//! expressions had no value.
//!
//! The peer evaluates every variable of a policy as soon as one of its rules is looked at, and reports those that fail;
//! here they are evaluated when they are read. So they are evaluated once more for the trail, on a budget of its own.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::conditions::{CostExceeded, Truth};
use super::observe::Observer;
use super::{Conduct, Settings, decide_as};
use crate::expr::{Budget, EvalErrorKind, Frame, Program, Scope};
use crate::limits::{CALL_COST, EXPR_COST, TRAIL_FAILURES};
use crate::model::{Request, Resource, Timestamp};
use crate::policy::{Condition, Policy, PolicyKind, Snapshot, ancestors};

/// What a call met on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// The policies of which a rule was looked at, and those of the scopes above them, by name, with their files.
    pub policies: BTreeMap<String, String>,
    /// For each resource, in request order, what had no value; each once.
    pub failures: Vec<BTreeSet<Failure>>,
}

/// An expression that had no value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The expression, as written.
    pub expression: String,
    /// What happened.
    pub message: String,
}

/// Decides `request` as [`decide`](super::decide) does and says what was met on the way. At most
/// [`TRAIL_FAILURES`] failures of a resource are told.
#[must_use]
pub fn retrace(snapshot: &Snapshot, request: &Request<'_>, settings: &Settings, now: Timestamp) -> Trail {
    let extra = Budget::new(CALL_COST, EXPR_COST);
    let tracker = Tracker {
        snapshot,
        budget: &extra,
        trail: RefCell::default(),
        frames: RefCell::default(),
        conditions: RefCell::default(),
    };
    let budget = Budget::new(CALL_COST, EXPR_COST);
    // Only what is met on the way is of interest.
    let _ = decide_as(snapshot, request, settings, &Conduct::new(now, &budget).observed(&tracker));
    tracker.trail.into_inner()
}

/// The observer.
struct Tracker<'b> {
    snapshot: &'b Snapshot,
    budget: &'b Budget,
    trail: RefCell<Trail>,
    /// Whose variables, and which conditions, were evaluated for the current resource. Where they lie in memory only
    /// tells them apart.
    frames: RefCell<BTreeSet<*const Frame>>,
    conditions: RefCell<BTreeSet<*const Program>>,
}

impl Tracker<'_> {
    /// Notes `policy` and, as the peer does, the policies of the scopes above it that are about the same.
    fn meet(&self, policy: &Policy) {
        let policies = &mut self.trail.borrow_mut().policies;
        if policies.contains_key(&*policy.name) {
            return;
        }
        let table = match policy.kind {
            PolicyKind::Resource => Some(&self.snapshot.resource_policies),
            PolicyKind::Principal => Some(&self.snapshot.principal_policies),
            PolicyKind::Role => None,
        };
        let above = table.into_iter().flat_map(|table| {
            let scopes = ancestors(&policy.scope).filter_map(|scope| table.of_scope(scope));
            scopes.filter_map(|of_scope| of_scope.of_version(&policy.version)?.get(&policy.subject))
        });
        for policy in above.map(AsRef::as_ref).chain([policy]) {
            policies.insert(policy.name.to_string(), policy.position.file.to_string());
        }
    }

    /// Evaluates every variable that conditions in `scope` may read.
    fn evaluate_variables(&self, scope: &Scope<'_>) {
        if !self.frames.borrow_mut().insert(std::ptr::from_ref(scope.frame())) {
            return;
        }
        let scope = scope.afresh(self.budget);
        for (_, program) in &scope.frame().variables {
            self.evaluate(program, &scope);
        }
    }

    fn evaluate<'s>(&self, program: &'s Program, scope: &Scope<'s>) {
        let Err(error) = program.eval(scope) else { return };
        let mut trail = self.trail.borrow_mut();
        let failures = trail.failures.last_mut().filter(|failures| failures.len() < TRAIL_FAILURES);
        if let Some(failures) = failures.filter(|_| error.kind != EvalErrorKind::CostExceeded) {
            failures.insert(Failure { expression: program.source().to_string(), message: error.message });
        }
    }
}

impl Observer for Tracker<'_> {
    fn begins(&self, _resource: &Resource<'_>) {
        self.trail.borrow_mut().failures.push(BTreeSet::new());
        self.frames.borrow_mut().clear();
        self.conditions.borrow_mut().clear();
    }

    fn judged(&self, condition: &Condition, scope: &Scope<'_>, _truth: Result<Truth, CostExceeded>) {
        self.evaluate_variables(scope);
        if let Condition::Expr(written) = condition
            && self.conditions.borrow_mut().insert(&raw const written.node)
        {
            self.evaluate(&written.node, &scope.afresh(self.budget));
        }
    }

    fn looks_at(&self, policy: &Policy, scope: &Scope<'_>) {
        self.meet(policy);
        self.evaluate_variables(scope);
    }

    fn finds_unlisted(&self, policy: &Policy) {
        self.meet(policy);
    }
}
