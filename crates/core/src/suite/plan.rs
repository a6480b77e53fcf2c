//! A test with all it refers to looked up: which requests to make, and what to expect of them.

use std::collections::{BTreeMap, BTreeSet};

use super::spec::{Expected, ExpectedOutputs, Fixtures, Known, Selection, Test};
use crate::limits::SUITE_STEPS;
use crate::model::{AuxData, Effect, Principal, Resource};
use crate::policy::yaml::Place;
use crate::value::Value;

/// A test that can be run.
pub(super) struct Plan<'s> {
    pub(super) test: &'s Test,
    pub(super) aux_data: Option<&'s AuxData<'static>>,
    pub(super) principals: Vec<(&'s str, &'s Principal<'static>)>,
    pub(super) resources: Vec<(&'s str, &'s Resource<'static>)>,
    /// By principal and resource. Where nothing is expected, deny is.
    pub(super) expected: BTreeMap<(&'s str, &'s str), Expectation<'s>>,
}

/// What is expected for one principal and resource.
#[derive(Default)]
pub(super) struct Expectation<'s> {
    pub(super) actions: BTreeMap<&'s str, (Effect, Place)>,
    /// By action and rule.
    pub(super) outputs: BTreeMap<&'s str, BTreeMap<&'s str, Option<&'s Value<'static>>>>,
}

/// How much the suites of a set may still make us look at.
pub(super) struct Steps {
    left: usize,
}

impl Steps {
    /// What a set may have.
    pub(super) fn new() -> Self {
        Self { left: SUITE_STEPS }
    }

    /// Takes the product of `factors` off.
    fn take(&mut self, factors: &[usize]) -> Result<(), String> {
        let count = factors.iter().fold(1_usize, |product, factor| product.saturating_mul(*factor));
        let left = self.left.checked_sub(count);
        self.left = left.ok_or_else(|| {
            format!(
                "the suites of the set have more than {SUITE_STEPS} decisions and expectations: drop some"
            )
        })?;
        Ok(())
    }
}

impl<'s> Plan<'s> {
    /// Looks up what `test` refers to; the error says what does not exist or contradicts itself, in the peer's words.
    pub(super) fn of(test: &'s Test, known: Known<'s>, steps: &mut Steps) -> Result<Self, String> {
        let principals = members(&test.input.principals, Kind::Principal, known, steps)?;
        let resources = members(&test.input.resources, Kind::Resource, known, steps)?;
        steps.take(&[principals.len(), resources.len(), test.input.actions.len()])?;
        let mut expected = BTreeMap::new();
        for entry in &test.expected {
            let pairs = pairs(entry, known, steps)?;
            check_actions(entry, test)?;
            expect(entry, &pairs, (&principals, &resources), &mut expected)?;
        }
        let aux_data = match test.input.aux_data.as_str() {
            "" => None,
            name => {
                Some(known.find(name, |f| &f.aux_data).ok_or_else(|| format!("auxData {name:?} not found"))?)
            }
        };
        let principal =
            |name: &&'s str| looked_up(name, Kind::Principal, known.find(name, |f| &f.principals));
        let resource = |name: &&'s str| looked_up(name, Kind::Resource, known.find(name, |f| &f.resources));
        // The peer names what is missing in this order.
        principals.first().map(principal).transpose()?;
        let resources = resources.iter().map(resource).collect::<Result<_, _>>()?;
        let principals = principals.iter().map(principal).collect::<Result<_, _>>()?;
        Ok(Self { test, aux_data, principals, resources, expected })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Principal,
    Resource,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Kind::Principal => "principal",
            Kind::Resource => "resource",
        }
    }

    const fn groups(self) -> fn(&Fixtures) -> &BTreeMap<String, Vec<String>> {
        match self {
            Kind::Principal => |fixtures| &fixtures.principal_groups,
            Kind::Resource => |fixtures| &fixtures.resource_groups,
        }
    }
}

