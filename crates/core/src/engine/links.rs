//! How a rule comes to speak to a role of the principal: by naming it or a role above it, or through derived roles that
//! it names.

use super::Call;
use super::conditions::{CostExceeded, Truth};
use super::derived_roles::DerivedRoles;
use super::reach::{Reach, Reached};
use super::roles::HeldRole;
use crate::policy::{Brief, Mask, Policy, Rule, Stance};

/// Derived roles of a rule that are looked at for one cost unit.
const DERIVED_ROLES_PER_UNIT: usize = 16;

/// One rule and one role.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    /// Whether the rule is about the role.
    pub(super) speaks: bool,
    /// Whether the rule names the role, or one above it.
    pub(super) named: bool,
    /// Whether it is certain that the rule is about the role.
    pub(super) certain: bool,
    /// Whether a derived role through which it could be so met a problem.
    pub(super) erring: bool,
}

impl Link {
    /// The link of a rule that speaks to whoever its policy is about.
    pub(super) const DIRECT: Link = Link { speaks: true, named: true, certain: true, erring: false };
}

/// A rule, and where it is among those of its policy.
#[derive(Clone, Copy)]
pub(super) struct Placed<'r> {
    pub(super) index: usize,
    /// What is read first: the rule itself is not needed often, and where there are many policies it is far away.
    pub(super) brief: &'r Brief,
    pub(super) rule: &'r Rule,
}

impl<'r> Placed<'r> {
    /// The rule of `policy` at `index`.
    pub(super) fn of(policy: &'r Policy, index: usize) -> Option<Self> {
        Some(Self { index, brief: policy.table.rules.get(index)?, rule: policy.rules.get(index)? })
    }
}

/// What the links of one resource policy are found from.
#[derive(Clone, Copy)]
pub(super) struct Links<'r> {
    pub(super) policy: &'r Policy,
    pub(super) roles: &'r [HeldRole<'r>],
    pub(super) reach: &'r Reach,
    pub(super) derived_roles: &'r DerivedRoles,
}

impl<'r> Links<'r> {
    /// The rules that can speak to the role at index `role`.
    pub(super) fn spoken(&self, role: usize) -> Option<&'r Mask> {
        self.reach.of_role(role).map(|reached| &reached.spoken)
    }

    /// How a rule speaks to the role at index `role`.
    pub(super) fn of(&self, placed: Placed<'_>, role: usize, call: &Call<'_>) -> Result<Link, CostExceeded> {
        let Some(reached) = self.reach.of_role(role) else {
            return Ok(Link::default());
        };
        let Placed { index, brief, .. } = placed;
        let named = reached.named.contains(index);
        let mut link = Link { speaks: named, named, certain: named, erring: false };
        call.charge(brief.derived_roles.len() / DERIVED_ROLES_PER_UNIT)?;
        let may_err = self.derived_roles.met_problems();
        for derived in following(brief, reached) {
            let truth = self.derived_roles.truth(derived);
            link.certain |= truth == Truth::True;
            link.speaks |= counts(truth, brief.stance);
            link.erring |= may_err && self.derived_roles.is_erring(derived);
        }
        Ok(link)
    }

    /// By how many ways a rule speaks to the role at index `role`, as the peer counts them.
    pub(super) fn ways(
        &self,
        placed: Placed<'_>,
        role: usize,
        call: &Call<'_>,
    ) -> Result<usize, CostExceeded> {
        let (Some(role), Some(reached)) = (self.roles.get(role), self.reach.of_role(role)) else {
            return Ok(0);
        };
        let Placed { brief, rule, .. } = placed;
        call.charge(role.count() * (1 + brief.derived_roles.len()))?;
        let derived = following(brief, reached);
        let derived = derived.filter(|derived| counts(self.derived_roles.truth(*derived), brief.stance));
        let parents = derived.filter_map(|derived| self.policy.derived_roles.get(derived));
        let by_derived: usize = parents.map(|derived| role.ways_into(&derived.parent_roles)).sum();
        Ok(by_derived + rule.roles.as_ref().map_or(0, |roles| role.ways_into(roles)))
    }

    /// The derived roles of a rule that met a problem and follow from the role at index `role`.
    pub(super) fn erring<'l>(&'l self, brief: &'l Brief, role: usize) -> impl Iterator<Item = usize> + 'l {
        let reached = self.reach.of_role(role);
        let derived = reached.into_iter().flat_map(|reached| following(brief, reached));
        derived.filter(|derived| self.derived_roles.is_erring(*derived))
    }

    /// Whether a rule speaks to any role, or a problem keeps it from that.
    pub(super) fn speak(&self, Placed { index, brief, .. }: Placed<'_>) -> bool {
        let speaks = |derived: &usize| {
            counts(self.derived_roles.truth(*derived), brief.stance) || self.derived_roles.is_erring(*derived)
        };
        self.reach.all.named.contains(index)
            || following(brief, &self.reach.all).any(|derived| speaks(&derived))
    }
}

/// The derived roles of a rule that can follow from a role.
fn following<'l>(brief: &'l Brief, reached: &'l Reached) -> impl Iterator<Item = usize> + 'l {
    brief.derived_roles.iter().copied().filter(|derived| reached.derived_roles.contains(*derived))
}

/// Whether a derived role of this truth is a way for a rule of this stance: an undecided one is held for what denies,
/// and not for what allows.
fn counts(truth: Truth, stance: Stance) -> bool {
    match truth {
        Truth::True => true,
        Truth::False => false,
        Truth::Undecided => stance != Stance::Allow,
    }
}
