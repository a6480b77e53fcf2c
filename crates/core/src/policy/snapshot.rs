//! The compiled form of a policy set: immutable, shared by all requests until the next set goes live.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::scalar::{self, Stretch};
use super::{Glob, GlobError, Position, Revision};
use crate::expr::{Frame, Program};
use crate::limits::BYTES_PER_COST_UNIT;
use crate::model::Effect;
use crate::schema::Schema;

/// A compiled policy set.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Content hash of the set.
    pub revision: Revision,
    /// Resource policies by kind, then version. Scopes are added with the scope chain.
    pub resource_policies: BTreeMap<Arc<str>, BTreeMap<Arc<str>, ResourcePolicy>>,
    /// How many files the set has.
    pub files: usize,
}

/// One resource policy.
#[derive(Debug)]
pub struct ResourcePolicy {
    /// The name that decisions carry: `resource.<kind>.v<version>`, the kind sanitised as the peer does.
    pub name: Arc<str>,
    /// Variables of the policy's conditions and outputs.
    pub frame: Frame,
    /// The derived roles that some rule of this policy refers to, sorted by name.
    pub derived_roles: Vec<Arc<DerivedRole>>,
    /// The rules in source order.
    pub rules: Vec<Rule>,
    /// What attributes must look like. Only those of the root scope count.
    pub schemas: Schemas,
}

/// What the attributes of requests must look like.
#[derive(Debug, Default)]
pub struct Schemas {
    /// Those of the principal.
    pub principal: Option<AttributeSchema>,
    /// Those of the resource.
    pub resource: Option<AttributeSchema>,
}

/// A schema for attributes.
#[derive(Debug)]
pub struct AttributeSchema {
    /// The schema, or why it cannot be used.
    pub schema: Result<Arc<Schema>, Arc<str>>,
    /// If every requested action is one of these, the attributes are not looked at.
    pub ignored_actions: Vec<ActionPattern>,
}

/// A derived role as one policy imports it.
#[derive(Debug)]
pub struct DerivedRole {
    /// Its name.
    pub name: Arc<str>,
    /// The roles of which the principal must hold one.
    pub parent_roles: Roles,
    /// What must hold besides.
    pub condition: Option<Condition>,
    /// Variables of its condition: those of the derived-roles file, not of the importing policy.
    pub frame: Arc<Frame>,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name: as written, or `rule-NNN` by position in the policy.
    pub name: Arc<str>,
    /// Where it begins.
    pub position: Position,
    /// The actions it is about.
    pub actions: Vec<ActionPattern>,
    /// The roles it is about; `None` if it names only derived roles.
    pub roles: Option<Roles>,
    /// The derived roles it is about: indices into [`ResourcePolicy::derived_roles`].
    pub derived_roles: Vec<usize>,
    /// What it says.
    pub effect: Effect,
    /// When it applies.
    pub condition: Option<Condition>,
    /// What it puts out.
    pub output: Output,
}

/// A set of roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roles {
    /// `*`: whoever holds any role.
    Any,
    /// Exactly these, sorted.
    Named(Vec<Arc<str>>),
}

impl Roles {
    /// Whether `role` is one of them.
    #[must_use]
    pub fn contain(&self, role: &str) -> bool {
        match self {
            Roles::Any => true,
            Roles::Named(names) => names.binary_search_by(|name| name.as_ref().cmp(role)).is_ok(),
        }
    }
}

/// The actions that one entry of a rule's `actions` is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionPattern {
    /// A lone `*`: every action.
    Any,
    /// Exactly this action. Without `*` every character stands for itself, also `?`, `{` and `[`.
    Exact(Arc<str>),
    /// A pattern with at least one `*`.
    Glob(Glob),
}

impl ActionPattern {
    /// Reads an entry as written.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        match text {
            "*" => Ok(ActionPattern::Any),
            _ if text.contains('*') => Glob::parse(text).map(ActionPattern::Glob),
            _ => Ok(ActionPattern::Exact(text.into())),
        }
    }

    /// Cost units that comparing with `action` takes at most.
    #[must_use]
    pub fn cost(&self, action: &str) -> usize {
        match self {
            ActionPattern::Any => 1,
            ActionPattern::Exact(name) => 1 + name.len().min(action.len()) / BYTES_PER_COST_UNIT,
            ActionPattern::Glob(glob) => glob.cost(action),
        }
    }

    /// Whether it is about `action`.
    #[must_use]
    pub fn matches(&self, action: &str) -> bool {
        match self {
            ActionPattern::Any => true,
            ActionPattern::Exact(name) => **name == *action,
            ActionPattern::Glob(glob) => glob.matches(action),
        }
    }
}

/// When a rule applies.
#[derive(Debug)]
pub enum Condition {
    /// One expression.
    Expr(Spanned<Program>),
    /// All of these.
    All(Vec<Condition>),
    /// At least one of these.
    Any(Vec<Condition>),
    /// None of these.
    None(Vec<Condition>),
}

/// What a rule puts out when it is visited.
#[derive(Debug, Default)]
pub struct Output {
    /// Evaluated when the rule applies.
    pub rule_activated: Option<Spanned<Program>>,
    /// Evaluated when the rule is visited and its condition does not hold.
    pub condition_not_met: Option<Spanned<Program>>,
}

/// Something with the place where it is written.
#[derive(Debug)]
pub struct Spanned<T> {
    /// The thing.
    pub node: T,
    /// Where it begins.
    pub position: Position,
    /// Where its parts are, as written in the file.
    stretches: Box<[Stretch]>,
}

impl<T> Spanned<T> {
    /// `node`, the decoded text of which lies in `stretches` of the file of `position`.
    pub(super) fn new(node: T, position: Position, stretches: Box<[Stretch]>) -> Self {
        Self { node, position, stretches }
    }
}

impl Spanned<Program> {
    /// The place of byte `offset` of the expression, such as the start of an error's range: exact for every
    /// style of YAML scalar.
    #[must_use]
    pub fn locate(&self, offset: usize) -> Position {
        let (line, column) = scalar::locate(&self.stretches, self.node.source(), offset);
        Position { file: Arc::clone(&self.position.file), line, column }
    }
}
