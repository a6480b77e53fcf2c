//! Looks on while a call is decided, and keeps what an explanation needs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::explanation::{
    Decider, ExplainedDerivedRole, ExplainedResource, ExplainedRole, ExplainedRule, Outcome, SpokenTo,
};
use super::trees::{Owner, Trees, explained};
use crate::engine::combine::Finding;
use crate::engine::conditions::{CostExceeded, Truth};
use crate::engine::derived_roles::DerivedRoles;
use crate::engine::observe::{Aside, Observer, Visited};
use crate::engine::question::Word;
use crate::engine::roles::HeldRole;
use crate::engine::target::Target;
use crate::expr::{Budget, Comparison, Scope};
use crate::limits::EXPLANATION_BYTES;
use crate::model::{Effect, Resource};
use crate::policy::{Condition, Policy, Roles, Rule, Stance};

/// What was found out about one resource, still without the decisions.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) resource: ExplainedResource,
    pub(super) actions: Vec<ActionDraft>,
    /// Its conditions that were evaluated.
    pub(super) leads: Vec<Lead>,
    known: BTreeSet<*const Condition>,
}

/// What was found out about one action.
#[derive(Default)]
pub(super) struct ActionDraft {
    pub(super) decider: Option<Decider>,
    pub(super) rules: Vec<ExplainedRule>,
    /// Where each rule is among `rules`.
    places: BTreeMap<*const Rule, usize>,
}

/// A condition that was evaluated and may be the one that matters.
pub(super) struct Lead {
    pub(super) condition: *const Condition,
    pub(super) truth: Truth,
    pub(super) rule: Option<String>,
    pub(super) derived_role: Option<String>,
    /// The expression; none for a condition of several.
    pub(super) expr: Option<String>,
    pub(super) position: String,
    pub(super) comparison: Option<Comparison>,
}

/// The observer.
pub(super) struct Recorder<'b> {
    budget: &'b Budget,
    state: RefCell<State>,
}

struct State {
    drafts: Vec<Draft>,
    /// The conditions about the current resource.
    trees: Trees,
    /// How many bytes there may be yet.
    room: usize,
    truncated: bool,
}

impl<'b> Recorder<'b> {
    /// An observer that finds out on `budget` what conditions read.
    pub(super) fn new(budget: &'b Budget) -> Self {
        let state =
            State { drafts: Vec::new(), trees: Trees::default(), room: EXPLANATION_BYTES, truncated: false };
        Self { budget, state: RefCell::new(state) }
    }

    /// What it has seen, by resource, and whether something had no room.
    pub(super) fn into_drafts(self) -> (Vec<Draft>, bool) {
        let State { drafts, truncated, .. } = self.state.into_inner();
        (drafts, truncated)
    }
}

