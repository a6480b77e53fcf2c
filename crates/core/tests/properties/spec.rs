//! Small policy sets as data: generated at random, written out as policy files.

use std::fmt::Write as _;

use procura_core::policy::SourceFile;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

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
}

impl Spec {
    /// The policy files.
    pub(crate) fn files(&self) -> Vec<SourceFile> {
        let mut files = vec![file("policy.yaml", self.policy())];
        files.extend(
            self.derived.iter().map(|derived| file(&format!("{}.yaml", derived.name), derived_file(derived))),
        );
        files
    }

    /// All condition trees, for changing leaves in place.
    pub(crate) fn trees_mut(&mut self) -> impl Iterator<Item = &mut Tree> {
        let derived = self.derived.iter_mut().filter_map(|derived| derived.condition.as_mut());
        derived.chain(self.rules.iter_mut().filter_map(|rule| rule.condition.as_mut()))
    }

    fn policy(&self) -> String {
        let mut text = String::from(
            "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: doc\n  version: default\n",
        );
        let imports: Vec<_> = self.derived.iter().map(|derived| format!("from_{}", derived.name)).collect();
        writeln!(text, "  importDerivedRoles: [{}]\n  variables:\n    local:", imports.join(", ")).unwrap();
        self.variables.iter().for_each(|n| writeln!(text, "      v{n}: R.attr.x{n}").unwrap());
        text.push_str("  rules:\n");
        for rule in &self.rules {
            let effect = if rule.deny { "EFFECT_DENY" } else { "EFFECT_ALLOW" };
            let patterns: Vec<_> = rule.patterns.iter().map(|(pattern, _)| *pattern).collect();
            writeln!(text, "    - name: {}\n      effect: {effect}", rule.name).unwrap();
            writeln!(text, "      actions: {}", list(&patterns)).unwrap();
            writeln!(text, "      output: {{when: {{ruleActivated: \"'on'\", conditionNotMet: \"'off'\"}}}}")
                .unwrap();
            for (key, names) in [("roles", &rule.roles), ("derivedRoles", &rule.derived)] {
                if !names.is_empty() {
                    writeln!(text, "      {key}: {}", list(names)).unwrap();
                }
            }
            if let Some(tree) = &rule.condition {
                writeln!(text, "      condition: {{match: {}}}", tree.flow()).unwrap();
            }
        }
        text
    }
}

fn derived_file(derived: &Derived) -> String {
    let Derived { name, parents, condition } = derived;
    let condition = condition.as_ref().map(|tree| format!(", condition: {{match: {}}}", tree.flow()));
    let variables: Vec<_> = (0..ATTRIBUTES).map(|n| format!("v{n}: R.attr.x{n}")).collect();
    format!(
        "apiVersion: api.cerbos.dev/v1\nderivedRoles:\n  name: from_{name}\n  variables: {{local: {{{}}}}}\n  \
         definitions:\n    - {{name: {name}, parentRoles: {}{}}}\n",
        variables.join(", "),
        list(parents),
        condition.unwrap_or_default(),
    )
}

fn file(path: &str, text: String) -> SourceFile {
    SourceFile { path: path.into(), text: text.into() }
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    format!("[{}]", quoted.join(", "))
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
    (roles, proptest::collection::vec(attribute, ATTRIBUTES))
        .prop_map(|(roles, attributes)| Ask { roles, attributes })
}

fn names(
    pool: &[&'static str],
    count: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = Vec<&'static str>> + use<> {
    subsequence(pool.to_vec(), count)
}
