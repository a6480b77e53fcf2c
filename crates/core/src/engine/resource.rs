//! One resource against its policy: which rules are visited, in which order.
//!
//! For each action the roles of the principal are taken in request order. For each role the rules that are about
//! the action and the role are visited in source order, until a deny rule applies for certain. No further role
//! is asked once one is allowed. This order decides which outputs and problems are met, never the effect.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::combine::Finding;
use super::conditions::{self, CostExceeded, Judged, Truth};
use super::derived_roles::DerivedRoles;
use super::{Call, OnError, outputs};
use crate::expr::{Inputs, Scope};
use crate::limits::ACTION_PROBLEMS;
use crate::model::{ActionDecision, Effect, Item, OutputEntry, Problem, Reason, ResourceEvaluation};
use crate::policy::{ResourcePolicy, Rule};

/// Decides every action of `item` by `policy`.
pub(super) fn decide(call: &Call<'_>, policy: &ResourcePolicy, item: &Item<'_>) -> ResourceEvaluation {
    let inputs = call.inputs(&item.resource);
    let derived_roles = DerivedRoles::judge(call, policy, inputs);
    let inputs = Inputs { derived_roles: derived_roles.known(), ..inputs };
    let mut case = Case {
        policy,
        derived_roles: &derived_roles,
        scope: Scope::new(inputs, &policy.frame, call.budget),
        on_error: call.on_error,
        conditions: policy.rules.iter().map(|_| None).collect(),
        outputs: Vec::new(),
    };
    let actions =
        item.actions.iter().map(|action| case.decide(&call.request.principal.roles, action)).collect();
    let outputs = case.outputs;
    ResourceEvaluation { actions, effective_derived_roles: derived_roles.held().to_vec(), outputs }
}

/// What has been found out so far about one resource.
struct Case<'r> {
    policy: &'r ResourcePolicy,
    derived_roles: &'r DerivedRoles,
    scope: Scope<'r>,
    on_error: OnError,
    /// The condition of each rule, evaluated at most once, whatever the number of actions and roles.
    conditions: Vec<Option<Judged>>,
    outputs: Vec<OutputEntry>,
}

/// One action, and what was consulted to decide it.
struct Question<'r> {
    action: &'r str,
    rules: Vec<Candidate<'r>>,
    erring: BTreeSet<Erring>,
}

/// A rule that is about the action.
struct Candidate<'r> {
    index: usize,
    rule: &'r Rule,
    /// How many of its action patterns match.
    patterns: usize,
}

/// Something that met a problem, as an index into the policy; derived roles are reported first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Erring {
    DerivedRole(usize),
    Rule(usize),
}

/// How a rule comes to speak to a role: by naming it, or through derived roles that it names.
struct Link {
    /// By how many ways; by none, the rule is not about the role.
    ways: usize,
    /// Whether at least one way holds for certain.
    certain: bool,
}

/// A rule that is about an action and a role, and what it says.
pub(super) struct Visit<'q, 'r> {
    pub(super) rule: &'r Rule,
    pub(super) action: &'q str,
    /// By how many action patterns and ways the rule was found.
    pub(super) found: usize,
    pub(super) says: Finding,
}

impl<'r> Case<'r> {
    fn decide(&mut self, roles: &[Cow<'_, str>], action: &'r str) -> ActionDecision {
        let mut question = Question { action, rules: self.candidates(action), erring: BTreeSet::new() };
        let (effect, reason, rule) = match self.ask_roles(roles, &mut question) {
            Ok(finding) => finding.conclude(),
            Err(CostExceeded) => (Effect::Deny, Reason::CostExceeded, None),
        };
        ActionDecision {
            effect,
            reason,
            matched_policy: Arc::clone(&self.policy.name),
            matched_scope: Arc::default(),
            rule: rule.and_then(|index| self.policy.rules.get(index)).map(|rule| Arc::clone(&rule.name)),
            problems: self.problems(&question.erring),
        }
    }

    fn candidates(&self, action: &str) -> Vec<Candidate<'r>> {
        let candidates = self.policy.rules.iter().enumerate().map(|(index, rule)| {
            let patterns = rule.actions.iter().filter(|pattern| pattern.matches(action)).count();
            Candidate { index, rule, patterns }
        });
        candidates.filter(|candidate| candidate.patterns > 0).collect()
    }

