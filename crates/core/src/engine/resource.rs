//! One resource: who is asked about each action, and what comes of it.
//!
//! The principal policies are asked first, and what they say is final. Where they are silent, the roles of the principal
//! are taken in request order, and for each role the scopes from the nearest one up until one is not silent. No further
//! role is asked once one is allowed. This order decides which outputs and problems are met, never the effect.

use std::cell::OnceCell;
use std::sync::Arc;

use super::Call;
use super::applied::{Applied, Audience};
use super::combine::Finding;
use super::conclusion::{self, Conclusion};
use super::conditions::CostExceeded;
use super::derived_roles::DerivedRoles;
use super::layer::{Case, Known, Layer};
use super::question::{Answer, Question, Stop, Word};
use super::schemas::{self, Fitness};
use super::standing;
use super::target::{Chain, Target};
use crate::expr::{InForce, Inputs};
use crate::model::{ActionDecision, Few, Item, OutputEntry, Reason, ResourceEvaluation};
use crate::policy::{Mask, Policy};

/// Decides every action of `alike`, which are all about the same.
pub(super) fn decide(call: &Call<'_>, alike: &[Item<'_>], decided: &mut Vec<ResourceEvaluation>) {
    let Some(first) = alike.first() else { return };
    let target = Target::of(call, first);
    let target = target.as_ref().ok();
    for items in alike.chunk_by(|one, next| one.actions == next.actions) {
        let (places, actions) = (target.map_or(0, |target| target.places.len()), items.first());
        let cells = places * actions.map_or(0, |item| item.actions.len());
        let rules = Few::<_, 4>::of_defaults(cells);
        decided.extend(items.iter().map(|item| decide_item(call, target, &rules, item)));
    }
}

/// Decides every action of `item`, which is about `target`; nothing if to find that cost more than the call may spend.
/// `rules` keeps those about each action in each scope for the next item.
fn decide_item(
    call: &Call<'_>,
    target: Option<&Target<'_>>,
    rules: &[OnceCell<Mask>],
    item: &Item<'_>,
) -> ResourceEvaluation {
    if let Some(observer) = call.observer {
        observer.begins(&item.resource);
        if let Some(target) = target {
            observer.finds(target);
        }
    }
    let name = target.and_then(|target| target.resource.name());
    let Ok(in_force) = standing::in_force(call, item) else {
        return conclusion::deny_all(item, Reason::CostExceeded, name);
    };
    match standing::denial(call, in_force.as_ref()) {
        Ok(None) => {}
        Ok(Some((reason, ground))) => return conclusion::deny_all_on(ground.as_ref(), item, reason, name),
        Err(CostExceeded) => return conclusion::deny_all(item, Reason::CostExceeded, name),
    }
    let target = match target {
        Some(target) if !target.exists() => return conclusion::deny_all(item, Reason::NoPolicy, None),
        Some(target) => target,
        None => return conclusion::deny_all(item, Reason::CostExceeded, None),
    };
    // Nobody is asked about attributes that must fit their schemas and do not.
    match schemas::judge(call, target, item) {
        Fitness::Passed(validation_errors) => {
            let decided = decide_valid((call, target, in_force.as_ref()), rules, item);
            ResourceEvaluation { validation_errors, ..decided }
        }
        Fitness::Rejected(validation_errors) => ResourceEvaluation {
            validation_errors,
            ..conclusion::deny_all(item, Reason::InvalidAttributes, target.resource.name())
        },
        Fitness::TooCostly => conclusion::deny_all(item, Reason::CostExceeded, target.resource.name()),
    }
}

fn decide_valid(
    (call, target, in_force): (&Call<'_>, &Target<'_>, Option<&InForce<'_>>),
    rules: &[OnceCell<Mask>],
    item: &Item<'_>,
) -> ResourceEvaluation {
    let mut derived_roles = Few::<_, 1>::of_defaults(target.places.len());
    let mut outputs = Vec::new();
    let mut actions = Vec::with_capacity(item.actions.len());
    {
        let known = Few::<_, 1>::of_defaults(target.places.len());
        let asking = Asking {
            case: Case { call, target, inputs: call.inputs(&item.resource, in_force) },
            principal: target.principal_policies.iter().map(|_| OnceCell::new()).collect(),
            derived_roles: &derived_roles,
            known: &known,
        };
        for (number, action) in item.actions.iter().enumerate() {
            let rules = rules.get(number * known.len()..).unwrap_or_default();
            actions.push(asking.decide(action, rules, &mut outputs));
        }
    }
    let policy = Arc::clone(conclusion::printed(target.resource.name()));
    let effective_derived_roles = DerivedRoles::held_in(&mut derived_roles);
    ResourceEvaluation { policy, actions, effective_derived_roles, outputs, validation_errors: Vec::new() }
}

/// Everybody who can be asked about one resource.
struct Asking<'s, 'r> {
    case: Case<'r>,
    /// Of each principal policy, what was found out.
    principal: Vec<OnceCell<Applied<'r>>>,
    /// Of each scope, once they were established.
    derived_roles: &'r [OnceCell<DerivedRoles>],
    /// Of each scope, what was found out.
    known: &'s [Known<'r>],
}

