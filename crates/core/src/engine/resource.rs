//! One resource against its policy: which rules are visited, in which order.
//!
//! For each action the roles of the principal are taken in request order. For each role the rules that are about
//! the action and the role are visited in source order, until a deny rule applies for certain. No further role
//! is asked once one is allowed. This order decides which outputs and problems are met, never the effect.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::combine::Finding;
use super::conditions::{self, CostExceeded, Judged, Truth};
use super::derived_roles::DerivedRoles;
use super::links::{Link, Links};
use super::outputs::{self, Room};
use super::{Call, OnError};
use crate::expr::{Inputs, Scope};
use crate::limits::ACTION_PROBLEMS;
use crate::model::{ActionDecision, Effect, Item, OutputEntry, Problem, Reason, ResourceEvaluation};
use crate::policy::{ResourcePolicy, Rule};

/// Decides every action of `item` by `policy`.
pub(super) fn decide(call: &Call<'_>, policy: &ResourcePolicy, item: &Item<'_>) -> ResourceEvaluation {
    let inputs = call.inputs(&item.resource);
    let derived_roles = DerivedRoles::judge(call, policy, inputs);
    let inputs = Inputs { derived_roles: derived_roles.known(), ..inputs };
    let roles = &call.request.principal.roles;
    let mut case = Case {
        policy,
        derived_roles: &derived_roles,
        scope: Scope::new(inputs, &policy.frame, call.budget),
        on_error: call.settings.on_error,
        linking: Links { policy, roles, derived_roles: &derived_roles, budget: call.budget },
        links: policy.rules.iter().map(|_| None).collect(),
        conditions: policy.rules.iter().map(|_| None).collect(),
        room: call.room,
        outputs: Vec::new(),
    };
    let actions = item.actions.iter().map(|action| case.decide(action)).collect();
    let outputs = case.outputs;
    ResourceEvaluation {
        actions,
        effective_derived_roles: derived_roles.held().to_vec(),
        outputs,
        validation_errors: Vec::new(),
    }
}

/// What has been found out so far about one resource.
struct Case<'r> {
    policy: &'r ResourcePolicy,
    derived_roles: &'r DerivedRoles,
    scope: Scope<'r>,
    on_error: OnError,
    linking: Links<'r>,
    /// How each rule speaks to the roles, as far as it was asked.
    links: Vec<Option<Box<[Link]>>>,
    /// The condition of each rule, evaluated at most once, whatever the number of actions and roles.
    conditions: Vec<Option<Judged>>,
    room: &'r Room,
    outputs: Vec<OutputEntry>,
}

/// One action, and what was consulted to decide it.
struct Question<'r> {
    action: &'r str,
    erring: BTreeSet<Erring>,
    /// Why an output did not fit.
    problem: Option<Problem>,
}

/// A rule that is about the action and speaks to at least one role.
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

/// A rule that is about an action and a role, and what it says.
pub(super) struct Visit<'q, 'r> {
    pub(super) rule: &'r Rule,
    pub(super) action: &'q str,
    /// By how many action patterns and ways the rule was found.
    pub(super) found: usize,
    pub(super) says: Finding,
}

impl<'r> Case<'r> {
    fn decide(&mut self, action: &'r str) -> ActionDecision {
        let mut question = Question { action, erring: BTreeSet::new(), problem: None };
        let (effect, reason, rule) = match self.ask_roles(&mut question) {
            Ok(finding) => finding.conclude(),
            Err(CostExceeded) => (Effect::Deny, Reason::CostExceeded, None),
        };
        ActionDecision {
            effect,
            reason,
            matched_policy: Arc::clone(&self.policy.name),
            matched_scope: Arc::default(),
            rule: rule.and_then(|index| self.policy.rules.get(index)).map(|rule| Arc::clone(&rule.name)),
            problems: self.problems(question),
        }
    }

