//! One policy against one resource: which of its rules are visited, and what they say.
//!
//! Every rule that is visited, of whatever kind of policy, is visited here.

use std::cell::OnceCell;

use super::Call;
use super::combine::Finding;
use super::conditions::{self, CostExceeded, Judged, Truth};
use super::links::{Link, Links};
use super::observe::{Aside, Visited};
use super::outputs;
use super::question::{Answer, Question, Stop, Word};
use super::target::Target;
use crate::expr::{Inputs, Scope};
use crate::model::Reason;
use crate::policy::{Policy, PolicyKind, Rule, Stance};

/// What has been found out so far about one policy and one resource.
pub(super) struct Applied<'r> {
    policy: &'r Policy,
    call: &'r Call<'r>,
    target: &'r Target<'r>,
    scope: Scope<'r>,
    /// How rules come to speak to roles; nothing where they speak to whoever the policy is about.
    linking: Option<Links<'r>>,
    /// How each rule speaks to the roles, as far as it was asked.
    links: Box<[OnceCell<Box<[Link]>>]>,
    /// The condition of each rule, evaluated at most once, whatever the number of actions and roles.
    conditions: Box<[OnceCell<Judged>]>,
}

/// A rule that is about the action and speaks to somebody.
pub(super) struct Candidate<'r> {
    index: usize,
    rule: &'r Rule,
    /// How many of its action patterns match.
    patterns: usize,
}

/// A rule that is visited, as its outputs see it.
pub(super) struct Visit<'q, 'r> {
    pub(super) rule: &'r Rule,
    pub(super) action: &'q str,
    /// How many times the peer comes by.
    pub(super) times: usize,
    /// Whether the rule counts as activated.
    pub(super) activated: bool,
}

impl<'r> Applied<'r> {
    /// Nothing found out yet. Without `linking` the rules speak to whoever the policy is about.
    pub(super) fn new(
        call: &'r Call<'r>,
        target: &'r Target<'r>,
        policy: &'r Policy,
        inputs: Inputs<'r>,
        linking: Option<Links<'r>>,
    ) -> Self {
        Self {
            policy,
            call,
            target,
            scope: Scope::new(inputs, &policy.frame, call.budget),
            linking,
            links: policy.rules.iter().map(|_| OnceCell::new()).collect(),
            conditions: policy.rules.iter().map(|_| OnceCell::new()).collect(),
        }
    }

