//! Small policy sets as data: generated at random, written out as policy files.

use procura_core::policy::SourceFile;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

/// How many attributes `x0`, `x1`, … and variables `v0`, `v1`, … there are; `vN` is `xN`.
pub(crate) const ATTRIBUTES: usize = 4;

/// Patterns, and which of [`ACTIONS`] each is about.
pub(crate) const PATTERNS: [(&str, &[&str]); 8] = [
    ("*", &ACTIONS),
    ("view", &["view"]),
    ("view:*", &["view:a"]),
    ("v*", &["view"]),
    ("**:b", &["edit:a:b"]),
    ("edit:**", &["edit:a:b"]),
    ("{view,e?it}*", &["view", "edit"]),
    ("edit", &["edit"]),
];

pub(crate) const ACTIONS: [&str; 4] = ["view", "view:a", "edit", "edit:a:b"];

pub(crate) const ROLES: [&str; 3] = ["a", "b", "c"];

pub(crate) const DERIVED: [&str; 3] = ["d0", "d1", "d2"];

#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// The order in which the variables are written.
    pub(crate) variables: Vec<usize>,
    pub(crate) derived: Vec<Derived>,
    pub(crate) rules: Vec<Rule>,
    /// How the entries of every map of the files are shuffled; as they come if empty.
    pub(crate) map_order: Vec<Index>,
}

#[derive(Clone, Debug)]
pub(crate) struct Derived {
    pub(crate) name: &'static str,
    pub(crate) parents: Vec<&'static str>,
    pub(crate) condition: Option<Tree>,
}