impl Observer for Recorder<'_> {
    fn judged(&self, condition: &Condition, scope: &Scope<'_>, truth: Result<Truth, CostExceeded>) {
        let mut state = self.state.borrow_mut();
        let budget = (!state.truncated).then_some(self.budget);
        state.trees.note(condition, scope, truth, budget);
    }

    fn begins(&self, resource: &Resource<'_>) {
        let (kind, id) = (resource.kind.to_string(), resource.id.to_string());
        let resource = ExplainedResource { kind, id, ..ExplainedResource::default() };
        let mut state = self.state.borrow_mut();
        state.trees = Trees::default();
        state.drafts.push(Draft { resource, ..Draft::default() });
    }

    fn finds(&self, target: &Target<'_>) {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut state = self.state.borrow_mut();
        let roles = target
            .roles
            .iter()
            .map(|role| ExplainedRole { name: role.name().to_owned(), above: owned(role.above()) });
        let roles = state.fitting(roles);
        let Some(draft) = state.drafts.last_mut() else {
            return;
        };
        draft.resource.policy_version = target.version.to_owned();
        draft.resource.principal_scopes = owned(&target.principal.scopes);
        draft.resource.resource_scopes = owned(&target.resource.scopes);
        draft.resource.roles = roles;
    }

    fn established(&self, policy: &Policy, derived_roles: &DerivedRoles, roles: &[HeldRole<'_>]) {
        let mut state = self.state.borrow_mut();
        for (index, role) in policy.derived_roles.iter().enumerate() {
            if state.truncated {
                return;
            }
            let condition = role.condition.as_ref();
            let leads =
                condition.map(|condition| state.trees.leads(condition, Owner::DerivedRole(&role.name)));
            let entry = ExplainedDerivedRole {
                name: role.name.to_string(),
                policy: policy.name.to_string(),
                position: role.position.to_string(),
                holds: explained(derived_roles.verdict(index).map(|verdict| verdict.truth)),
                parent_roles: written(&role.parent_roles),
                parent_role_held: roles.iter().any(|held| held.ways_into(&role.parent_roles) > 0),
                condition: condition.map(|condition| state.trees.tree(condition)),
            };
            let entry = state.fitting([entry]);
            let Some(draft) = state.drafts.last_mut() else {
                return;
            };
            draft.resource.derived_roles.extend(entry);
            draft.add(leads.unwrap_or_default());
        }
    }

    fn asks(&self, _action: &str) {
        if let Some(draft) = self.state.borrow_mut().drafts.last_mut() {
            draft.actions.push(ActionDraft::default());
        }
    }

    fn considers(&self, policy: &Policy, rule: &Rule, aside: Option<Aside>) {
        let mut state = self.state.borrow_mut();
        let place = std::ptr::from_ref(rule);
        if state.truncated || state.action().is_some_and(|action| action.places.contains_key(&place)) {
            return;
        }
        let derived_roles = rule.derived_roles.iter().filter_map(|index| policy.derived_roles.get(*index));
        let entry = ExplainedRule {
            rule: Some(rule.name.to_string()),
            position: rule.position.to_string(),
            effect: rule.effect,
            outcome: match aside {
                None => Outcome::NotAsked,
                Some(Aside::Action) => Outcome::ActionDiffers,
                Some(Aside::Resource) => Outcome::ResourceDiffers,
                Some(Aside::Role) => Outcome::RoleNotHeld,
            },
            roles: rule.roles.as_ref().map_or_else(Vec::new, written),
            derived_roles: derived_roles.map(|role| role.name.to_string()).collect(),
            ..entry_of(policy)
        };
        let entry = state.fitting([entry]);
        if let Some(action) = state.action() {
            action.places.insert(rule, action.rules.len());
            action.rules.extend(entry);
        }
    }

    fn visits(&self, visit: &Visited<'_>) {
        let mut state = self.state.borrow_mut();
        if state.truncated {
            return;
        }
        let spoken_to =
            visit.role.map(|role| SpokenTo { role: role.name().to_owned(), through: through(visit, role) });
        let tree = visit.rule.condition.as_ref().map(|condition| state.trees.tree(condition));
        let leads = visit
            .rule
            .condition
            .as_ref()
            .map(|condition| state.trees.leads(condition, Owner::Rule(&visit.rule.name)));
        let spoken_to = state.fitting(spoken_to);
        let is_new = state.entry(visit.rule).is_some_and(|entry| entry.condition.is_none());
        let tree = state.fitting(tree.filter(|_| is_new)).pop();
        let Some(entry) = state.entry(visit.rule) else {
            return;
        };
        if !matches!(entry.outcome, Outcome::Allows | Outcome::Denies) {
            entry.outcome = outcome(visit);
        }
        entry.speaks_to.extend(spoken_to);
        entry.condition = entry.condition.take().or(tree);
        if let (true, Some(draft)) = (is_new, state.drafts.last_mut()) {
            draft.add(leads.unwrap_or_default());
        }
    }

    fn finds_unlisted(&self, policy: &Policy) {
        let mut state = self.state.borrow_mut();
        let entry = state.fitting([entry_of(policy)]);
        if let Some(action) = state.action() {
            action.rules.extend(entry);
        }
    }

    fn decides(&self, word: Option<Word<'_>>) {
        let decider = word.map(|word| Decider {
            policy: word.policy.name.to_string(),
            scope: word.policy.scope.to_string(),
            rule: word.rule_name().map(ToString::to_string),
            position: word.rule().map_or(&word.policy.position, |rule| &rule.position).to_string(),
        });
        if let Some(action) = self.state.borrow_mut().action() {
            action.decider = decider;
        }
    }
}

