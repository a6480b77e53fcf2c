//! One scope of the chain: what its resource policy and its role policies say to a role.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use super::Call;
use super::applied::{self, Applied, Audience};
use super::combine::Finding;
use super::conditions::CostExceeded;
use super::derived_roles::DerivedRoles;
use super::links::Links;
use super::question::{Answer, Question, Stop, Word};
use super::reach::Reach;
use super::roles::HeldRole;
use super::target::{Place, Target};
use crate::expr::Inputs;
use crate::model::Reason;
use crate::policy::{ByName, Mask, Policy};

/// What is the same for all scopes of one resource.
#[derive(Clone, Copy)]
pub(super) struct Case<'r> {
    pub(super) call: &'r Call<'r>,
    pub(super) target: &'r Target<'r>,
    pub(super) inputs: Inputs<'r>,
}

/// One scope, and one resource.
#[derive(Clone, Copy)]
pub(super) struct Layer<'s, 'r> {
    pub(super) case: &'s Case<'r>,
    pub(super) place: &'r Place<'r>,
    pub(super) derived_roles: &'r OnceCell<DerivedRoles>,
    /// The scope below, if this is not the nearest one.
    pub(super) below: Option<(&'r Place<'r>, &'r OnceCell<DerivedRoles>)>,
    pub(super) known: &'s Known<'r>,
}

/// What has been found out so far about the policies of one scope and one resource.
#[derive(Default)]
pub(super) struct Known<'r> {
    /// Of the resource policy, once its derived roles were established.
    links: OnceCell<Links<'r>>,
    applied: OnceCell<Applied<'r>>,
    /// The role policies that were asked, by role, ascending.
    applied_roles: RefCell<Vec<(&'r str, Rc<Applied<'r>>)>>,
}

impl<'s, 'r> Layer<'s, 'r> {
    /// What the scope says to the role at index `role`: its role policies first, then the rules about its resource.
    /// `rules` keeps those about the action for the next role and the next resource.
    pub(super) fn ask(&self, rules: &OnceCell<Mask>, role: usize, question: &mut Question<'r>) -> Answer<'r> {
        let links = self.links(question)?;
        let finding = self.ask_role_policies(role, question)?;
        let (Some(links), false) = (links, matches!(finding, Finding::Deny(_))) else {
            return Ok(finding);
        };
        let call = self.case.call;
        let rules = match rules.get() {
            Some(known) => known,
            None => {
                let found = applied::rules_about(question.action, links.policy, call)?;
                rules.get_or_init(|| found)
            }
        };
        let applied = match self.known.applied.get() {
            Some(known) => known,
            None => {
                let speaks = links.spoken(role).is_some_and(|spoken| rules.meets(spoken));
                if !speaks && call.observer.is_none() {
                    call.charge(rules.words())?;
                    return Ok(finding);
                }
                let audience = Audience::Roles(*links);
                self.known.applied.get_or_init(|| Applied::new(call, links.policy, self.inputs(), audience))
            }
        };
        applied.show_considered(question.action, rules);
        Ok(finding.beside(applied.ask(rules, role, question)?))
    }

    /// The role and each role above it must list the action, wherever they have a role policy.
    fn ask_role_policies(&self, index: usize, question: &mut Question<'r>) -> Answer<'r> {
        let mut finding = Finding::Silent;
        let (Some(policies), Some(role)) = (self.place.role_policies, self.case.target.roles.get(index))
        else {
            return Ok(finding);
        };
        self.case.call.charge(role.count())?;
        let own = own_policies(policies, role);
        if own.is_empty() || !self.speaks(index, &own)? {
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
    fn speaks(&self, role: usize, role_policies: &[&Policy]) -> Result<bool, CostExceeded> {
        let Case { call, target, .. } = self.case;
        for policy in role_policies {
            if !target.rules_of(policy, call)?.is_empty() {
                return Ok(true);
            }
        }
        let reached = self.place.reach.get().and_then(|reach| reach.of_role(role));
        Ok(reached.is_some_and(|reached| !reached.spoken.is_empty()))
    }

    /// Every rule about the action confines it; where there is none, the action is not listed.
    fn ask_role_policy(&self, policy: &'r Policy, question: &mut Question<'r>) -> Answer<'r> {
        let applied = self.applied_role(policy)?;
        let rules = applied.rules_about(question.action)?;
        if rules.is_empty() {
            if let Some(observer) = self.case.call.observer {
                observer.finds_unlisted(policy);
            }
            return Ok(Finding::Deny(Word { policy, rule: None, reason: Reason::NotInRolePolicy }));
        }
        applied.ask(&rules, 0, question)
    }

    fn applied_role(&self, policy: &'r Policy) -> Result<Rc<Applied<'r>>, CostExceeded> {
        let Case { call, target, .. } = *self.case;
        let mut known = self.known.applied_roles.borrow_mut();
        let at = known.partition_point(|(role, _)| *role < &*policy.subject);
        if let Some((_, applied)) = known.get(at).filter(|(role, _)| *role == &*policy.subject) {
            return Ok(Rc::clone(applied));
        }
        let audience = Audience::Whoever(target.rules_of(policy, call)?);
        let applied = Rc::new(Applied::new(call, policy, self.inputs(), audience));
        known.insert(at, (&policy.subject, Rc::clone(&applied)));
        Ok(applied)
    }

    /// How the rules of the resource policy come to speak to roles, if the scope has one; its derived roles are
    /// established.
    fn links(&self, question: &mut Question<'r>) -> Result<Option<&'s Links<'r>>, Stop<'r>> {
        if let Some(links) = self.known.links.get() {
            return Ok(Some(links));
        }
        let Some(policy) = self.place.policy else {
            return Ok(None);
        };
        let Case { call, target, inputs } = *self.case;
        let reach = self.reach(policy)?;
        let derived_roles = self
            .derived_roles
            .get_or_init(|| DerivedRoles::judge(call, policy, (&target.roles, reach), inputs, self.below()));
        if let Some(problems) = derived_roles.too_costly() {
            question.note(problems);
            return Err(CostExceeded.into());
        }
        let links = Links { policy, roles: &target.roles, reach, derived_roles };
        Ok(Some(self.known.links.get_or_init(|| links)))
    }

    /// The resource policy of the scope below and its derived roles.
    fn below(&self) -> Option<(&'r Policy, &'r DerivedRoles)> {
        let (place, derived_roles) = self.below?;
        Some((place.policy?, derived_roles.get()?))
    }

    fn reach(&self, policy: &Policy) -> Result<&'r Reach, CostExceeded> {
        let known = &self.place.reach;
        if let Some(reach) = known.get() {
            return Ok(reach);
        }
        let reach = Reach::of(policy, &self.case.target.roles, self.case.call)?;
        Ok(known.get_or_init(|| reach))
    }

    /// What conditions read in this scope: its derived roles, and no others.
    fn inputs(&self) -> Inputs<'r> {
        let derived_roles = match self.derived_roles.get() {
            Some(derived_roles) => derived_roles.known(),
            None => Some(&[][..]),
        };
        Inputs { derived_roles, ..self.case.inputs }
    }
}

/// The policies of the role and of each role above it that say anything.
fn own_policies<'r>(policies: &'r ByName, role: &HeldRole<'_>) -> Vec<&'r Policy> {
    let own = role.names().filter_map(|name| policies.get(name)).map(AsRef::as_ref);
    own.filter(|policy: &&Policy| !policy.rules.is_empty()).collect()
}
