//! How allow and deny of several rules, scopes and roles combine.
//!
//! Within one role and scope deny beats allow. Rows: what the rules visited so far say; columns: what the next says.
//!
//! | | silent | allow | deny undecided | deny |
//! |---|---|---|---|---|
//! | **silent** | silent | allow | deny undecided | deny |
//! | **allow** | allow | allow | deny undecided | deny |
//! | **deny undecided** | deny undecided | deny undecided | deny undecided | deny |
//! | **deny** | deny | deny | deny | deny |
//!
//! For one role the scopes are asked from the nearest one up, and the first that is not silent decides.
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
//!
//! A rule that confines denies while its condition is false, and is silent while it is true: see
//! [`Stance::Confine`].

use super::conditions::Truth;
use super::links::Link;
use crate::model::Effect;
use crate::policy::Stance;

/// What the rules say to one role, or to several together, and on whose word: the first rule that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding<W> {
    /// No rule decides.
    Silent,
    /// An allow rule applies.
    Allow(W),
    /// A rule is taken to deny because it cannot be decided whether it does.
    DenyUndecided(W),
    /// A rule denies.
    Deny(W),
}

impl<W: Copy> Finding<W> {
    /// What a rule of this stance says to a role that it is linked to, by the truth of its condition.
    ///
    /// An undecided allow is silent: where the action is allowed nevertheless, it is so under either resolution.
    pub(super) fn of(stance: Stance, link: Link, truth: Truth, word: W) -> Self {
        let denies = match (stance, truth) {
            (Stance::Allow, Truth::True) if link.certain => return Finding::Allow(word),
            (Stance::Allow, _) => return Finding::Silent,
            (Stance::Deny, truth) => truth,
            (Stance::Confine, truth) => truth.not(),
        };
        match denies {
            Truth::False => Finding::Silent,
            Truth::True if link.certain => Finding::Deny(word),
            Truth::True | Truth::Undecided => Finding::DenyUndecided(word),
        }
    }

    /// This rule and another one for the same role: the stronger one by the first table.
    pub(super) fn beside(self, next: Self) -> Self {
        let strength = |finding| match finding {
            Finding::Silent => 0,
            Finding::Allow(_) => 1,
            Finding::DenyUndecided(_) => 2,
            Finding::Deny(_) => 3,
        };
        if strength(next) > strength(self) { next } else { self }
    }

    /// These roles and another one: the stronger one by the second table.
    pub(super) fn or_role(self, next: Self) -> Self {
        let strength = |finding| match finding {
            Finding::Silent => 0,
            Finding::DenyUndecided(_) => 1,
            Finding::Deny(_) => 2,
            Finding::Allow(_) => 3,
        };
        if strength(next) > strength(self) { next } else { self }
    }

    /// The effect, where silence is a deny.
    pub(super) fn effect(self) -> Effect {
        match self {
            Finding::Allow(_) => Effect::Allow,
            Finding::Silent | Finding::DenyUndecided(_) | Finding::Deny(_) => Effect::Deny,
        }
    }

    /// Whoever said it, if anybody did.
    pub(super) fn word(self) -> Option<W> {
        match self {
            Finding::Silent => None,
            Finding::Allow(word) | Finding::DenyUndecided(word) | Finding::Deny(word) => Some(word),
        }
    }

    /// Whether nothing is said.
    pub(super) fn is_silent(self) -> bool {
        matches!(self, Finding::Silent)
    }
}

#[cfg(test)]
mod tests {
    use super::Finding::{Allow, Deny, DenyUndecided, Silent};
    use super::*;

    #[test]
    fn rule_says_what_its_stance_and_its_condition_make_of_it() {
        use Stance as S;
        use Truth::{False, True, Undecided};
        let cases = [
            (S::Allow, True, Allow(1), Silent),
            (S::Allow, False, Silent, Silent),
            (S::Allow, Undecided, Silent, Silent),
            (S::Deny, True, Deny(1), DenyUndecided(1)),
            (S::Deny, False, Silent, Silent),
            (S::Deny, Undecided, DenyUndecided(1), DenyUndecided(1)),
            (S::Confine, True, Silent, Silent),
            (S::Confine, False, Deny(1), DenyUndecided(1)),
            (S::Confine, Undecided, DenyUndecided(1), DenyUndecided(1)),
        ];
        for (stance, truth, by_certain_link, by_uncertain_link) in cases {
            let says = |certain| Finding::of(stance, Link { certain, ..Link::default() }, truth, 1);
            assert_eq!(says(true), by_certain_link, "{stance:?} {truth:?}");
            assert_eq!(says(false), by_uncertain_link, "{stance:?} {truth:?} by an uncertain link");
        }
    }

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
    fn only_an_allow_rule_allows_and_only_silence_is_silent() {
        for finding in [Silent, DenyUndecided(0), Deny(0)] {
            assert_eq!(finding.effect(), Effect::Deny);
        }
        assert_eq!(Allow(7).effect(), Effect::Allow);
        assert!(Finding::<()>::Silent.is_silent());
        for finding in [Allow(0), DenyUndecided(0), Deny(0)] {
            assert!(!finding.is_silent());
        }
    }

    /// The tables of the module documentation are symmetric: the later of the ascending list always wins.
    fn every_pair(ascending: &[Finding<i32>], combine: impl Fn(Finding<i32>, Finding<i32>) -> Finding<i32>) {
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(combine(*a, *b), ascending[i.max(j)], "{a:?} and {b:?}");
            }
        }
    }
}
