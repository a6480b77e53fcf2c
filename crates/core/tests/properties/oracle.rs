//! Decisions worked out the slow and obvious way, to compare the engine with.
//!
//! The policy is unrolled into rows, one per (rule, role, pattern, derived role or none), as the peer describes its
//! rule table. What cannot be evaluated is not given a third truth value: the oracle keeps, for every condition,
//! the set of outcomes that it could have.

use crate::spec::{Ask, Attribute, DERIVED, Derived, Leaf, Rule, Spec, Tree};

/// Which outcomes are possible.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Possible {
    yes: bool,
    no: bool,
}

/// What the oracle expects for one action.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) allowed: bool,
    pub(crate) reason: &'static str,
    /// Rule and value of each output, in order.
    pub(crate) outputs: Vec<(String, &'static str)>,
}

pub(crate) struct Oracle<'s> {
    pub(crate) spec: &'s Spec,
    pub(crate) ask: &'s Ask,
    /// Whether errors leave both outcomes possible; otherwise they mean no.
    pub(crate) closed: bool,
}

struct Row<'s> {
    rule: &'s Rule,
    role: &'s str,
    derived: Option<&'s Derived>,
}

impl<'s> Oracle<'s> {
    pub(crate) fn action(&self, action: &str) -> Expected {
        let rows: Vec<_> = self.spec.rules.iter().flat_map(|rule| self.rows(rule, action)).collect();
        let mut outputs = Vec::new();
        let mut reasons = Vec::new();
        for role in &self.ask.roles {
            let reason = self.role(role, &rows, &mut outputs);
            reasons.push(reason);
            if reason == "allow_rule" {
                break;
            }
        }
        let strongest_first = ["allow_rule", "deny_rule", "deny_rule_undecided", "no_rule_matched"];
        let reason = strongest_first.into_iter().find(|reason| reasons.contains(reason)).unwrap();
        Expected { allowed: reason == "allow_rule", reason, outputs }
    }

    /// The derived roles that hold for certain, by name.
    pub(crate) fn held(&self) -> Vec<&'static str> {
        let named = |name: &&str| self.spec.rules.iter().any(|rule| rule.derived.contains(name));
        let certain = |name: &&str| self.holds(self.derived(name)) == Possible { yes: true, no: false };
        DERIVED.into_iter().filter(named).filter(certain).collect()
    }

    /// Whether a leaf has no single outcome because it errs or is no boolean.
    pub(crate) fn errs(&self, leaf: Leaf) -> bool {
        !matches!(leaf, Leaf::Holds(_)) && self.value(leaf).is_none()
    }

    fn rows(&self, rule: &'s Rule, action: &str) -> Vec<Row<'s>> {
        let mut rows = Vec::new();
        for _ in rule.patterns.iter().filter(|(_, about)| about.contains(&action)) {
            rows.extend(rule.roles.iter().map(|role| Row { rule, role, derived: None }));
            for derived in rule.derived.iter().map(|name| self.derived(name)) {
                rows.extend(derived.parents.iter().map(|role| Row { rule, role, derived: Some(derived) }));
            }
        }
        rows
    }

    fn role(&self, role: &str, rows: &[Row<'_>], outputs: &mut Vec<(String, &'static str)>) -> &'static str {
        let certain = Possible { yes: true, no: false };
        let (mut allowed, mut denied) = (false, false);
        for rule in &self.spec.rules {
            let counts = |possible: Possible| if rule.deny { possible.yes } else { !possible.no };
            let met = rule.condition.as_ref().map_or(certain, |tree| self.tree(tree));
            let rows =
                rows.iter().filter(|row| row.rule.name == rule.name && (row.role == "*" || row.role == role));
            let linked = rows.map(|row| row.derived.map_or(certain, |derived| self.holds(derived)));
            let linked: Vec<_> = linked.filter(|linked| counts(*linked)).collect();
            if rule.deny && met == certain && linked.contains(&certain) {
                outputs.push((rule.name.clone(), "on"));
                return "deny_rule";
            }
            let applies = counts(met) && !linked.is_empty();
            allowed |= !rule.deny && applies;
            denied |= rule.deny && applies;
            outputs.extend(linked.iter().map(|_| (rule.name.clone(), if applies { "on" } else { "off" })));
        }
        match (denied, allowed) {
            (true, _) => "deny_rule_undecided",
            (false, true) => "allow_rule",
            (false, false) => "no_rule_matched",
        }
    }

    fn derived(&self, name: &str) -> &'s Derived {
        self.spec.derived.iter().find(|derived| derived.name == name).unwrap()
    }

    fn holds(&self, derived: &Derived) -> Possible {
        let parent = |role: &&str| derived.parents.contains(&"*") || derived.parents.contains(role);
        if !self.ask.roles.iter().any(parent) {
            return Possible { yes: false, no: true };
        }
        derived.condition.as_ref().map_or(Possible { yes: true, no: false }, |tree| self.tree(tree))
    }

    fn tree(&self, tree: &Tree) -> Possible {
        let outcomes = |items: &[Tree]| items.iter().map(|item| self.tree(item)).collect::<Vec<_>>();
        match tree {
            Tree::Leaf(leaf) => match self.value(*leaf) {
                Some(value) => Possible { yes: value, no: !value },
                None => Possible { yes: self.closed, no: true },
            },
            Tree::All(items) => {
                let items = outcomes(items);
                Possible { yes: items.iter().all(|i| i.yes), no: items.iter().any(|i| i.no) }
            }
            Tree::Any(items) => {
                let items = outcomes(items);
                Possible { yes: items.iter().any(|i| i.yes), no: items.iter().all(|i| i.no) }
            }
            Tree::None(items) => {
                let items = outcomes(items);
                Possible { yes: items.iter().all(|i| i.no), no: items.iter().any(|i| i.yes) }
            }
        }
    }

    /// The boolean that a leaf yields; `None` if it errs or yields something else.
    fn value(&self, leaf: Leaf) -> Option<bool> {
        let boolean = |n: usize| match self.ask.attributes[n] {
            Attribute::Bool(value) => Some(value),
            Attribute::Text | Attribute::Missing => None,
        };
        match leaf {
            Leaf::Constant(constant) => Some(constant),
            Leaf::Attribute(n) | Leaf::Variable(n) => boolean(n),
            Leaf::IsTrue(n) => match self.ask.attributes[n] {
                Attribute::Bool(value) => Some(value),
                Attribute::Text => Some(false),
                Attribute::Missing => None,
            },
            Leaf::Either(a, b) => match (boolean(a), boolean(b)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Leaf::Holds(role) => self.listed(role),
        }
    }

    /// Whether the list of effective derived roles has `role`; nobody knows while one of the list is open.
    fn listed(&self, role: &str) -> Option<bool> {
        let named =
            |derived: &&Derived| self.spec.rules.iter().any(|rule| rule.derived.contains(&derived.name));
        let open = |derived: &Derived| self.holds(derived) == Possible { yes: true, no: true };
        if self.spec.derived.iter().filter(named).any(open) {
            return None;
        }
        Some(self.held().contains(&role))
    }
}