/// The names selected, those of groups last, each once.
fn members<'s>(
    selection: &'s Selection,
    kind: Kind,
    known: Known<'s>,
    steps: &mut Steps,
) -> Result<Vec<&'s str>, String> {
    let mut names: Vec<&str> = selection.names.iter().map(String::as_str).collect();
    for group in &selection.groups {
        let Some(members) = known.find(group, kind.groups()) else {
            return Err(format!("{} group {group:?} not found", kind.as_str()));
        };
        steps.take(&[members.len()])?;
        names.extend(members.iter().map(String::as_str));
    }
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    Ok(names)
}

/// The pairs of principal and resource that `entry` is about.
fn pairs<'s>(
    entry: &'s Expected,
    known: Known<'s>,
    steps: &mut Steps,
) -> Result<Vec<(&'s str, &'s str)>, String> {
    let principals = members(&entry.principals, Kind::Principal, known, steps)?;
    let resources = members(&entry.resources, Kind::Resource, known, steps)?;
    let outputs: usize = entry.outputs.iter().map(|outputs| outputs.entries.len()).sum();
    steps.take(&[principals.len(), resources.len(), entry.actions.len().saturating_add(outputs)])?;
    let pair = |principal| resources.iter().map(move |resource| (principal, *resource));
    Ok(principals.iter().copied().flat_map(pair).collect())
}

fn check_actions(entry: &Expected, test: &Test) -> Result<(), String> {
    let asked: BTreeSet<&String> = test.input.actions.iter().collect();
    let unknown = |names: Vec<&String>| -> Option<String> {
        let unknown: Vec<&str> =
            names.into_iter().filter(|n| !asked.contains(n)).map(String::as_str).collect();
        (!unknown.is_empty()).then(|| unknown.join(","))
    };
    if let Some(names) = unknown(entry.actions.keys().collect()) {
        return Err(format!(
            "found expectations for actions that do not exist in the input actions list: [{names}]"
        ));
    }
    if let Some(names) = unknown(entry.outputs.iter().map(|outputs| &outputs.action).collect()) {
        return Err(format!(
            "found output expectations for actions that are not in the input actions list: [{names}]"
        ));
    }
    Ok(())
}

/// Adds what `entry` says about each of `pairs`, which have to be in the `input`.
fn expect<'s>(
    entry: &'s Expected,
    pairs: &[(&'s str, &'s str)],
    input: (&[&str], &[&str]),
    expected: &mut BTreeMap<(&'s str, &'s str), Expectation<'s>>,
) -> Result<(), String> {
    let principals: BTreeSet<&str> = input.0.iter().copied().collect();
    let resources: BTreeSet<&str> = input.1.iter().copied().collect();
    for pair @ (principal, resource) in pairs {
        if !principals.contains(principal) || !resources.contains(resource) {
            return Err(format!(
                "found an expectation for principal {principal:?} and resource {resource:?}, but at least one of \
                 these is not present in input"
            ));
        }
        expected.entry(*pair).or_default().add(entry).map_err(|Clash { output, action }| {
            let output = output.map_or_else(String::new, |src| format!("output {src:?} from "));
            format!(
                "found inconsistent expectations for {output}principal {principal:?} performing action {action:?} \
                 on resource {resource:?}"
            )
        })?;
    }
    Ok(())
}

/// What is expected in two ways: the effect of an action, or an output for it.
struct Clash<'s> {
    output: Option<&'s str>,
    action: &'s str,
}

impl<'s> Expectation<'s> {
    fn add(&mut self, entry: &'s Expected) -> Result<(), Clash<'s>> {
        for (action, (effect, place)) in &entry.actions {
            let (agreed, _) = self.actions.entry(action).or_insert((*effect, *place));
            if agreed != effect {
                return Err(Clash { output: None, action });
            }
        }
        for ExpectedOutputs { action, entries } in &entry.outputs {
            let of_action = self.outputs.entry(action).or_default();
            for (src, value) in entries {
                if *of_action.entry(src).or_insert(value.as_ref()) != value.as_ref() {
                    return Err(Clash { output: Some(src), action });
                }
            }
        }
        Ok(())
    }
}

fn looked_up<'s, T>(name: &'s str, kind: Kind, found: Option<&'s T>) -> Result<(&'s str, &'s T), String> {
    found.map(|fixture| (name, fixture)).ok_or_else(|| format!("{} {name:?} not found", kind.as_str()))
}
