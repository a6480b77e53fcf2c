//! One scope of the chain: what its resource policy and its role policies say to a role.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::Call;
use super::applied::{Applied, Candidate};
use super::combine::Finding;
use super::conditions::CostExceeded;
use super::derived_roles::DerivedRoles;
use super::links::Links;
use super::question::{Answer, Question, Stop, Word};
use super::roles::HeldRole;
use super::target::Target;
use crate::expr::Inputs;
use crate::model::Reason;
use crate::policy::{ByName, Policy};

/// What is the same for all scopes of one resource.
#[derive(Clone, Copy)]
pub(super) struct Case<'r> {
    pub(super) call: &'r Call<'r>,
    pub(super) target: &'r Target<'r>,
    pub(super) roles: &'r [HeldRole<'r>],
    pub(super) inputs: Inputs<'r>,
}

/// One scope, and what has been found out so far about its policies.
pub(super) struct Layer<'r> {
    case: Case<'r>,
    policy: Option<&'r Policy>,
    role_policies: Option<&'r ByName>,
    derived_roles: &'r OnceCell<DerivedRoles>,
    applied: OnceCell<Applied<'r>>,
    /// The role policies that were asked, by role.
    applied_roles: RefCell<BTreeMap<&'r str, Rc<Applied<'r>>>>,
}

impl<'r> Layer<'r> {
    /// The layer of `scope`, which keeps its derived roles in `derived_roles`.
    pub(super) fn new(case: Case<'r>, scope: &str, derived_roles: &'r OnceCell<DerivedRoles>) -> Self {
        let (snapshot, target) = (case.call.snapshot, case.target);
        Self {
            case,
            policy: snapshot.resource_policies.get(scope, target.version, target.kind),
            role_policies: snapshot.role_policies.of_version(scope, target.version),
            derived_roles,
            applied: OnceCell::new(),
            applied_roles: RefCell::default(),
        }
    }

    /// What the scope says to the role at index `role`: its role policies first, then the rules about its resource.
    /// `candidates` keeps those rules for the next role.
    pub(super) fn ask(
        &self,
        candidates: &OnceCell<Vec<Candidate<'r>>>,
        role: usize,
        question: &mut Question<'r>,
    ) -> Answer<'r> {
        let applied = self.applied(question)?;
        let finding = self.ask_role_policies(role, question)?;
        let (Some(applied), false) = (applied, matches!(finding, Finding::Deny(_))) else {
            return Ok(finding);
        };
        let candidates = match candidates.get() {
            Some(known) => known,
            None => {
                let found = applied.candidates(question.action)?;
                candidates.get_or_init(|| found)
            }
        };
        Ok(finding.beside(applied.ask(candidates, role, question)?))
    }

    /// The role and each role above it must list the action, wherever they have a role policy.
    fn ask_role_policies(&self, role: usize, question: &mut Question<'r>) -> Answer<'r> {
        let mut finding = Finding::Silent;
        let (Some(policies), Some(role)) = (self.role_policies, self.case.roles.get(role)) else {
            return Ok(finding);
        };
        self.case.call.charge(role.names.len())?;
        let own = role.names.iter().filter_map(|name| policies.get(*name)).map(Arc::as_ref);
        let own: Vec<_> = own.filter(|policy| !policy.rules.is_empty()).collect();
        if own.is_empty() || !self.speaks(role, &own)? {
            return Ok(finding);
        }
        for policy in own {
            finding = finding.beside(self.ask_role_policy(policy, question)?);
            if matches!(finding, Finding::Deny(_)) {
                break;
            }
        }
        Ok(finding)
    }

    /// Whether any rule of the scope is about the resource and the role, whatever the action and the conditions. As
    /// for the peer, role policies confine a role only where one is; otherwise the scopes above are asked.
    fn speaks(&self, role: &HeldRole<'_>, role_policies: &[&Policy]) -> Result<bool, CostExceeded> {
        let Target { kind, printed_kind, .. } = self.case.target;
        for pattern in
            role_policies.iter().flat_map(|policy| &policy.rules).filter_map(|rule| rule.resource.as_ref())
        {
            self.case.call.charge(pattern.cost(kind))?;
            if pattern.matches(kind, printed_kind) {
                return Ok(true);
            }
        }
        let Some(policy) = self.policy else {
            return Ok(false);
        };
        for rule in &policy.rules {
            self.case.call.charge(role.names.len() * (1 + rule.derived_roles.len()))?;
            let derived = rule.derived_roles.iter().filter_map(|index| policy.derived_roles.get(*index));
            let mut roles = rule.roles.iter().chain(derived.map(|derived| &derived.parent_roles));
            if roles.any(|roles| role.ways_into(roles) > 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every rule about the action confines it; where there is none, the action is not listed.
    fn ask_role_policy(&self, policy: &'r Policy, question: &mut Question<'r>) -> Answer<'r> {
        let applied = self.applied_role(policy);
        let candidates = applied.candidates(question.action)?;
        if candidates.is_empty() {
            if let Some(observer) = self.case.call.observer {
                observer.finds_unlisted(policy);
            }
            return Ok(Finding::Deny(Word { policy, rule: None, reason: Reason::NotInRolePolicy }));
        }
        applied.ask(&candidates, 0, question)
    }

    fn applied_role(&self, policy: &'r Policy) -> Rc<Applied<'r>> {
        let Case { call, target, inputs, .. } = self.case;
        let mut known = self.applied_roles.borrow_mut();
        let apply = || Rc::new(Applied::new(call, target, policy, self.inputs(inputs), None));
        Rc::clone(known.entry(&policy.subject).or_insert_with(apply))
    }

    /// The resource policy, if the scope has one, with its derived roles established.
    fn applied(&self, question: &mut Question<'r>) -> Result<Option<&Applied<'r>>, Stop<'r>> {
        let Some(policy) = self.policy else {
            return Ok(None);
        };
        let Case { call, target, roles, inputs } = self.case;
        let derived_roles =
            self.derived_roles.get_or_init(|| DerivedRoles::judge(call, policy, roles, inputs));
        if let Some(judged) = derived_roles.too_costly() {
            question.note(judged);
            return Err(CostExceeded.into());
        }
        let linking = Links { policy, roles, derived_roles, budget: call.budget };
        let apply = || Applied::new(call, target, policy, self.inputs(inputs), Some(linking));
        Ok(Some(self.applied.get_or_init(apply)))
    }

    /// What conditions read in this scope: its derived roles, and no others.
    fn inputs(&self, inputs: Inputs<'r>) -> Inputs<'r> {
        let derived_roles = match self.derived_roles.get() {
            Some(derived_roles) => derived_roles.known(),
            None => Some(&[][..]),
        };
        Inputs { derived_roles, ..inputs }
    }
}
