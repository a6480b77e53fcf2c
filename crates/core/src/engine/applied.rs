//! One policy against one resource: which of its rules are visited, and what they say.
//!
//! Every rule that is visited, of whatever kind of policy, is visited here.

use std::cell::{Cell, RefCell};

use super::Call;
use super::combine::Finding;
use super::conditions::{self, CostExceeded, Judged, Owner, Truth, Verdict};
use super::links::{Link, Links, Placed};
use super::observe::{Aside, Visited};
use super::outputs;
use super::question::{Answer, Question, Stop, Word};
use crate::expr::{Inputs, Scope};
use crate::model::{Few, Problem, Reason};
use crate::policy::{Brief, Mask, Policy, PolicyKind, Rule, Stance};

/// What has been found out so far about one policy and one resource.
pub(super) struct Applied<'r> {
    policy: &'r Policy,
    call: &'r Call<'r>,
    scope: Scope<'r>,
    audience: Audience<'r>,
    /// How the condition of each rule ended, evaluated at most once, whatever the number of actions and roles.
    verdicts: Few<Cell<Option<Verdict>>, 16>,
    /// The action of which whoever looks on was shown the rules last.
    shown: Cell<Option<&'r str>>,
    /// What went wrong with the conditions, by the index of their rule, ascending.
    problems: RefCell<Vec<(usize, Vec<Problem>)>>,
}

