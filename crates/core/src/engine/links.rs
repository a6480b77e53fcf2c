//! How a rule comes to speak to a role of the principal: by naming it or a role above it, or through derived roles that
//! it names.
//!
//! The links of a rule depend on neither the action nor the other rules, so they are found once per resource.

use super::conditions::{CostExceeded, Truth};
use super::derived_roles::DerivedRoles;
use super::roles::HeldRole;
use crate::expr::Budget;
use crate::policy::{Policy, Rule, Stance};

/// One rule and one role.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    /// By how many ways; by none, the rule is not about the role.
    pub(super) ways: usize,
    /// Whether the rule names the role, or one above it.
    pub(super) named: bool,
    /// Whether at least one way holds for certain.
    pub(super) certain: bool,
    /// Whether a derived role that could be a way met a problem.
    pub(super) erring: bool,
}

impl Link {
    /// The link of a rule that speaks to whoever its policy is about.
    pub(super) const DIRECT: Link = Link { ways: 1, named: true, certain: true, erring: false };
}

/// What the links of one resource policy are found from.
pub(super) struct Links<'r> {
    pub(super) policy: &'r Policy,
    pub(super) roles: &'r [HeldRole<'r>],
    pub(super) derived_roles: &'r DerivedRoles,
    pub(super) budget: &'r Budget,
}

impl Links<'_> {
    /// The links of `rule` by role, in the order of the roles; none at all if it speaks to no role.
    pub(super) fn of(&self, rule: &Rule) -> Result<Box<[Link]>, CostExceeded> {
        self.charge(self.names() + rule.derived_roles.len())?;
        let by_name =
            self.roles.iter().map(|role| rule.roles.as_ref().map_or(0, |roles| role.ways_into(roles)));
        let mut links: Box<[Link]> =
            by_name.map(|ways| Link { ways, named: ways > 0, certain: ways > 0, erring: false }).collect();
        for index in &rule.derived_roles {
            self.add_derived(rule, *index, &mut links)?;
        }
        let speaks = links.iter().any(|link| link.ways > 0 || link.erring);
        Ok(if speaks { links } else { Box::default() })
    }

    /// The derived roles of `rule` that met a problem and follow from the role at index `role`.
    pub(super) fn erring(&self, rule: &Rule, role: usize) -> Result<Vec<usize>, CostExceeded> {
        let Some(role) = self.roles.get(role) else {
            return Ok(Vec::new());
        };
        self.charge(rule.derived_roles.len() * role.names.len())?;
        let derived_roles = rule.derived_roles.iter().copied();
        let erring = derived_roles.filter(|index| {
            let derived_role = self.policy.derived_roles.get(*index);
            !self.derived_roles.problems(*index).is_empty()
                && derived_role.is_some_and(|it| role.ways_into(&it.parent_roles) > 0)
        });
        Ok(erring.collect())
    }

    fn add_derived(&self, rule: &Rule, index: usize, links: &mut [Link]) -> Result<(), CostExceeded> {
        let truth = self.derived_roles.truth(index);
        let erring = !self.derived_roles.problems(index).is_empty();
        let Some(derived_role) = self.policy.derived_roles.get(index) else {
            return Ok(());
        };
        if truth == Truth::False && !erring {
            return Ok(());
        }
        self.charge(self.names())?;
        let may_count = match truth {
            Truth::True => true,
            Truth::False => false,
            // An undecided role is held for what denies, and not for what allows.
            Truth::Undecided => self.policy.stance(rule) != Stance::Allow,
        };
        for (link, role) in links.iter_mut().zip(self.roles) {
            let ways = role.ways_into(&derived_role.parent_roles);
            if ways > 0 {
                link.ways += if may_count { ways } else { 0 };
                link.certain |= truth == Truth::True;
                link.erring |= erring;
            }
        }
        Ok(())
    }

    /// How many names of roles there are to compare with.
    fn names(&self) -> usize {
        self.roles.iter().map(|role| role.names.len()).sum()
    }

    fn charge(&self, units: usize) -> Result<(), CostExceeded> {
        self.budget.charge_call(units).map_err(|_| CostExceeded)
    }
}
