//! How a rule comes to speak to a role of the principal: by naming it, or through derived roles that it names.
//!
//! The links of a rule depend on neither the action nor the other rules, so they are found once per resource.

use std::borrow::Cow;

use super::conditions::{CostExceeded, Truth};
use super::derived_roles::DerivedRoles;
use crate::expr::Budget;
use crate::policy::{ResourcePolicy, Rule};

/// One rule and one role.
#[derive(Clone, Copy, Default)]
pub(super) struct Link {
    /// By how many ways; by none, the rule is not about the role.
    pub(super) ways: usize,
    /// Whether at least one way holds for certain.
    pub(super) certain: bool,
    /// Whether a derived role that could be a way met a problem.
    pub(super) erring: bool,
}

/// What the links of one resource are found from.
pub(super) struct Links<'r> {
    pub(super) policy: &'r ResourcePolicy,
    pub(super) roles: &'r [Cow<'r, str>],
    pub(super) derived_roles: &'r DerivedRoles,
    pub(super) budget: &'r Budget,
}

impl Links<'_> {
    /// The links of `rule` by role, in the order of the roles; none at all if it speaks to no role.
    pub(super) fn of(&self, rule: &Rule) -> Result<Box<[Link]>, CostExceeded> {
        self.charge(self.roles.len() + rule.derived_roles.len())?;
        let named = |role| rule.roles.as_ref().is_some_and(|roles| roles.contain(role));
        let by_name = self.roles.iter().map(|role| named(role));
        let mut links: Box<[Link]> =
            by_name.map(|named| Link { ways: usize::from(named), certain: named, erring: false }).collect();
        for index in &rule.derived_roles {
            self.add_derived(rule, *index, &mut links)?;
        }
        let speaks = links.iter().any(|link| link.ways > 0 || link.erring);
        Ok(if speaks { links } else { Box::default() })
    }

    /// The derived roles of `rule` that met a problem and follow from `role`.
    pub(super) fn erring(&self, rule: &Rule, role: &str) -> Result<Vec<usize>, CostExceeded> {
        self.charge(rule.derived_roles.len())?;
        let derived_roles = rule.derived_roles.iter().copied();
        let erring = derived_roles.filter(|index| {
            let follows =
                || self.policy.derived_roles.get(*index).is_some_and(|it| it.parent_roles.contain(role));
            !self.derived_roles.problems(*index).is_empty() && follows()
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
        self.charge(self.roles.len())?;
        for (link, role) in links.iter_mut().zip(self.roles) {
            if derived_role.parent_roles.contain(role) {
                link.ways += usize::from(truth.counts_for(rule.effect));
                link.certain |= truth == Truth::True;
                link.erring |= erring;
            }
        }
        Ok(())
    }

    fn charge(&self, units: usize) -> Result<(), CostExceeded> {
        self.budget.charge_call(units).map_err(|_| CostExceeded)
    }
}
