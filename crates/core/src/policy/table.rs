//! Which rules of a policy are about an action, a resource or a role, found without a look at every rule.
//!
//! Names that are written out lead to the bits of their rules; patterns are tested once, however many rules have them.
//! Policies that are alike but for their conditions have the same table: it is kept once, and what a decision reads of
//! it is still at hand from the decision before, however many policies there are.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::bits::{Bits, Mask};
use super::criterion::Criterion;
use super::glob::Glob;
use super::rules::{ActionPattern, DerivedRole, Policy, Roles, Rule, Stance};
use crate::expr::Val;
use crate::limits::BYTES_PER_COST_UNIT;

/// Up to so many names, a look at each of them finds one sooner than a binary search: most differ in length.
const SCANNED: usize = 12;

/// The rules of one policy by what they are about, and what is read of them first.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RuleTable {
    /// What is read of each rule first, in the order of [`Policy::rules`].
    pub(crate) rules: Box<[Brief]>,
    /// What is read of each derived role first, in the order of [`Policy::derived_roles`].
    pub(crate) derived_roles: Box<[DerivedBrief]>,
    /// The rules by their actions.
    pub(crate) actions: Patterns,
    /// The rules that say which resources they are about, by these.
    pub(crate) resources: Patterns,
    /// The rules by the roles to which they speak.
    pub(crate) speakers: Speakers,
}

/// What a decision reads of a rule whether it evaluates its condition or not.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Brief {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// What it does.
    pub(crate) stance: Stance,
    /// The derived roles it is about: indices into [`Policy::derived_roles`].
    pub(crate) derived_roles: Box<[usize]>,
    /// Whether it has a condition.
    pub(crate) is_conditional: bool,
    /// What is evaluated of its condition, unless that errs before.
    pub(crate) criterion: Option<Criterion>,
    /// Whether it puts out anything.
    pub(crate) puts_out: bool,
}

/// What a decision reads of a derived role whether it evaluates its condition or not.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DerivedBrief {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Whether it has a condition.
    pub(crate) is_conditional: bool,
    /// What is evaluated of its condition, unless that errs before.
    pub(crate) criterion: Option<Criterion>,
    /// Which of [`Policy::frames`] is that of its condition.
    pub(crate) frame: usize,
}

/// Rules by names and patterns of names.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Patterns {
    any: Bits,
    exact: ByName<Bits>,
    globs: Box<[(Glob, Bits)]>,
}

/// What speaks to which role.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Speakers {
    any: Speaking,
    by_role: ByName<Speaking>,
}

/// What speaks to one role.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Speaking {
    /// The rules that name it.
    pub(crate) named: Bits,
    /// These, and the rules that name a derived role of which it is a parent.
    pub(crate) spoken: Bits,
    /// The derived roles of which it is a parent.
    pub(crate) derived: Bits,
}

/// Things by name, in the order of [`place`].
type ByName<T> = Box<[(Arc<str>, T)]>;

impl RuleTable {
    /// The table of the rules of `policy`; the constants of their conditions are added to `constants`.
    pub(super) fn of(policy: &Policy, constants: &mut Vec<Val<'static>>) -> Self {
        let Policy { rules, derived_roles, .. } = policy;
        let actions = rules
            .iter()
            .enumerate()
            .flat_map(|(index, rule)| rule.actions.iter().map(move |pattern| (index, pattern)));
        let resources = rules
            .iter()
            .enumerate()
            .filter_map(|(index, rule)| rule.resource.as_ref().map(|resource| (index, resource.pattern())));
        Self {
            derived_roles: derived_roles
                .iter()
                .map(|role| DerivedBrief::of(policy, role, constants))
                .collect(),
            rules: rules.iter().map(|rule| Brief::of(policy, rule, constants)).collect(),
            actions: Patterns::of(actions),
            resources: Patterns::of(resources),
            speakers: Speakers::of(rules, derived_roles),
        }
    }
}

impl Brief {
    fn of(policy: &Policy, rule: &Rule, constants: &mut Vec<Val<'static>>) -> Self {
        Self {
            name: Arc::clone(&rule.name),
            stance: policy.stance(rule),
            derived_roles: rule.derived_roles.as_slice().into(),
            is_conditional: rule.condition.is_some(),
            criterion: rule.condition.as_ref().and_then(|condition| Criterion::of(condition, constants)),
            puts_out: rule.output.of(true).or(rule.output.of(false)).is_some(),
        }
    }
}

impl DerivedBrief {
    fn of(policy: &Policy, role: &DerivedRole, constants: &mut Vec<Val<'static>>) -> Self {
        let frame = policy.frames.iter().position(|frame| Arc::ptr_eq(frame, &role.frame));
        Self {
            name: Arc::clone(&role.name),
            is_conditional: role.condition.is_some(),
            criterion: role.condition.as_ref().and_then(|condition| Criterion::of(condition, constants)),
            // INVARIANT(frames): the frame of every derived role is among them.
            frame: frame.unwrap_or_default(),
        }
    }
}

