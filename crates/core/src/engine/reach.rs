//! Which rules and derived roles of a resource policy are about the roles of the principal, whatever the attributes.

use super::Call;
use super::conditions::CostExceeded;
use super::roles::HeldRole;
use crate::policy::{Mask, Policy};

/// What one policy makes of the roles of the principal.
pub(super) struct Reach {
    /// Of all of them together.
    pub(super) all: Reached,
    /// Of each role, in the order of the request, if there are several.
    each: Vec<Reached>,
}

/// What one policy makes of one role, with the roles above it.
#[derive(Default)]
pub(super) struct Reached {
    /// The rules that name it.
    pub(super) named: Mask,
    /// These, and the rules that name a derived role which can follow from it.
    pub(super) spoken: Mask,
    /// The derived roles that can follow from it.
    pub(super) derived_roles: Mask,
}

impl Reach {
    /// What `policy` makes of `roles`.
    pub(super) fn of(policy: &Policy, roles: &[HeldRole<'_>], call: &Call<'_>) -> Result<Self, CostExceeded> {
        if let [role] = roles {
            return Ok(Self { all: Reached::by(policy, role, call)?, each: Vec::new() });
        }
        let mut all = Reached::none_of(policy);
        let mut each = Vec::with_capacity(roles.len());
        for role in roles {
            let reached = Reached::by(policy, role, call)?;
            all.add(&reached);
            each.push(reached);
        }
        Ok(Self { all, each })
    }

    /// What the policy makes of the role at index `role`.
    pub(super) fn of_role(&self, role: usize) -> Option<&Reached> {
        if self.each.is_empty() { Some(&self.all) } else { self.each.get(role) }
    }
}

impl Reached {
    fn none_of(policy: &Policy) -> Self {
        let rules = || Mask::below(policy.table.rules.len());
        let derived_roles = Mask::below(policy.table.derived_roles.len());
        Self { named: rules(), spoken: rules(), derived_roles }
    }

    fn add(&mut self, other: &Self) {
        self.named.add_all(&other.named);
        self.spoken.add_all(&other.spoken);
        self.derived_roles.add_all(&other.derived_roles);
    }

    fn by(policy: &Policy, role: &HeldRole<'_>, call: &Call<'_>) -> Result<Self, CostExceeded> {
        let mut reached = Self::none_of(policy);
        let words = 2 * reached.named.words() + reached.derived_roles.words();
        call.charge((1 + role.count()).saturating_mul(words))?;
        for name in role.names() {
            for speaking in policy.table.speakers.to(name) {
                reached.named.add(&speaking.named);
                reached.spoken.add(&speaking.spoken);
                reached.derived_roles.add(&speaking.derived);
            }
        }
        Ok(reached)
    }
}