#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) deny: bool,
    pub(crate) patterns: Vec<(&'static str, &'static [&'static str])>,
    pub(crate) roles: Vec<&'static str>,
    pub(crate) derived: Vec<&'static str>,
    pub(crate) condition: Option<Tree>,
}

#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Leaf(Leaf),
    All(Vec<Tree>),
    Any(Vec<Tree>),
    None(Vec<Tree>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Leaf {
    /// `true` or `false`.
    Constant(bool),
    /// The attribute itself, whatever it is.
    Attribute(usize),
    /// The same, through a variable.
    Variable(usize),
    /// The attribute compared with `true`.
    IsTrue(usize),
    /// One attribute or the other.
    Either(usize, usize),
    /// Whether a derived role holds.
    Holds(&'static str),
}

/// What an attribute of the request is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Attribute {
    Bool(bool),
    Text,
    Missing,
}

#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) roles: Vec<&'static str>,
    pub(crate) attributes: Vec<Attribute>,
    /// The order in which the attributes are written.
    pub(crate) order: Vec<usize>,
}

impl Ask {
    /// The attributes of the resource, as JSON; those that are missing are not there.
    pub(crate) fn attr(&self) -> String {
        let entries: Vec<_> = self
            .order
            .iter()
            .filter_map(|n| match self.attributes[*n] {
                Attribute::Bool(value) => Some(format!("\"x{n}\": {value}")),
                Attribute::Text => Some(format!("\"x{n}\": \"text\"")),
                Attribute::Missing => None,
            })
            .collect();
        format!("{{{}}}", entries.join(", "))
    }
}

impl Spec {
    /// The policy files.
    pub(crate) fn files(&self) -> Vec<SourceFile> {
        let mut files = vec![file("policy.yaml", self.policy())];
        let derived = |derived: &Derived| file(&format!("{}.yaml", derived.name), self.derived_file(derived));
        files.extend(self.derived.iter().map(derived));
        files
    }

    /// All condition trees, for changing leaves in place.
    pub(crate) fn trees_mut(&mut self) -> impl Iterator<Item = &mut Tree> {
        let derived = self.derived.iter_mut().filter_map(|derived| derived.condition.as_mut());
        derived.chain(self.rules.iter_mut().filter_map(|rule| rule.condition.as_mut()))
    }

    fn policy(&self) -> String {
        let imports = self.derived.iter().map(|derived| format!("from_{}", derived.name));
        let policy = self.map([
            ("resource", "doc".to_owned()),
            ("version", "default".to_owned()),
            ("importDerivedRoles", list(imports)),
            ("variables", self.variables(&self.variables)),
            ("rules", list(self.rules.iter().map(|rule| self.rule(rule)))),
        ]);
        self.map([("apiVersion", "api.cerbos.dev/v1".to_owned()), ("resourcePolicy", policy)])
    }

    fn rule(&self, rule: &Rule) -> String {
        let when = [("ruleActivated", "\"'on'\"".to_owned()), ("conditionNotMet", "\"'off'\"".to_owned())];
        let effect = if rule.deny { "EFFECT_DENY" } else { "EFFECT_ALLOW" };
        let mut entries = vec![
            ("name", rule.name.clone()),
            ("effect", effect.to_owned()),
            ("actions", list(rule.patterns.iter().map(|(pattern, _)| quoted(pattern)))),
            ("output", self.map([("when", self.map(when))])),
        ];
        for (key, names) in [("roles", &rule.roles), ("derivedRoles", &rule.derived)] {
            if !names.is_empty() {
                entries.push((key, list(names.iter().map(|name| quoted(name)))));
            }
        }
        entries.extend(self.condition(rule.condition.as_ref()));
        self.map(entries)
    }

    fn derived_file(&self, derived: &Derived) -> String {
        let Derived { name, parents, condition } = derived;
        let mut definition = vec![
            ("name", (*name).to_owned()),
            ("parentRoles", list(parents.iter().map(|parent| quoted(parent)))),
        ];
        definition.extend(self.condition(condition.as_ref()));
        let all: Vec<usize> = (0..ATTRIBUTES).collect();
        let roles = self.map([
            ("name", format!("from_{name}")),
            ("variables", self.variables(&all)),
            ("definitions", list([self.map(definition)])),
        ]);
        self.map([("apiVersion", "api.cerbos.dev/v1".to_owned()), ("derivedRoles", roles)])
    }

    fn variables(&self, order: &[usize]) -> String {
        let names: Vec<_> = order.iter().map(|n| (format!("v{n}"), format!("R.attr.x{n}"))).collect();
        let local = self.map(names.iter().map(|(name, value)| (name.as_str(), value.clone())));
        self.map([("local", local)])
    }

    fn condition(&self, tree: Option<&Tree>) -> Option<(&'static str, String)> {
        tree.map(|tree| ("condition", self.map([("match", tree.flow())])))
    }

    /// A map in YAML, its entries in the order that [`Spec::map_order`] asks for.
    fn map<'k>(&self, entries: impl IntoIterator<Item = (&'k str, String)>) -> String {
        let mut entries: Vec<_> = entries.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
        if !self.map_order.is_empty() {
            shuffle(&mut entries, &mut self.map_order.iter().cycle());
        }
        format!("{{{}}}", entries.join(", "))
    }
}

/// Brings `items` into the order that `keys` choose, one key for each but the first.
pub(crate) fn shuffle<'k, T>(items: &mut [T], keys: &mut impl Iterator<Item = &'k Index>) {
    for end in (1..items.len()).rev() {
        let pick = keys.next().unwrap().index(end + 1);
        items.swap(end, pick);
    }
}