    /// The rules about `action` and the resource, in source order.
    pub(super) fn candidates(&self, action: &str) -> Result<Vec<Candidate<'r>>, CostExceeded> {
        let mut candidates = Vec::new();
        for (index, rule) in self.policy.rules.iter().enumerate() {
            self.call.charge(rule.actions.iter().map(|pattern| pattern.cost(action)).sum())?;
            let patterns = rule.actions.iter().filter(|pattern| pattern.matches(action)).count();
            let aside = self.aside(index, rule, patterns)?;
            if let Some(observer) = self.call.observer {
                observer.considers(self.policy, rule, aside);
            }
            if aside.is_none() {
                // The peer looks up the rules of a role policy by resource, and only then whether any action fits.
                let patterns = if self.policy.kind == PolicyKind::Role { 1 } else { patterns };
                candidates.push(Candidate { index, rule, patterns });
            }
        }
        Ok(candidates)
    }

    /// What `candidates` say to the role at index `role` of the principal, visited until one denies for certain.
    pub(super) fn ask(
        &self,
        candidates: &[Candidate<'r>],
        role: usize,
        question: &mut Question<'r>,
    ) -> Answer<'r> {
        self.call.charge(candidates.len())?;
        let mut finding = Finding::Silent;
        for candidate in candidates {
            let link = self.link(candidate, role, question)?;
            if link.ways > 0 {
                let says = self.visit(candidate, link, question)?;
                self.show(candidate, role, says);
                finding = finding.beside(says);
            }
            if matches!(finding, Finding::Deny(_)) {
                break;
            }
        }
        Ok(finding)
    }

    fn visit(&self, candidate: &Candidate<'r>, link: Link, question: &mut Question<'r>) -> Answer<'r> {
        let rule = candidate.rule;
        let stance = self.policy.stance(rule);
        let truth = self.truth(candidate, question)?;
        let word = self.word(rule);
        let says = Finding::of(stance, link, truth, word);
        let is_role_policy = self.policy.kind == PolicyKind::Role;
        if stance == Stance::Confine && !is_role_policy && says.is_silent() && link.certain {
            question.needs_consent.get_or_insert(word);
        }
        let activated = self.is_activated(rule, says);
        let found = link.ways.saturating_mul(candidate.patterns);
        let judged = self.conditions.get(candidate.index).and_then(OnceCell::get);
        let times = match says {
            Finding::Silent if judged.is_some_and(|judged| judged.broken) => 0,
            Finding::Deny(_) => 1,
            _ => found,
        };
        self.put_out(&Visit { rule, action: question.action, times, activated }, question)?;
        Ok(says)
    }

    /// Whether a rule that says this counts as activated.
    fn is_activated(&self, rule: &Rule, says: Finding<Word<'r>>) -> bool {
        match self.policy.stance(rule) {
            Stance::Allow | Stance::Deny => !says.is_silent(),
            Stance::Confine if self.policy.kind == PolicyKind::Role => says.is_silent(),
            // The peer turns a conditional allow into a deny with the opposite condition.
            Stance::Confine => !says.is_silent() || rule.condition.is_none(),
        }
    }

    fn show(&self, candidate: &Candidate<'r>, role: usize, says: Finding<Word<'r>>) {
        let Some(observer) = self.call.observer else {
            return;
        };
        let rule = candidate.rule;
        let judged = self.conditions.get(candidate.index).and_then(OnceCell::get);
        observer.visits(&Visited {
            policy: self.policy,
            rule,
            role: self.linking.as_ref().and_then(|linking| linking.roles.get(role)),
            derived_roles: self.linking.as_ref().map(|linking| linking.derived_roles),
            truth: judged.and_then(|judged| judged.truth.ok()).unwrap_or(Truth::Undecided),
            says,
            activated: self.is_activated(rule, says),
        });
    }

    fn truth(&self, candidate: &Candidate<'r>, question: &mut Question<'r>) -> Result<Truth, Stop<'r>> {
        let Candidate { index, rule, .. } = *candidate;
        let Some(known) = self.conditions.get(index) else {
            return Ok(Truth::Undecided);
        };
        let judge = || conditions::judge(rule.condition.as_ref(), &self.scope, self.call, &rule.name);
        let judged = known.get_or_init(judge);
        question.note(judged);
        let truth = judged.truth?;
        self.stop_at_error(judged, rule)?;
        Ok(truth)
    }

    fn link(
        &self,
        candidate: &Candidate<'r>,
        role: usize,
        question: &mut Question<'r>,
    ) -> Result<Link, Stop<'r>> {
        let Some(linking) = &self.linking else {
            return Ok(Link::DIRECT);
        };
        let links = self.links.get(candidate.index).and_then(OnceCell::get);
        let link = links.and_then(|links| links.get(role)).copied().unwrap_or_default();
        if link.erring && !self.denies_by_name(candidate, link, question)? {
            let erring = linking.erring(candidate.rule, role)?;
            for judged in erring.into_iter().filter_map(|index| linking.derived_roles.judged(index)) {
                question.note(judged);
                self.stop_at_error(judged, candidate.rule)?;
            }
        }
        Ok(link)
    }

    /// Whether, under strict evaluation, the rule denies the role that it names: then, as for the peer, an error of its
    /// derived roles is met too late to matter.
    fn denies_by_name(
        &self,
        candidate: &Candidate<'r>,
        link: Link,
        question: &mut Question<'r>,
    ) -> Result<bool, Stop<'r>> {
        if !link.named || !self.call.settings.strict_evaluation {
            return Ok(false);
        }
        Ok(match self.policy.stance(candidate.rule) {
            Stance::Allow => false,
            Stance::Deny => self.truth(candidate, question)? == Truth::True,
            Stance::Confine => self.truth(candidate, question)? == Truth::False,
        })
    }

    fn stop_at_error(&self, judged: &Judged, rule: &'r Rule) -> Result<(), Stop<'r>> {
        if judged.erred && self.call.settings.strict_evaluation {
            return Err(Stop::Error(self.word(rule)));
        }
        Ok(())
    }

    fn word(&self, rule: &'r Rule) -> Word<'r> {
        let reason = match self.policy.stance(rule) {
            Stance::Allow => Reason::AllowRule,
            Stance::Deny => Reason::DenyRule,
            Stance::Confine if self.policy.kind == PolicyKind::Role => Reason::NotInRolePolicy,
            Stance::Confine => Reason::AllowRuleNotMet,
        };
        Word { policy: self.policy, rule: Some(rule), reason }
    }

    /// Why `rule`, of whose action patterns so many match, is not about the question.
    fn aside(&self, index: usize, rule: &Rule, patterns: usize) -> Result<Option<Aside>, CostExceeded> {
        if patterns == 0 {
            return Ok(Some(Aside::Action));
        }
        if !self.is_about_resource(rule)? {
            return Ok(Some(Aside::Resource));
        }
        Ok(if self.speaks(index, rule)? { None } else { Some(Aside::Role) })
    }

    fn is_about_resource(&self, rule: &Rule) -> Result<bool, CostExceeded> {
        let Some(pattern) = &rule.resource else {
            return Ok(self.policy.kind == PolicyKind::Resource);
        };
        let Target { kind, printed_kind, .. } = self.target;
        self.call.charge(pattern.cost(kind))?;
        Ok(pattern.matches(kind, printed_kind))
    }

    /// Whether `rule` speaks to any role.
    fn speaks(&self, index: usize, rule: &Rule) -> Result<bool, CostExceeded> {
        let (Some(linking), Some(known)) = (&self.linking, self.links.get(index)) else {
            return Ok(true);
        };
        if let Some(links) = known.get() {
            return Ok(!links.is_empty());
        }
        let links = linking.of(rule)?;
        Ok(!known.get_or_init(|| links).is_empty())
    }

    fn put_out(&self, visit: &Visit<'_, 'r>, question: &mut Question<'r>) -> Result<(), CostExceeded> {
        match outputs::of(visit, &self.scope, self.call.room) {
            Ok(entries) => question.outputs.extend(entries),
            Err(problem) => {
                question.note_end(*problem);
                return Err(CostExceeded);
            }
        }
        Ok(())
    }
}