    fn ask_roles(&mut self, question: &mut Question<'r>) -> Result<Finding, CostExceeded> {
        if let Some(derived_role) = self.derived_roles.too_costly() {
            question.erring.insert(Erring::DerivedRole(derived_role));
            return Err(CostExceeded);
        }
        let rules = self.candidates(question.action)?;
        let mut finding = Finding::Silent;
        for role in 0..self.linking.roles.len() {
            finding = finding.or_role(self.ask_role(role, &rules, question)?);
            if matches!(finding, Finding::Allow(_)) {
                break;
            }
        }
        Ok(finding)
    }

    fn candidates(&mut self, action: &str) -> Result<Vec<Candidate<'r>>, CostExceeded> {
        let mut candidates = Vec::new();
        for (index, rule) in self.policy.rules.iter().enumerate() {
            self.charge(rule.actions.iter().map(|pattern| pattern.cost(action)).sum())?;
            let patterns = rule.actions.iter().filter(|pattern| pattern.matches(action)).count();
            if patterns > 0 && self.speaks(index, rule)? {
                candidates.push(Candidate { index, rule, patterns });
            }
        }
        Ok(candidates)
    }

    /// Whether `rule` speaks to any role.
    fn speaks(&mut self, index: usize, rule: &'r Rule) -> Result<bool, CostExceeded> {
        let Some(known) = self.links.get_mut(index) else {
            return Ok(false);
        };
        let links = match known {
            Some(links) => links,
            None => known.insert(self.linking.of(rule)?),
        };
        Ok(!links.is_empty())
    }

    /// What `rules` say to the role at index `role` of the principal.
    fn ask_role(
        &mut self,
        role: usize,
        rules: &[Candidate<'r>],
        question: &mut Question<'r>,
    ) -> Result<Finding, CostExceeded> {
        self.charge(rules.len())?;
        let mut finding = Finding::Silent;
        for Candidate { index, rule, patterns } in rules {
            let link = self.link(*index, rule, role, &mut question.erring)?;
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
            let found = link.ways.saturating_mul(*patterns);
            self.put_out(&Visit { rule, action: question.action, found, says }, question)?;
            finding = finding.beside(says);
            if matches!(finding, Finding::Deny(_)) {
                break;
            }
        }
        Ok(finding)
    }

    fn link(
        &self,
        index: usize,
        rule: &Rule,
        role: usize,
        erring: &mut BTreeSet<Erring>,
    ) -> Result<Link, CostExceeded> {
        let links = self.links.get(index).and_then(Option::as_ref);
        let link = links.and_then(|links| links.get(role)).copied().unwrap_or_default();
        if let (true, Some(role)) = (link.erring, self.linking.roles.get(role)) {
            erring.extend(self.linking.erring(rule, role)?.into_iter().map(Erring::DerivedRole));
        }
        Ok(link)
    }

    fn put_out(&mut self, visit: &Visit<'_, 'r>, question: &mut Question<'r>) -> Result<(), CostExceeded> {
        match outputs::of(visit, self.policy, &self.scope, self.room) {
            Ok(entries) => self.outputs.extend(entries),
            Err(problem) => {
                question.problem = Some(*problem);
                return Err(CostExceeded);
            }
        }
        Ok(())
    }

    fn charge(&self, units: usize) -> Result<(), CostExceeded> {
        self.scope.budget().charge_call(units).map_err(|_| CostExceeded)
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

    fn problems(&self, question: Question<'_>) -> Vec<Problem> {
        let of = |source: &Erring| match source {
            Erring::DerivedRole(index) => self.derived_roles.problems(*index),
            Erring::Rule(index) => match self.conditions.get(*index) {
                Some(Some(judged)) => judged.problems.as_slice(),
                _ => &[],
            },
        };
        let evaluating = question.erring.iter().flat_map(of).cloned();
        question.problem.into_iter().chain(evaluating).take(ACTION_PROBLEMS).collect()
    }
}