impl Draft {
    /// Adds `leads`, each of which is known only once, however many actions its rule is asked about.
    fn add(&mut self, leads: Vec<Lead>) {
        for lead in leads {
            if self.known.insert(lead.condition) {
                self.leads.push(lead);
            }
        }
    }
}

impl State {
    fn action(&mut self) -> Option<&mut ActionDraft> {
        self.drafts.last_mut()?.actions.last_mut()
    }

    fn entry(&mut self, rule: &Rule) -> Option<&mut ExplainedRule> {
        let action = self.action()?;
        let place = *action.places.get(&std::ptr::from_ref(rule))?;
        action.rules.get_mut(place)
    }

    /// Those of `entries` for which there is room, up to the first for which there is none.
    fn fitting<T: Serialize>(&mut self, entries: impl IntoIterator<Item = T>) -> Vec<T> {
        let mut fitting = Vec::new();
        for entry in entries {
            let bytes = serde_json::to_vec(&entry).map_or(usize::MAX, |bytes| bytes.len());
            match self.room.checked_sub(bytes).filter(|_| !self.truncated) {
                Some(left) => self.room = left,
                None => {
                    self.truncated = true;
                    break;
                }
            }
            fitting.push(entry);
        }
        fitting
    }
}

/// An entry that stands for `policy` as a whole.
fn entry_of(policy: &Policy) -> ExplainedRule {
    ExplainedRule {
        policy: policy.name.to_string(),
        scope: policy.scope.to_string(),
        rule: None,
        position: policy.position.to_string(),
        effect: Effect::Deny,
        outcome: Outcome::NotListed,
        roles: Vec::new(),
        derived_roles: Vec::new(),
        speaks_to: Vec::new(),
        condition: None,
    }
}

fn written(roles: &Roles) -> Vec<String> {
    match roles {
        Roles::Any => vec!["*".to_owned()],
        Roles::Named(names) => names.iter().map(ToString::to_string).collect(),
    }
}

/// The roles and derived roles of the rule through which it speaks to `held`.
fn through(visit: &Visited<'_>, held: &HeldRole<'_>) -> Vec<String> {
    let mut through = match &visit.rule.roles {
        None => Vec::new(),
        Some(Roles::Any) => vec!["*".to_owned()],
        Some(roles @ Roles::Named(_)) => {
            held.names().filter(|name| roles.contain(name)).map(str::to_owned).collect()
        }
    };
    through.extend(visit.rule.derived_roles.iter().filter_map(|index| {
        let role = visit.policy.derived_roles.get(*index)?;
        let may_hold = visit.derived_roles?.truth(*index) != Truth::False;
        (may_hold && held.ways_into(&role.parent_roles) > 0).then(|| role.name.to_string())
    }));
    through
}

fn outcome(visit: &Visited<'_>) -> Outcome {
    match (visit.says, visit.policy.stance(visit.rule), visit.truth) {
        (Finding::Allow(_), ..) => Outcome::Allows,
        (Finding::Deny(_), ..) => Outcome::Denies,
        (Finding::DenyUndecided(_), ..) => Outcome::DeniesUndecided,
        (Finding::Silent, Stance::Confine, _) => Outcome::Consents,
        (Finding::Silent, _, Truth::False) => Outcome::ConditionNotMet,
        (Finding::Silent, _, Truth::True | Truth::Undecided) => Outcome::Undecided,
    }
}