    fn ask_roles(
        &mut self,
        roles: &[Cow<'_, str>],
        question: &mut Question<'r>,
    ) -> Result<Finding, CostExceeded> {
        if let Some(derived_role) = self.derived_roles.too_costly() {
            question.erring.insert(Erring::DerivedRole(derived_role));
            return Err(CostExceeded);
        }
        let mut finding = Finding::Silent;
        for role in roles {
            finding = finding.or_role(self.ask_role(role, question)?);
            if matches!(finding, Finding::Allow(_)) {
                break;
            }
        }
        Ok(finding)
    }

    fn ask_role(&mut self, role: &str, question: &mut Question<'r>) -> Result<Finding, CostExceeded> {
        let mut finding = Finding::Silent;
        for Candidate { index, rule, patterns } in &question.rules {
            let link = self.link(rule, role, &mut question.erring);
            if link.ways == 0 {
                continue;
            }
            let truth = self.condition(*index, rule, &mut question.erring)?;
            let says = match rule.effect {
                effect if !truth.counts_for(effect) => Finding::Silent,
                Effect::Allow => Finding::Allow(*index),
                Effect::Deny if link.certain && truth == Truth::True => Finding::Deny(*index),
                Effect::Deny => Finding::DenyUndecided(*index),
            };
            let visit =
                Visit { rule, action: question.action, found: link.ways.saturating_mul(*patterns), says };
            self.outputs.extend(outputs::of(&visit, self.policy, &self.scope));
            finding = finding.beside(says);
            if matches!(finding, Finding::Deny(_)) {
                break;
            }
        }
        Ok(finding)
    }

    fn link(&self, rule: &Rule, role: &str, erring: &mut BTreeSet<Erring>) -> Link {
        let named = rule.roles.as_ref().is_some_and(|roles| roles.contain(role));
        let mut link = Link { ways: usize::from(named), certain: named };
        for index in &rule.derived_roles {
            let Some(derived_role) = self.policy.derived_roles.get(*index) else {
                continue;
            };
            if !derived_role.parent_roles.contain(role) {
                continue;
            }
            let truth = self.derived_roles.truth(*index);
            link.ways += usize::from(truth.counts_for(rule.effect));
            link.certain |= truth == Truth::True;
            if !self.derived_roles.problems(*index).is_empty() {
                erring.insert(Erring::DerivedRole(*index));
            }
        }
        link
    }

    fn condition(
        &mut self,
        index: usize,
        rule: &'r Rule,
        erring: &mut BTreeSet<Erring>,
    ) -> Result<Truth, CostExceeded> {
        let Some(known) = self.conditions.get_mut(index) else {
            return Ok(Truth::Undecided);
        };
        let judge = || conditions::judge(rule.condition.as_ref(), &self.scope, self.on_error, &rule.name);
        let judged = known.get_or_insert_with(judge);
        if !judged.problems.is_empty() {
            erring.insert(Erring::Rule(index));
        }
        judged.truth
    }

    fn problems(&self, erring: &BTreeSet<Erring>) -> Vec<Problem> {
        let of = |source: &Erring| match source {
            Erring::DerivedRole(index) => self.derived_roles.problems(*index),
            Erring::Rule(index) => match self.conditions.get(*index) {
                Some(Some(judged)) => judged.problems.as_slice(),
                _ => &[],
            },
        };
        erring.iter().flat_map(of).take(ACTION_PROBLEMS).cloned().collect()
    }
}
