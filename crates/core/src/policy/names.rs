//! The variables and constants that the expressions of one policy may use.
//!
//! Imported and local definitions are brought together; variables are put in an order in which each one only
//! uses those before it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ast::{Definition, Definitions, Export, NameSources, Text};
use super::check::is_identifier;
use super::compile::expression;
use super::diagnostic::{Code, Subject};
use super::findings::{Finding, Findings};
use super::index::{self, Index};
use super::yaml::Place;
use crate::expr::{self, Constants, Frame, Patterns};
use crate::value::{Map, Value};

/// What the expressions of one policy may name.
#[derive(Clone, Debug)]
pub(super) struct Names<'p> {
    /// Variables by slot.
    variables: Vec<&'p str>,
    constants: Constants,
    patterns: &'p Patterns,
}

impl Names<'_> {
    /// As the expression compiler takes them.
    pub(super) fn view(&self) -> expr::Names<'_> {
        expr::Names {
            variables: &self.variables,
            constants: Some(&self.constants),
            patterns: Some(self.patterns),
        }
    }
}

/// Collects the names that `expressions`, those of a policy, may use, and compiles its variables: those that it defines
/// itself, and of those that it imports the ones that are used.
pub(super) fn collect<'p>(
    sources: &'p NameSources<'_>,
    expressions: &[&Text<'_>],
    index: &'p Index<'p, '_>,
    findings: &mut Findings<'_>,
) -> (Names<'p>, Frame) {
    let constants = gather(&sources.constants, "constants", &index.constants, findings);
    let variables = gather(&sources.variables, "variables", &index.variables, findings);
    let order = order(&variables, index, findings);
    let wanted = match &sources.variables.import[..] {
        [] => None,
        _ if order.cyclic => None,
        _ => wanted(&sources.variables.local, expressions, &variables, index),
    };
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(name));
    let mut names = Names { variables: Vec::new(), constants: values(&constants), patterns: index.patterns };
    let mut all = names.clone();
    if order.cyclic {
        names.variables.clone_from(&order.names);
    }
    let mut frame = Frame::default();
    for name in order.names {
        let Some(definition) = variables.get(name) else {
            continue;
        };
        // INVARIANT(acyclic_variables): a variable is compiled knowing only those before it; with a cycle there
        // is no snapshot.
        if !is_wanted(name) {
            if index.is_new(definition, &constants) {
                expression(&definition.value, &all, findings);
            }
        } else if let Some(program) = expression(&definition.value, &names, findings) {
            frame.variables.push((Arc::from(name), program.node));
        }
        if !order.cyclic {
            all.variables.push(name);
            names.variables.extend(is_wanted(name).then_some(name));
        }
    }
    (names, frame)
}

fn values(constants: &Gathered<'_, '_, Value<'static>>) -> Constants {
    let entries =
        constants.iter().map(|(name, constant)| (Cow::Owned((*name).to_owned()), constant.value.clone()));
    // The keys come from a map and are unique.
    Constants::new(&Map::from_entries(entries.collect()).unwrap_or_default())
}

/// The variables that `local` definitions and `expressions` use, by themselves or through others, and the local ones;
/// `None` if it may be any, or if one is used that there is not.
fn wanted<'p>(
    local: &'p [Definition<'_, Text<'_>>],
    expressions: &[&Text<'_>],
    variables: &Gathered<'p, '_, Text<'_>>,
    index: &Index<'p, '_>,
) -> Option<BTreeSet<&'p str>> {
    let mut open: Vec<&'p str> = local.iter().map(|definition| definition.name.value.as_ref()).collect();
    for expression in expressions {
        for name in expr::names_used(&expression.value).variables? {
            open.push(variables.get_key_value(name.as_str())?.0);
        }
    }
    let mut wanted = BTreeSet::new();
    while let Some(name) = open.pop() {
        let Some(definition) = variables.get(name).filter(|_| wanted.insert(name)) else { continue };
        for used in index.uses(definition).names.variables.as_ref()? {
            open.push(variables.get_key_value(used.as_str())?.0);
        }
    }
    Some(wanted)
}

/// Reports the imports of a policy that name nothing.
pub(super) fn check_imports(sources: &NameSources<'_>, index: &Index<'_, '_>, findings: &mut Findings<'_>) {
    for import in &sources.constants.import {
        index::import(import, "constants", &index.constants, findings);
    }
    for import in &sources.variables.import {
        index::import(import, "variables", &index.variables, findings);
    }
}

/// Definitions by name.
pub(super) type Gathered<'p, 't, T> = BTreeMap<&'p str, &'p Definition<'t, T>>;

