//! One resource: who is asked about each action, and what comes of it.
//!
//! The principal policies are asked first, and what they say is final. Where they are silent, the roles of the principal
//! are taken in request order, and for each role the scopes from the nearest one up until one is not silent. No further
//! role is asked once one is allowed. This order decides which outputs and problems are met, never the effect.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::Call;
use super::applied::{Applied, Candidate};
use super::combine::Finding;
use super::conclusion;
use super::conditions::CostExceeded;
use super::derived_roles::DerivedRoles;
use super::layer::{Case, Layer};
use super::question::{Answer, Question, Stop, Word};
use super::roles::HeldRole;
use super::schemas::{self, Fitness};
use super::target::{Chain, Target};
use crate::expr::Inputs;
use crate::model::{ActionDecision, Item, OutputEntry, Reason, ResourceEvaluation};

/// Decides every action of `item`.
pub(super) fn decide(call: &Call<'_>, item: &Item<'_>) -> ResourceEvaluation {
    if let Some(observer) = call.observer {
        observer.begins(&item.resource);
    }
    let found = Target::of(call, item).and_then(|target| {
        let roles = HeldRole::of_principal(call, target.scope, target.version)?;
        Ok((target, roles))
    });
    if let (Some(observer), Ok((target, roles))) = (call.observer, &found) {
        observer.finds(target, roles);
    }
    match found {
        Ok((target, _)) if !target.exists() => conclusion::deny_all(item, Reason::NoPolicy, None),
        Ok((target, roles)) => decide_valid(call, &target, &roles, item),
        Err(CostExceeded) => conclusion::deny_all(item, Reason::CostExceeded, None),
    }
}

/// Nobody is asked about attributes that must fit their schemas and do not.
fn decide_valid(
    call: &Call<'_>,
    target: &Target<'_>,
    roles: &[HeldRole<'_>],
    item: &Item<'_>,
) -> ResourceEvaluation {
    let name = target.resource.name.as_ref();
    match schemas::judge(call, target, item) {
        Fitness::Passed(validation_errors) => {
            ResourceEvaluation { validation_errors, ..decide_target(call, target, roles, item) }
        }
        Fitness::Rejected(validation_errors) => ResourceEvaluation {
            validation_errors,
            ..conclusion::deny_all(item, Reason::InvalidAttributes, name)
        },
        Fitness::TooCostly => conclusion::deny_all(item, Reason::CostExceeded, name),
    }
}

fn decide_target(
    call: &Call<'_>,
    target: &Target<'_>,
    roles: &[HeldRole<'_>],
    item: &Item<'_>,
) -> ResourceEvaluation {
    let case = Case { call, target, roles, inputs: call.inputs(&item.resource) };
    let derived_roles: Vec<_> = target.resource.scopes.iter().map(|_| OnceCell::new()).collect();
    let asking = Asking::new(case, &derived_roles);
    let mut outputs = Vec::new();
    let actions = item.actions.iter().map(|action| asking.decide(action, &mut outputs)).collect();
    let established = derived_roles.iter().filter_map(OnceCell::get);
    let held: BTreeSet<_> = established.flat_map(DerivedRoles::held).cloned().collect();
    ResourceEvaluation {
        actions,
        effective_derived_roles: held.into_iter().collect(),
        outputs,
        validation_errors: Vec::new(),
    }
}

/// Everybody who can be asked about one resource.
struct Asking<'r> {
    case: Case<'r>,
    /// Principal policies, nearest scope first.
    principal: Vec<Applied<'r>>,
    /// Scopes of the resource, nearest first.
    layers: Vec<Layer<'r>>,
}

impl<'r> Asking<'r> {
    fn new(case: Case<'r>, derived_roles: &'r [OnceCell<DerivedRoles>]) -> Self {
        let Case { call, target, inputs, .. } = case;
        // A principal policy imports no derived roles.
        let inputs = Inputs { derived_roles: Some(&[]), ..inputs };
        let id = &call.request.principal.id;
        let policies = &call.snapshot.principal_policies;
        let principal =
            target.principal.scopes.iter().filter_map(|scope| policies.get(scope, target.version, id));
        let layers = target.resource.scopes.iter().zip(derived_roles);
        Self {
            case,
            principal: principal.map(|policy| Applied::new(call, target, policy, inputs, None)).collect(),
            layers: layers.map(|(scope, derived_roles)| Layer::new(case, scope, derived_roles)).collect(),
        }
    }

    fn decide(&self, action: &'r str, outputs: &mut Vec<OutputEntry>) -> ActionDecision {
        let mut question = Question::about(action);
        let observer = self.case.call.observer;
        if let Some(observer) = observer {
            observer.asks(action);
        }
        let answer = self.ask(&mut question);
        if let Some(observer) = observer {
            observer.decides(conclusion::spokesman(&answer, question.needs_consent));
        }
        let decision = match answer {
            Ok((chain, finding)) => conclusion::of(chain, finding, question.needs_consent),
            Err(stop) => conclusion::of_stop(&stop, &self.case.target.resource),
        };
        let (put_out, problems) = question.into_met();
        outputs.extend(put_out);
        ActionDecision { problems, ..decision }
    }

    /// What is said, and on which chain of scopes.
    fn ask(&self, question: &mut Question<'r>) -> Result<(&Chain<'r>, Finding<Word<'r>>), Stop<'r>> {
        let target = self.case.target;
        let finding = self.ask_principal(question)?;
        if !finding.is_silent() {
            return Ok((&target.principal, finding));
        }
        let finding = match target.resource.name {
            Some(_) => self.ask_roles(question)?,
            None => Finding::Silent,
        };
        Ok((&target.resource, finding))
    }

    fn ask_principal(&self, question: &mut Question<'r>) -> Answer<'r> {
        for applied in &self.principal {
            let candidates = applied.candidates(question.action)?;
            let finding = applied.ask(&candidates, 0, question)?;
            if !finding.is_silent() {
                return Ok(finding);
            }
        }
        Ok(Finding::Silent)
    }

    fn ask_roles(&self, question: &mut Question<'r>) -> Answer<'r> {
        let candidates: Vec<_> = self.layers.iter().map(|_| OnceCell::new()).collect();
        let mut finding = Finding::Silent;
        for role in 0..self.case.roles.len() {
            finding = finding.or_role(self.ask_role(role, &candidates, question)?);
            if matches!(finding, Finding::Allow(_)) {
                break;
            }
        }
        Ok(finding)
    }

    fn ask_role(
        &self,
        role: usize,
        candidates: &[OnceCell<Vec<Candidate<'r>>>],
        question: &mut Question<'r>,
    ) -> Answer<'r> {
        for (layer, candidates) in self.layers.iter().zip(candidates) {
            let finding = layer.ask(candidates, role, question)?;
            if !finding.is_silent() {
                return Ok(finding);
            }
        }
        Ok(Finding::Silent)
    }
}