impl<'r> Asking<'_, 'r> {
    /// `rules` are those about the action, for each scope.
    fn decide(
        &self,
        action: &'r str,
        rules: &[OnceCell<Mask>],
        outputs: &mut Vec<OutputEntry>,
    ) -> ActionDecision {
        let mut question = Question::about(action);
        let observer = self.case.call.observer;
        if let Some(observer) = observer {
            observer.asks(action);
        }
        let answer = self.ask(rules, &mut question);
        if let Some(observer) = observer {
            observer.decides(conclusion::spokesman(&answer, question.needs_consent));
        }
        let conclusion = match answer {
            Ok((chain, finding)) => Conclusion::of(chain, finding, question.needs_consent),
            Err(stop) => Conclusion::of_stop(&stop, &self.case.target.resource),
        };
        let (mut put_out, problems) = question.into_met();
        outputs.append(&mut put_out);
        let decision = conclusion.decision(conclusion::printed(self.case.target.resource.name()), problems);
        self.fresh(action, decision)
    }

    /// The decision, unless the capability behind the action asks for fresher facts than there are.
    fn fresh(&self, action: &str, mut decision: ActionDecision) -> ActionDecision {
        let Case { call, target, inputs } = self.case;
        let what = (target.kind, action);
        match standing::demand_freshness(call, what, inputs.signals, &mut decision) {
            Ok(()) => decision,
            Err(CostExceeded) => {
                let stop = Conclusion::of_stop(&Stop::CostExceeded, &target.resource);
                stop.decision(conclusion::printed(target.resource.name()), decision.problems)
            }
        }
    }

    /// What is said, and on which chain of scopes.
    fn ask(
        &self,
        rules: &[OnceCell<Mask>],
        question: &mut Question<'r>,
    ) -> Result<(&'r Chain<'r>, Finding<Word<'r>>), Stop<'r>> {
        let target = self.case.target;
        let finding = self.ask_principal(question)?;
        if !finding.is_silent() {
            return Ok((&target.principal, finding));
        }
        let finding = if target.resource.exists { self.ask_roles(rules, question)? } else { Finding::Silent };
        Ok((&target.resource, finding))
    }

    fn ask_principal(&self, question: &mut Question<'r>) -> Answer<'r> {
        for (policy, known) in self.case.target.principal_policies.iter().zip(&self.principal) {
            let applied = match known.get() {
                Some(applied) => applied,
                None => {
                    let applied = self.applied(policy)?;
                    known.get_or_init(|| applied)
                }
            };
            let rules = applied.rules_about(question.action)?;
            let finding = applied.ask(&rules, 0, question)?;
            if !finding.is_silent() {
                return Ok(finding);
            }
        }
        Ok(Finding::Silent)
    }

    /// A principal policy, which imports no derived roles.
    fn applied(&self, policy: &'r Policy) -> Result<Applied<'r>, CostExceeded> {
        let Case { call, target, inputs } = self.case;
        let audience = Audience::Whoever(target.rules_of(policy, call)?);
        Ok(Applied::new(call, policy, Inputs { derived_roles: Some(&[]), ..inputs }, audience))
    }

    fn ask_roles(&self, rules: &[OnceCell<Mask>], question: &mut Question<'r>) -> Answer<'r> {
        let mut finding = Finding::Silent;
        for role in 0..self.case.target.roles.len() {
            finding = finding.or_role(self.ask_role(role, rules, question)?);
            if matches!(finding, Finding::Allow(_)) {
                break;
            }
        }
        Ok(finding)
    }

    fn ask_role(&self, role: usize, rules: &[OnceCell<Mask>], question: &mut Question<'r>) -> Answer<'r> {
        let places = self.case.target.places.iter().zip(self.derived_roles);
        let mut below = None;
        for ((place, derived_roles), (known, rules)) in places.zip(self.known.iter().zip(rules)) {
            let layer = Layer { case: &self.case, place, derived_roles, below, known };
            below = Some((place, derived_roles));
            let finding = layer.ask(rules, role, question)?;
            if !finding.is_silent() {
                return Ok(finding);
            }
        }
        Ok(Finding::Silent)
    }
}