impl Patterns {
    /// The table of these rules, which ascend, and one pattern of each at a time.
    fn of<'p>(patterns: impl Iterator<Item = (usize, &'p ActionPattern)>) -> Self {
        let mut any = Vec::new();
        let mut exact: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
        let mut globs: BTreeMap<&str, (&Glob, Vec<usize>)> = BTreeMap::new();
        for (index, pattern) in patterns {
            match pattern {
                ActionPattern::Any => any.push(index),
                ActionPattern::Exact(name) => exact.entry(name).or_default().push(index),
                ActionPattern::Glob(glob) => {
                    globs.entry(glob.source()).or_insert_with(|| (glob, Vec::new())).1.push(index);
                }
            }
        }
        let globs = globs.into_values().map(|(glob, rules)| (glob.clone(), Bits::of(rules)));
        let exact = exact.into_iter().map(|(name, rules)| (Arc::clone(name), Bits::of(rules)));
        Self { any: Bits::of(any), exact: by_name(exact), globs: globs.collect() }
    }

    /// Whether there is no pattern at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.any.is_empty() && self.exact.is_empty() && self.globs.is_empty()
    }

    /// Cost units that [`Self::find`] takes at most.
    pub(crate) fn cost(&self, name: &str) -> usize {
        let globs = self.globs.iter().map(|(glob, _)| glob.cost(name));
        globs.fold(1 + name.len() / BYTES_PER_COST_UNIT, usize::saturating_add)
    }

    /// Adds the rules that are about `name` to `found`.
    pub(crate) fn find(&self, name: &str, found: &mut Mask) {
        found.add(&self.any);
        if let Some(rules) = get(&self.exact, name) {
            found.add(rules);
        }
        for (_, rules) in self.globs.iter().filter(|(glob, _)| glob.matches(name)) {
            found.add(rules);
        }
    }
}

impl Speakers {
    fn of(rules: &[Rule], derived_roles: &[Arc<DerivedRole>]) -> Self {
        let mut lists: BTreeMap<Option<&Arc<str>>, Lists> = BTreeMap::new();
        for (index, role) in derived_roles.iter().enumerate() {
            for name in names(Some(&role.parent_roles)) {
                lists.entry(name).or_default().derived.push(index);
            }
        }
        for (index, rule) in rules.iter().enumerate() {
            for name in names(rule.roles.as_ref()) {
                let lists = lists.entry(name).or_default();
                lists.named.push(index);
                lists.spoken.push(index);
            }
            let derived = rule.derived_roles.iter().filter_map(|index| derived_roles.get(*index));
            for name in derived.flat_map(|role| names(Some(&role.parent_roles))) {
                lists.entry(name).or_default().spoken.push(index);
            }
        }
        let mut any = Speaking::default();
        let mut by_role = Vec::new();
        for (name, Lists { named, spoken, derived }) in lists {
            let speaking =
                Speaking { named: Bits::of(named), spoken: Bits::of(spoken), derived: Bits::of(derived) };
            match name {
                Some(name) => by_role.push((Arc::clone(name), speaking)),
                None => any = speaking,
            }
        }
        Self { any, by_role: by_name(by_role) }
    }

    /// What speaks to `role`: what speaks to every role, and what names this one.
    pub(crate) fn to<'s>(&'s self, role: &str) -> impl Iterator<Item = &'s Speaking> {
        get(&self.by_role, role).into_iter().chain([&self.any])
    }
}

fn by_name<T>(entries: impl IntoIterator<Item = (Arc<str>, T)>) -> ByName<T> {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by(|(a, _), (b, _)| place(a, b));
    entries.into()
}

fn get<'t, T>(entries: &'t ByName<T>, name: &str) -> Option<&'t T> {
    if entries.len() <= SCANNED {
        return entries.iter().find(|(known, _)| **known == *name).map(|(_, found)| found);
    }
    let at = entries.binary_search_by(|(known, _)| place(known, name)).ok()?;
    entries.get(at).map(|(_, found)| found)
}

/// Shorter names first: few of them are as long as the one looked for, and only those are compared.
fn place(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// The indices of what speaks to one role, each list ascending.
#[derive(Default)]
struct Lists {
    named: Vec<usize>,
    spoken: Vec<usize>,
    derived: Vec<usize>,
}

/// Each of `roles`; nothing stands for all of them.
fn names(roles: Option<&Roles>) -> Vec<Option<&Arc<str>>> {
    match roles {
        None => Vec::new(),
        Some(Roles::Any) => vec![None],
        Some(Roles::Named(names)) => names.iter().map(Some).collect(),
    }
}
