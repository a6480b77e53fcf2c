//! Which derived roles hold: the principal has one of the parent roles and the condition is true.

use std::sync::Arc;

use super::Call;
use super::conditions::{self, Judged, Truth};
use super::roles::HeldRole;
use crate::expr::{Frame, Inputs, Scope};
use crate::model::Problem;
use crate::policy::{DerivedRole, Policy};

/// The derived roles of one policy, for one principal and resource.
pub(super) struct DerivedRoles {
    judged: Vec<Judged>,
    held: Vec<Arc<str>>,
    /// Whether conditions may read which of them hold.
    known: bool,
}

impl DerivedRoles {
    /// Evaluates the condition of every derived role of which the principal has a parent role.
    pub(super) fn judge<'r>(
        call: &Call<'r>,
        policy: &'r Policy,
        roles: &[HeldRole<'r>],
        inputs: Inputs<'r>,
    ) -> Self {
        // A derived role that asks which derived roles hold sees none: their order must not matter.
        let inputs = Inputs { derived_roles: Some(&[]), ..inputs };
        let mut scopes = Scopes { inputs, call, roles, opened: Vec::new() };
        let judged: Vec<_> = policy.derived_roles.iter().map(|role| scopes.judge(role)).collect();
        // Under strict evaluation one that met an error is neither held nor not held.
        let is_settled = |judged: &Judged| !(judged.erred && call.settings.strict_evaluation);
        let holds = |judged: &Judged| judged.truth == Ok(Truth::True) && is_settled(judged);
        let by_name = judged.iter().zip(&policy.derived_roles);
        let held = by_name.filter(|(judged, _)| holds(judged)).map(|(_, role)| role.name.clone());
        let is_known =
            |judged: &Judged| matches!(judged.truth, Ok(Truth::True | Truth::False)) && is_settled(judged);
        let derived_roles = Self { held: held.collect(), known: judged.iter().all(is_known), judged };
        if let Some(observer) = call.observer {
            observer.established(policy, &derived_roles, roles);
        }
        derived_roles
    }

    /// The names of those that hold for certain, sorted.
    pub(super) fn held(&self) -> &[Arc<str>] {
        &self.held
    }

    /// What conditions may read: the names that hold, unless that is undecided for any of them, or under strict
    /// evaluation an error was met.
    pub(super) fn known(&self) -> Option<&[Arc<str>]> {
        self.known.then_some(&self.held)
    }

    /// Whether the derived role at `index` of the policy holds; one that could not be paid for does not.
    pub(super) fn truth(&self, index: usize) -> Truth {
        self.judged.get(index).and_then(|judged| judged.truth.ok()).unwrap_or(Truth::Undecided)
    }

    /// The derived role at `index` as it was evaluated.
    pub(super) fn judged(&self, index: usize) -> Option<&Judged> {
        self.judged.get(index)
    }

    /// What went wrong while the derived role at `index` was evaluated.
    pub(super) fn problems(&self, index: usize) -> &[Problem] {
        self.judged.get(index).map_or(&[], |judged| &judged.problems)
    }

    /// The first derived role whose condition cost more than the call may spend.
    pub(super) fn too_costly(&self) -> Option<&Judged> {
        self.judged.iter().find(|judged| judged.truth.is_err())
    }
}

/// One scope per file of derived roles, so that each variable of it is evaluated at most once.
struct Scopes<'c, 'r> {
    inputs: Inputs<'r>,
    call: &'c Call<'r>,
    roles: &'c [HeldRole<'r>],
    opened: Vec<(&'r Arc<Frame>, Scope<'r>)>,
}

impl<'r> Scopes<'_, 'r> {
    fn judge(&mut self, role: &'r DerivedRole) -> Judged {
        let names = self.roles.iter().map(|held| held.names.len()).sum();
        if let Err(exceeded) = self.call.charge(names) {
            return Judged { truth: Err(exceeded), erred: false, broken: false, problems: Vec::new() };
        }
        if !self.roles.iter().any(|held| held.ways_into(&role.parent_roles) > 0) {
            return Judged { truth: Ok(Truth::False), erred: false, broken: false, problems: Vec::new() };
        }
        if let Some((_, scope)) = self.opened.iter().find(|(frame, _)| Arc::ptr_eq(frame, &role.frame)) {
            return conditions::judge(role.condition.as_ref(), scope, self.call, &role.name);
        }
        let scope = Scope::new(self.inputs, &role.frame, self.call.budget);
        let judged = conditions::judge(role.condition.as_ref(), &scope, self.call, &role.name);
        self.opened.push((&role.frame, scope));
        judged
    }
}
