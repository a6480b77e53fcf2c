//! The compiled form of one policy, of any kind.

use std::sync::Arc;

use super::glob::{Glob, GlobError};
use super::scalar::{self, Stretch};
use super::source::Position;
use super::table::RuleTable;
use crate::expr::{Frame, Program, Val};
use crate::limits::BYTES_PER_COST_UNIT;
use crate::model::Effect;

/// One policy with rules. What most decisions read lies together, at the beginning.
#[derive(Debug)]
#[repr(C)]
pub struct Policy {
    /// Where among the rules to look, and what to read of them first.
    pub(crate) table: Arc<RuleTable>,
    /// The constants of the conditions of derived roles and rules.
    pub(crate) constants: Box<[Val<'static>]>,
    /// The frames of the derived roles, each once.
    pub(crate) frames: Box<[Arc<Frame>]>,
    /// Whom or what it is about.
    pub kind: PolicyKind,
    /// What an allow rule means in its scope.
    pub scope_permissions: ScopePermissions,
    /// Variables of the policy's conditions and outputs.
    pub frame: Frame,
    /// The name that decisions carry: `resource.<kind>.v<version>/<scope>`, sanitised as the peer does.
    pub name: Arc<str>,
    /// Its scope, empty for the root.
    pub scope: Arc<str>,
    /// The rules in source order.
    pub rules: Vec<Rule>,
    /// The derived roles that some rule of this policy refers to, sorted by name.
    pub derived_roles: Vec<Arc<DerivedRole>>,
    /// The kind of resource, the id of the principal or the role, as written.
    pub subject: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// Where it begins.
    pub position: Position,
    /// The roles whose rules also speak to the role of a role policy, as written.
    pub parent_roles: Vec<Arc<str>>,
}

/// The kinds of policy that have rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// Which roles may do what to a kind of resource.
    Resource,
    /// Exceptions for one principal.
    Principal,
    /// The actions a role is confined to.
    Role,
}

/// What an allow rule means in a scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScopePermissions {
    /// It allows, whatever the scopes above say.
    #[default]
    OverrideParent,
    /// It allows nothing by itself: a scope above must allow. While its condition is false it denies.
    RequireParentalConsent,
}

/// What a rule does by its effect, its kind of policy and its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stance {
    /// It allows while its condition is true.
    Allow,
    /// It denies while its condition is true.
    Deny,
    /// It denies while its condition is false, and otherwise leaves the matter to others.
    Confine,
}

impl Policy {
    /// What `rule`, one of its rules, does.
    #[must_use]
    pub fn stance(&self, rule: &Rule) -> Stance {
        match (rule.effect, self.kind, self.scope_permissions) {
            (Effect::Deny, _, _) => Stance::Deny,
            (Effect::Allow, PolicyKind::Role, _) | (_, _, ScopePermissions::RequireParentalConsent) => {
                Stance::Confine
            }
            (Effect::Allow, _, ScopePermissions::OverrideParent) => Stance::Allow,
        }
    }
}

/// A derived role as one policy imports it.
#[derive(Debug)]
pub struct DerivedRole {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is defined.
    pub position: Position,
    /// The roles of which the principal must hold one.
    pub parent_roles: Roles,
    /// What must hold besides.
    pub condition: Option<Condition>,
    /// Variables of its condition: those of the derived-roles file, not of the importing policy.
    pub frame: Arc<Frame>,
}

/// One rule: an entry of `rules`, in a principal policy an entry of `actions` there.
#[derive(Debug)]
pub struct Rule {
    /// Its name: as written, or `rule-NNN` by its position, in a principal policy `<resource>_rule-NNN`.
    pub name: Arc<str>,
    /// Where it begins.
    pub position: Position,
    /// Where its outputs say they come from: `<policy>#<rule>`; empty if it has none.
    pub output_source: Arc<str>,
    /// The resources that a rule of a principal or role policy is about.
    pub resource: Option<ResourcePattern>,
    /// The actions it is about.
    pub actions: Vec<ActionPattern>,
    /// The roles that a rule of a resource policy is about; `None` if it names only derived roles.
    pub roles: Option<Roles>,
    /// The derived roles it is about: indices into [`Policy::derived_roles`].
    pub derived_roles: Vec<usize>,
    /// What it says; in a role policy always allow.
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

    /// Reads an entry of `allowActions`: there, as for the peer, `?`, `[ab]` and `{a,b}` make a pattern too.
    pub fn parse_allowed(text: &str) -> Result<Self, GlobError> {
        if text.contains('*') || !text.contains(['?', '[', '{']) {
            return Self::parse(text);
        }
        Ok(Glob::parse(text).map_or_else(|_| ActionPattern::Exact(text.into()), ActionPattern::Glob))
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

/// The kinds of resource that a rule of a principal or role policy is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourcePattern(ActionPattern);

impl ResourcePattern {
    /// Reads a pattern as written.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        ActionPattern::parse(text).map(Self)
    }

    /// Cost units that comparing with `kind` takes at most.
    #[must_use]
    pub fn cost(&self, kind: &str) -> usize {
        2 * self.0.cost(kind)
    }

    /// Whether it is about `kind`, as written or in the form in which decisions print it. The peer compares patterns
    /// with the printed form only: `hr:*` never matches there, and its files may rely on `hr_*`.
    #[must_use]
    pub fn matches(&self, kind: &str, printed: &str) -> bool {
        self.0.matches(kind) || self.0.matches(printed)
    }

    /// It as a pattern of one name.
    pub(super) fn pattern(&self) -> &ActionPattern {
        &self.0
    }
}

/// When a rule applies.
#[derive(Debug)]
pub enum Condition {
    /// One expression. Boxed, as most rules have no condition.
    Expr(Box<Spanned<Program>>),
    /// All of these.
    All(Vec<Condition>),
    /// At least one of these.
    Any(Vec<Condition>),
    /// None of these.
    None(Vec<Condition>),
}

/// What a rule puts out when it is visited; boxed, as few rules put out anything.
#[derive(Debug, Default)]
pub struct Output {
    /// Evaluated when the rule applies.
    pub rule_activated: Option<Box<Spanned<Program>>>,
    /// Evaluated when the rule is visited and its condition does not hold.
    pub condition_not_met: Option<Box<Spanned<Program>>>,
}

impl Output {
    /// What is evaluated when the rule is visited: whether it applies says which expression.
    #[must_use]
    pub fn of(&self, activated: bool) -> Option<&Spanned<Program>> {
        if activated { self.rule_activated.as_deref() } else { self.condition_not_met.as_deref() }
    }
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