/// The definitions of a block and of its imports; a name that is defined twice is reported.
fn gather<'p, 't, T>(
    block: &'p Definitions<'t, T>,
    what: &'static str,
    exports: &BTreeMap<&'p str, &'p Export<'t, T>>,
    findings: &mut Findings<'_>,
) -> Gathered<'p, 't, T> {
    let mut definitions: Vec<(Place, &'p Definition<'t, T>)> = Vec::new();
    for import in &block.import {
        let export = index::import(import, what, exports, findings);
        definitions.extend(export.iter().flat_map(|e| &e.definitions).map(|found| (import.place, found)));
    }
    definitions.extend(block.local.iter().map(|local| (local.name.place, local)));
    let mut gathered: Gathered<'p, 't, T> = BTreeMap::new();
    for (place, definition) in definitions {
        let name = &definition.name.value;
        if !is_identifier(name) {
            let message = format!("`{name}` cannot be used as a name in expressions");
            let finding = Finding::new(Code::InvalidName, definition.name.place, message);
            findings.add(finding.about(subject(what, name)));
            continue;
        }
        if let Some(other) = gathered.insert(name, definition) {
            let first = findings.position(other.name.place);
            let message = format!("`{name}` has more than one definition among the {what} of the policy");
            let hint = format!("the other one is at {first}");
            let finding = Finding::new(Code::AmbiguousName, place, message).hint(hint);
            findings.add(finding.about(subject(what, name)));
        }
    }
    gathered
}

fn subject(what: &str, name: &str) -> Subject {
    if what == "variables" { Subject::Variable(name.to_owned()) } else { Subject::Constant(name.to_owned()) }
}

/// Variables in an order of compilation.
struct Order<'p> {
    /// Each name comes after those it uses, unless there is a cycle.
    names: Vec<&'p str>,
    cyclic: bool,
}

/// A variable on the path of the search, with the uses that remain to be followed.
struct Step<'p> {
    name: &'p str,
    uses: std::vec::IntoIter<&'p str>,
}

enum Mark {
    /// On the path, at this depth.
    Open(usize),
    Done,
}

/// Depth-first search without recursion; each cycle is reported once.
fn order<'p>(
    variables: &Gathered<'p, '_, Text<'_>>,
    index: &Index<'p, '_>,
    findings: &mut Findings<'_>,
) -> Order<'p> {
    let mut order = Order { names: Vec::with_capacity(variables.len()), cyclic: false };
    let mut marks: BTreeMap<&str, Mark> = BTreeMap::new();
    for name in variables.keys() {
        let mut path = Vec::new();
        visit(name, variables, index, &mut marks, &mut path);
        while let Some(step) = path.last_mut() {
            let Some(used) = step.uses.next() else {
                marks.insert(step.name, Mark::Done);
                order.names.push(step.name);
                path.pop();
                continue;
            };
            if let Some(Mark::Open(depth)) = marks.get(used) {
                order.cyclic = true;
                let cycle: Vec<_> = path.iter().skip(*depth).map(|step| step.name).collect();
                report_cycle(&cycle, variables, findings);
            }
            visit(used, variables, index, &mut marks, &mut path);
        }
    }
    order
}

/// Puts `name` on the path unless it was met before.
fn visit<'p>(
    name: &str,
    variables: &Gathered<'p, '_, Text<'_>>,
    index: &Index<'p, '_>,
    marks: &mut BTreeMap<&'p str, Mark>,
    path: &mut Vec<Step<'p>>,
) {
    let Some((name, definition)) = variables.get_key_value(name) else {
        return;
    };
    if marks.contains_key(name) {
        return;
    }
    // What does not parse uses nothing: it is reported when its turn comes.
    let used = index.uses(definition);
    let known = |used: &String| Some(*variables.get_key_value(used.as_str())?.0);
    let uses: Vec<_> = used.to_order.iter().filter_map(known).collect();
    marks.insert(name, Mark::Open(path.len()));
    path.push(Step { name, uses: uses.into_iter() });
}

fn report_cycle(cycle: &[&str], variables: &Gathered<'_, '_, Text<'_>>, findings: &mut Findings<'_>) {
    /// How many variables of a cycle a message names.
    const NAMED: usize = 8;
    let Some(definition) = cycle.iter().min().and_then(|name| variables.get(name)) else {
        return;
    };
    let named = cycle.iter().take(NAMED).copied().collect::<Vec<_>>().join("`, `");
    let message = match cycle {
        [name] => format!("variable `{name}` uses itself"),
        _ => format!("variables use one another in a cycle: `{named}`"),
    };
    findings.add(Finding::new(Code::CyclicVariables, definition.name.place, message));
}
