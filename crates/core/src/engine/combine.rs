//! How allow and deny of several rules and several roles combine.
//!
//! Within one role deny beats allow. Rows: what the rules visited so far say; columns: what the next rule says.
//!
//! | | silent | allow | deny undecided | deny |
//! |---|---|---|---|---|
//! | **silent** | silent | allow | deny undecided | deny |
//! | **allow** | allow | allow | deny undecided | deny |
//! | **deny undecided** | deny undecided | deny undecided | deny undecided | deny |
//! | **deny** | deny | deny | deny | deny |
//!
//! Across the roles of a principal, in request order, any role that is allowed wins: each role is a grant of its
//! own. Rows: the roles so far; columns: the next role.
//!
//! | | silent | deny undecided | deny | allow |
//! |---|---|---|---|---|
//! | **silent** | silent | deny undecided | deny | allow |
//! | **deny undecided** | deny undecided | deny undecided | deny | allow |
//! | **deny** | deny | deny | deny | allow |
//! | **allow** | allow | allow | allow | allow |
//!
//! A deny rule for the role `*` speaks to every role and so beats every allow; a deny rule for a derived role
//! speaks to the parent roles of that derived role which the principal holds. Silence is a deny.

use crate::model::{Effect, Reason};

/// What the rules say to one role, or to several together, with the index of the first rule that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// No rule applies.
    Silent,
    /// An allow rule applies.
    Allow(usize),
    /// A deny rule is taken to apply because it cannot be decided whether it does.
    DenyUndecided(usize),
    /// A deny rule applies.
    Deny(usize),
}

impl Finding {
    /// This rule and another one for the same role: the stronger one by the first table.
    pub(super) fn beside(self, next: Finding) -> Finding {
        let strength = |finding| match finding {
            Finding::Silent => 0,
            Finding::Allow(_) => 1,
            Finding::DenyUndecided(_) => 2,
            Finding::Deny(_) => 3,
        };
        if strength(next) > strength(self) { next } else { self }
    }

    /// These roles and another one: the stronger one by the second table.
    pub(super) fn or_role(self, next: Finding) -> Finding {
        let strength = |finding| match finding {
            Finding::Silent => 0,
            Finding::DenyUndecided(_) => 1,
            Finding::Deny(_) => 2,
            Finding::Allow(_) => 3,
        };
        if strength(next) > strength(self) { next } else { self }
    }

    /// Effect, reason and deciding rule of an action about which all roles together say this.
    pub(super) fn conclude(self) -> (Effect, Reason, Option<usize>) {
        match self {
            Finding::Silent => (Effect::Deny, Reason::NoRuleMatched, None),
            Finding::Allow(rule) => (Effect::Allow, Reason::AllowRule, Some(rule)),
            Finding::DenyUndecided(rule) => (Effect::Deny, Reason::DenyRuleUndecided, Some(rule)),
            Finding::Deny(rule) => (Effect::Deny, Reason::DenyRule, Some(rule)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Finding::{Allow, Deny, DenyUndecided, Silent};
    use super::*;

    #[test]
    fn within_a_role_deny_beats_allow() {
        let ascending = [Silent, Allow(1), DenyUndecided(2), Deny(3)];
        every_pair(&ascending, Finding::beside);
    }

    #[test]
    fn across_roles_any_allow_wins() {
        let ascending = [Silent, DenyUndecided(2), Deny(3), Allow(1)];
        every_pair(&ascending, Finding::or_role);
    }

    #[test]
    fn of_two_alike_the_first_is_named() {
        assert_eq!(Allow(1).beside(Allow(2)), Allow(1));
        assert_eq!(Deny(1).or_role(Deny(2)), Deny(1));
    }

    #[test]
    fn only_an_allow_rule_allows() {
        for finding in [Silent, DenyUndecided(0), Deny(0)] {
            assert_eq!(finding.conclude().0, Effect::Deny);
        }
        assert_eq!(Allow(7).conclude(), (Effect::Allow, Reason::AllowRule, Some(7)));
    }

    /// The tables of the module documentation are symmetric: the later of the ascending list always wins.
    fn every_pair(ascending: &[Finding], combine: impl Fn(Finding, Finding) -> Finding) {
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(combine(*a, *b), ascending[i.max(j)], "{a:?} and {b:?}");
            }
        }
    }
}