fn file(path: &str, text: String) -> SourceFile {
    SourceFile { path: path.into(), text: text.into() }
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

fn quoted(name: &str) -> String {
    format!("'{name}'")
}

impl Tree {
    pub(crate) fn leaves_mut(&mut self) -> Vec<&mut Leaf> {
        match self {
            Tree::Leaf(leaf) => vec![leaf],
            Tree::All(items) | Tree::Any(items) | Tree::None(items) => {
                items.iter_mut().flat_map(Tree::leaves_mut).collect()
            }
        }
    }

    fn flow(&self) -> String {
        let (block, items) = match self {
            Tree::Leaf(leaf) => return format!("{{expr: \"{}\"}}", leaf.source()),
            Tree::All(items) => ("all", items),
            Tree::Any(items) => ("any", items),
            Tree::None(items) => ("none", items),
        };
        let items: Vec<_> = items.iter().map(Tree::flow).collect();
        format!("{{{block}: {{of: [{}]}}}}", items.join(", "))
    }
}

impl Leaf {
    fn source(self) -> String {
        match self {
            Leaf::Constant(constant) => constant.to_string(),
            Leaf::Attribute(n) => format!("R.attr.x{n}"),
            Leaf::Variable(n) => format!("V.v{n}"),
            Leaf::IsTrue(n) => format!("R.attr.x{n} == true"),
            Leaf::Either(a, b) => format!("R.attr.x{a} || V.v{b}"),
            Leaf::Holds(role) => format!("'{role}' in runtime.effectiveDerivedRoles"),
        }
    }
}

pub(crate) fn specs() -> impl Strategy<Value = Spec> {
    let derived = DERIVED.map(|name| {
        let parents = prop_oneof![4 => names(&ROLES, 1..=2), 1 => Just(vec!["*"])];
        (parents, proptest::option::weighted(0.8, trees(false)))
            .prop_map(move |(parents, condition)| Derived { name, parents, condition })
    });
    let rules = proptest::collection::vec(rules(), 1..8).prop_map(|mut rules| {
        rules.iter_mut().enumerate().for_each(|(n, rule)| rule.name = format!("r{n}"));
        rules
    });
    (derived, rules).prop_map(|(derived, rules)| Spec {
        variables: (0..ATTRIBUTES).collect(),
        derived: derived.into(),
        rules,
        map_order: Vec::new(),
    })
}

fn rules() -> impl Strategy<Value = Rule> {
    let roles = prop_oneof![4 => names(&ROLES, 0..=2), 1 => Just(vec!["*"])];
    let derived = prop_oneof![1 => Just(vec![]), 1 => names(&DERIVED, 1..=2)];
    let patterns = subsequence(PATTERNS.to_vec(), 1..=2);
    let condition = proptest::option::weighted(0.7, trees(true));
    (any::<bool>(), patterns, roles, derived, condition)
        .prop_filter("a rule is for somebody", |(_, _, roles, derived, _)| {
            !roles.is_empty() || !derived.is_empty()
        })
        .prop_map(|(deny, patterns, roles, derived, condition)| Rule {
            name: String::new(),
            deny,
            patterns,
            roles,
            derived,
            condition,
        })
}

fn trees(may_ask_for_roles: bool) -> impl Strategy<Value = Tree> {
    let attribute = || 0..ATTRIBUTES;
    let leaf = prop_oneof![
        any::<bool>().prop_map(Leaf::Constant),
        attribute().prop_map(Leaf::Attribute),
        attribute().prop_map(Leaf::Variable),
        attribute().prop_map(Leaf::IsTrue),
        (attribute(), attribute()).prop_map(|(a, b)| Leaf::Either(a, b)),
        select(DERIVED.to_vec()).prop_map(move |role| match may_ask_for_roles {
            true => Leaf::Holds(role),
            false => Leaf::Attribute(0),
        }),
    ];
    leaf.prop_map(Tree::Leaf).prop_recursive(2, 8, 3, |inner| {
        let items = proptest::collection::vec(inner, 1..=3);
        prop_oneof![
            items.clone().prop_map(Tree::All),
            items.clone().prop_map(Tree::Any),
            items.prop_map(Tree::None),
        ]
    })
}

pub(crate) fn asks() -> impl Strategy<Value = Ask> {
    let attribute = prop_oneof![
        4 => any::<bool>().prop_map(Attribute::Bool),
        1 => Just(Attribute::Text),
        2 => Just(Attribute::Missing),
    ];
    let roles = names(&["a", "b", "c", "stranger", "*"], 1..=3).prop_shuffle();
    (roles, proptest::collection::vec(attribute, ATTRIBUTES)).prop_map(|(roles, attributes)| Ask {
        roles,
        attributes,
        order: (0..ATTRIBUTES).collect(),
    })
}

fn names(
    pool: &[&'static str],
    count: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = Vec<&'static str>> + use<> {
    subsequence(pool.to_vec(), count)
}
