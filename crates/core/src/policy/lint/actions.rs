//! Rules about actions that nobody declared, and declared actions that no rule mentions. Only kinds of resource that
//! some capability file is about are looked at.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::ast::Document;
use crate::policy::capability::{self, Capabilities};
use crate::policy::diagnostic::Code;
use crate::policy::findings::{Finding, Findings};
use crate::policy::hint;
use crate::policy::naming::sanitise;
use crate::policy::outline::{Kind, Mention, Outline};
use crate::policy::rules::{ActionPattern, PolicyKind, ResourcePattern};
use crate::policy::yaml::Place;

/// How many comparisons with kinds and actions are made; a set that needs more draws no warning.
const COMPARED: usize = 200_000;

/// Compares the rules of all policies with what is declared in `documents`.
pub(super) fn check(
    documents: &[Document<'_>],
    outlines: &[&Outline],
    capabilities: &Capabilities,
    findings: &mut Findings<'_>,
) {
    if capabilities.iter().next().is_none() {
        return;
    }
    let declared = Declared::of(outlines, capabilities);
    let mut room = COMPARED;
    let mut mentioned: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut undeclared = Vec::new();
    for ((policy, resource), actions) in mentions(outlines) {
        let Some(kinds) = declared.kinds(policy, resource, &mut room) else { return };
        for (action, places) in actions {
            let Some(meant) = declared.meant(policy, action, &kinds.declared, &mut room) else { return };
            if meant.is_empty() && kinds.are_all_declared() && action != "*" {
                undeclared.push((resource, action, places, kinds.declared.clone()));
            }
            mentioned.extend(meant);
        }
    }
    for (resource, action, places, kinds) in undeclared {
        let known = kinds.iter().filter_map(|kind| declared.actions.get(kind)).flatten().copied();
        let hint = hint::similar(action, known);
        for place in places {
            let message = format!("no capability file declares `{action}` on `{resource}`");
            let finding = Finding::new(Code::UndeclaredAction, place, message);
            findings.add(match &hint {
                Some(hint) => finding.hint(hint.clone()),
                None => finding,
            });
        }
    }
    unmentioned(documents, &mentioned, findings);
}

/// The places of actions that rules name, by kind of policy, resource and action, all as written.
type Mentions<'p> = BTreeMap<(PolicyKind, &'p str), BTreeMap<&'p str, Vec<Place>>>;

fn mentions<'p>(outlines: &[&'p Outline]) -> Mentions<'p> {
    let mut found = Mentions::new();
    for outline in outlines {
        let Kind::Policy(policy) = outline.identity.kind else { continue };
        for Mention { resource, action, place } in &outline.mentions {
            found.entry((policy, resource)).or_default().entry(action).or_default().push(*place);
        }
    }
    found
}

/// What the capability files declare.
struct Declared<'p> {
    actions: BTreeMap<&'p str, BTreeSet<&'p str>>,
    /// The kinds that are declared or have a resource policy, each with its printed form.
    kinds: BTreeMap<&'p str, String>,
}

/// The kinds that a rule is about.
struct Kinds<'p> {
    declared: Vec<&'p str>,
    /// How many there are besides.
    others: usize,
}

impl Kinds<'_> {
    fn are_all_declared(&self) -> bool {
        !self.declared.is_empty() && self.others == 0
    }
}

impl<'p> Declared<'p> {
    fn of(outlines: &[&'p Outline], capabilities: &'p Capabilities) -> Self {
        let mut actions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (kind, action, _) in capabilities.iter() {
            actions.entry(kind).or_default().insert(action);
        }
        let with_policy = outlines.iter().filter_map(|outline| match outline.identity.kind {
            Kind::Policy(PolicyKind::Resource) => Some(outline.identity.name.as_ref()),
            _ => None,
        });
        let kinds = actions.keys().copied().chain(with_policy).map(|kind| (kind, sanitise(kind))).collect();
        Self { actions, kinds }
    }

    /// The kinds that `resource` of a policy means; `None` if there is no room for the comparison.
    fn kinds(&self, policy: PolicyKind, resource: &str, room: &mut usize) -> Option<Kinds<'p>> {
        if policy == PolicyKind::Resource {
            let declared: Vec<_> =
                self.actions.get_key_value(resource).map(|(kind, _)| *kind).into_iter().collect();
            return Some(Kinds { declared, others: 0 });
        }
        *room = room.checked_sub(self.kinds.len())?;
        let mut kinds = Kinds { declared: Vec::new(), others: 0 };
        let Ok(pattern) = ResourcePattern::parse(resource) else { return Some(kinds) };
        for (kind, _) in self.kinds.iter().filter(|(kind, printed)| pattern.matches(kind, printed)) {
            if self.actions.contains_key(kind) {
                kinds.declared.push(kind);
            } else {
                kinds.others += 1;
            }
        }
        Some(kinds)
    }

    /// The declared actions on `kinds` that `action` of a policy means, each with its kind; `None` if there is no room
    /// for the comparison.
    fn meant(
        &self,
        policy: PolicyKind,
        action: &str,
        kinds: &[&'p str],
        room: &mut usize,
    ) -> Option<Vec<(&'p str, &'p str)>> {
        let parse =
            if policy == PolicyKind::Role { ActionPattern::parse_allowed } else { ActionPattern::parse };
        let mut meant = Vec::new();
        let Ok(pattern) = parse(action) else { return Some(meant) };
        for kind in kinds {
            let Some(actions) = self.actions.get(kind) else { continue };
            *room = room.checked_sub(actions.len())?;
            meant.extend(
                actions.iter().filter(|action| pattern.matches(action)).map(|action| (*kind, *action)),
            );
        }
        Some(meant)
    }
}

/// Reports the declared actions that no rule is about.
fn unmentioned(documents: &[Document<'_>], mentioned: &BTreeSet<(&str, &str)>, findings: &mut Findings<'_>) {
    for entry in documents.iter().filter_map(capability::declared).flat_map(|declared| &declared.entries) {
        let kind = entry.resource.value.as_ref();
        for action in &entry.actions {
            if !mentioned.contains(&(kind, action.value.as_ref())) {
                let message = format!("no rule mentions action `{}` on `{kind}`", action.value);
                findings.add(Finding::new(Code::UnmentionedAction, action.place, message));
            }
        }
    }
}