/// To whom the rules of a policy speak.
pub(super) enum Audience<'r> {
    /// These rules, which are about the resource, speak to whoever the policy is about.
    Whoever(Mask),
    /// All of them are about the resource, and speak to roles.
    Roles(Links<'r>),
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

/// The rules of `policy` about `action`.
pub(super) fn rules_about(action: &str, policy: &Policy, call: &Call<'_>) -> Result<Mask, CostExceeded> {
    let actions = &policy.table.actions;
    let mut found = Mask::below(policy.table.rules.len());
    call.charge(actions.cost(action).saturating_add(found.words()))?;
    actions.find(action, &mut found);
    Ok(found)
}

impl<'r> Applied<'r> {
    /// Nothing found out yet.
    pub(super) fn new(
        call: &'r Call<'r>,
        policy: &'r Policy,
        inputs: Inputs<'r>,
        audience: Audience<'r>,
    ) -> Self {
        Self {
            policy,
            call,
            scope: Scope::new(inputs, &policy.frame, call.budget),
            audience,
            verdicts: Few::of_defaults(policy.table.rules.len()),
            shown: Cell::default(),
            problems: RefCell::default(),
        }
    }

    /// The rules about `action` and the resource.
    pub(super) fn rules_about(&self, action: &'r str) -> Result<Mask, CostExceeded> {
        let mut found = rules_about(action, self.policy, self.call)?;
        self.show_considered(action, &found);
        if let Audience::Whoever(about) = &self.audience {
            found.keep(about);
        }
        Ok(found)
    }

    /// What `rules` say to the role at index `role` of the principal, visited until one denies for certain.
    pub(super) fn ask(&self, rules: &Mask, role: usize, question: &mut Question<'r>) -> Answer<'r> {
        let mut finding = Finding::Silent;
        let Some(spoken) = self.spoken(role) else {
            return Ok(finding);
        };
        self.call.charge(rules.words())?;
        if self.call.observer.is_some() {
            self.show_looked_at(rules, spoken);
        }
        for index in rules.common(spoken) {
            let Some(placed) = Placed::of(self.policy, index) else { break };
            self.call.charge(1)?;
            let link = self.link(placed, role, question)?;
            if link.speaks {
                let says = self.visit(placed, role, link, question)?;
                finding = finding.beside(says);
            }
            if matches!(finding, Finding::Deny(_)) {
                break;
            }
        }
        Ok(finding)
    }

    /// The rules that can speak to the role at index `role`.
    fn spoken(&self, role: usize) -> Option<&Mask> {
        match &self.audience {
            Audience::Whoever(about) => Some(about),
            Audience::Roles(links) => links.spoken(role),
        }
    }

    fn visit(&self, placed: Placed<'r>, role: usize, link: Link, question: &mut Question<'r>) -> Answer<'r> {
        let Placed { brief, rule, .. } = placed;
        let stance = brief.stance;
        let truth = self.truth(placed, question)?;
        let word = self.word(placed);
        let says = Finding::of(stance, link, truth, word);
        let is_role_policy = self.policy.kind == PolicyKind::Role;
        if stance == Stance::Confine && !is_role_policy && says.is_silent() && link.certain {
            question.needs_consent.get_or_insert(word);
        }
        let activated = self.is_activated(brief, says);
        if brief.puts_out && rule.output.of(activated).is_some() {
            let times = match says {
                Finding::Silent if self.is_broken(placed) => 0,
                Finding::Deny(_) => 1,
                _ => self.times(placed, role, question.action)?,
            };
            self.put_out(&Visit { rule, action: question.action, times, activated }, question)?;
        }
        self.show_visited(placed, role, truth, says);
        Ok(says)
    }

    /// Whether a rule that says this counts as activated.
    fn is_activated(&self, brief: &Brief, says: Finding<Word<'r>>) -> bool {
        match brief.stance {
            Stance::Allow | Stance::Deny => !says.is_silent(),
            Stance::Confine if self.policy.kind == PolicyKind::Role => says.is_silent(),
            // The peer turns a conditional allow into a deny with the opposite condition.
            Stance::Confine => !says.is_silent() || !brief.is_conditional,
        }
    }

    fn truth(&self, placed: Placed<'r>, question: &mut Question<'r>) -> Result<Truth, Stop<'r>> {
        let verdict = self.verdict(placed, question);
        let truth = verdict.truth?;
        self.stop_at_error(verdict, placed)?;
        Ok(truth)
    }

    fn is_broken(&self, Placed { index, .. }: Placed<'r>) -> bool {
        self.verdicts.get(index).and_then(Cell::get).is_some_and(|verdict| verdict.broken)
    }

    /// How the condition of a rule ends; what goes wrong is noted.
    fn verdict(&self, placed: Placed<'r>, question: &mut Question<'r>) -> Verdict {
        let Placed { index, brief, .. } = placed;
        let Some(known) = self.verdicts.get(index).filter(|_| brief.is_conditional) else {
            return Verdict::of(Ok(Truth::True));
        };
        if let Some(verdict) = known.get() {
            let problems = self.problems.borrow();
            if let Ok(at) = problems.binary_search_by_key(&index, |(rule, _)| *rule) {
                problems.get(at).inspect(|(_, problems)| question.note(problems));
            }
            return verdict;
        }
        let judged = conditions::judge(Owner::rule(self.policy, (index, brief)), &self.scope, self.call);
        let Judged { verdict, problems } = judged;
        known.set(Some(verdict));
        if !problems.is_empty() {
            question.note(&problems);
            let mut known = self.problems.borrow_mut();
            let at = known.partition_point(|(rule, _)| *rule < index);
            known.insert(at, (index, problems));
        }
        verdict
    }

    fn link(&self, placed: Placed<'r>, role: usize, question: &mut Question<'r>) -> Result<Link, Stop<'r>> {
        let Audience::Roles(links) = &self.audience else {
            return Ok(Link::DIRECT);
        };
        let link = links.of(placed, role, self.call)?;
        if link.erring && !self.denies_by_name(placed, link, question)? {
            self.call.charge(placed.brief.derived_roles.len())?;
            for derived in links.erring(placed.brief, role) {
                question.note(links.derived_roles.problems(derived));
                if let Some(verdict) = links.derived_roles.verdict(derived) {
                    self.stop_at_error(verdict, placed)?;
                }
            }
        }
        Ok(link)
    }

    /// Whether, under strict evaluation, the rule denies the role that it names: then, as for the peer, an error of its
    /// derived roles is met too late to matter.
    fn denies_by_name(
        &self,
        placed: Placed<'r>,
        link: Link,
        question: &mut Question<'r>,
    ) -> Result<bool, Stop<'r>> {
        let denying = match placed.brief.stance {
            _ if !link.named || !self.call.settings.strict_evaluation => return Ok(false),
            Stance::Allow => return Ok(false),
            Stance::Deny => Truth::True,
            Stance::Confine => Truth::False,
        };
        Ok(self.truth(placed, question)? == denying)
    }

    fn stop_at_error(&self, verdict: Verdict, placed: Placed<'r>) -> Result<(), Stop<'r>> {
        if verdict.erred && self.call.settings.strict_evaluation {
            return Err(Stop::Error(self.word(placed)));
        }
        Ok(())
    }

    fn word(&self, Placed { index, brief, .. }: Placed<'r>) -> Word<'r> {
        let reason = match brief.stance {
            Stance::Allow => Reason::AllowRule,
            Stance::Deny => Reason::DenyRule,
            Stance::Confine if self.policy.kind == PolicyKind::Role => Reason::NotInRolePolicy,
            Stance::Confine => Reason::AllowRuleNotMet,
        };
        Word { policy: self.policy, rule: Some(index), reason }
    }

    /// How many times the peer comes by a rule: by each of its patterns that matches, for each way to the role.
    fn times(&self, placed: Placed<'r>, role: usize, action: &str) -> Result<usize, CostExceeded> {
        let patterns = self.patterns(placed.rule, action);
        let Audience::Roles(links) = &self.audience else {
            return Ok(patterns);
        };
        Ok(patterns.saturating_mul(links.ways(placed, role, self.call)?))
    }

    /// How many of the patterns of a rule match, as the peer counts them: it looks up the rules of a role policy by
    /// resource, and only then whether any action fits.
    fn patterns(&self, rule: &Rule, action: &str) -> usize {
        match self.policy.kind {
            PolicyKind::Role => 1,
            _ => rule.actions.iter().filter(|pattern| pattern.matches(action)).count(),
        }
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

    /// Shows every rule to whoever looks on, and why those that are not about the question are not; `found` are those
    /// about `action`. What was shown for the role before is not shown again.
    pub(super) fn show_considered(&self, action: &'r str, found: &Mask) {
        let Some(observer) = self.call.observer else {
            return;
        };
        if self.shown.replace(Some(action)).is_some_and(|shown| std::ptr::eq(shown, action)) {
            return;
        }
        for placed in (0..).map_while(|index| Placed::of(self.policy, index)) {
            let Placed { index, rule, .. } = placed;
            let aside = match &self.audience {
                _ if !found.contains(index) => Some(Aside::Action),
                Audience::Whoever(about) if !about.contains(index) => Some(Aside::Resource),
                Audience::Roles(links) if !links.speak(placed) => Some(Aside::Role),
                Audience::Whoever(_) | Audience::Roles(_) => None,
            };
            observer.considers(self.policy, rule, aside);
        }
    }

    /// Shows that some of `rules` could speak to a role. Out of the way of decisions that nobody looks on at.
    #[cold]
    fn show_looked_at(&self, rules: &Mask, spoken: &Mask) {
        if let Some(observer) = self.call.observer
            && rules.meets(spoken)
        {
            observer.looks_at(self.policy, &self.scope);
        }
    }

    fn show_visited(&self, placed: Placed<'r>, role: usize, truth: Truth, says: Finding<Word<'r>>) {
        let Some(observer) = self.call.observer else {
            return;
        };
        let links = match &self.audience {
            Audience::Whoever(_) => None,
            Audience::Roles(links) => Some(links),
        };
        observer.visits(&Visited {
            policy: self.policy,
            rule: placed.rule,
            role: links.and_then(|links| links.roles.get(role)),
            derived_roles: links.map(|links| links.derived_roles),
            truth,
            says,
            activated: self.is_activated(placed.brief, says),
        });
    }
}
