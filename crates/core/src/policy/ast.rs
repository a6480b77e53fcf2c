//! Policy files as their authors wrote them: every field that exists, each with its place.
//!
//! Fields and kinds: `api.cerbos.dev/v1`, and our own under `procura.dev/v1`.

use std::borrow::Cow;

use super::rules::ScopePermissions;
use super::yaml::Place;
use crate::model::Effect;
use crate::value::Value;

/// Something and where it is written.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// A string and where it is written.
pub(super) type Text<'t> = At<Cow<'t, str>>;

/// One document.
#[derive(Debug)]
pub(super) struct Document<'t> {
    /// Where the body's key is.
    pub(super) place: Place,
    /// Treated as if absent.
    pub(super) disabled: bool,
    pub(super) body: Body<'t>,
}

/// The kinds of policy.
#[derive(Debug)]
pub(super) enum Body<'t> {
    Resource(ResourcePolicy<'t>),
    Principal(PrincipalPolicy<'t>),
    Role(RolePolicy<'t>),
    DerivedRoles(DerivedRoles<'t>),
    ExportVariables(Export<'t, Text<'t>>),
    ExportConstants(Export<'t, Value<'static>>),
    Capabilities(Capabilities<'t>),
}

impl<'t> Body<'t> {
    /// Where its expressions have their variables and constants from; `None` if it has no expressions of its own.
    pub(super) fn names(&self) -> Option<&NameSources<'t>> {
        match self {
            Body::Resource(body) => Some(&body.names),
            Body::Principal(body) => Some(&body.names),
            Body::Role(body) => Some(&body.names),
            Body::DerivedRoles(body) => Some(&body.names),
            Body::ExportVariables(_) | Body::ExportConstants(_) | Body::Capabilities(_) => None,
        }
    }

    /// Its expressions, but for those of variables.
    pub(super) fn expressions(&self) -> Vec<&Text<'t>> {
        let mut found = Vec::new();
        match self {
            Body::Resource(body) => body.rules.iter().for_each(|rule| rule.when.expressions(&mut found)),
            Body::Principal(body) => {
                let actions = body.rules.iter().flat_map(|rule| &rule.actions);
                actions.for_each(|action| action.when.expressions(&mut found));
            }
            Body::Role(body) => body.rules.iter().for_each(|rule| rule.when.expressions(&mut found)),
            Body::DerivedRoles(body) => {
                let conditions = body.definitions.iter().filter_map(|role| role.condition.as_ref());
                conditions.for_each(|condition| condition.expressions(&mut found));
            }
            Body::ExportVariables(_) | Body::ExportConstants(_) | Body::Capabilities(_) => {}
        }
        found
    }
}

/// `resourcePolicy`: which roles may do what to a kind of resource.
#[derive(Debug)]
pub(super) struct ResourcePolicy<'t> {
    pub(super) resource: Text<'t>,
    pub(super) version: Text<'t>,
    pub(super) scope: Scope<'t>,
    pub(super) schemas: Option<Schemas<'t>>,
    pub(super) import_derived_roles: Vec<Text<'t>>,
    pub(super) names: NameSources<'t>,
    pub(super) rules: Vec<ResourceRule<'t>>,
}

/// `schemas`: what attributes must look like.
#[derive(Debug)]
pub(super) struct Schemas<'t> {
    pub(super) place: Place,
    pub(super) principal: Option<SchemaUse<'t>>,
    pub(super) resource: Option<SchemaUse<'t>>,
}

/// A schema, and the actions for which it does not matter.
#[derive(Debug)]
pub(super) struct SchemaUse<'t> {
    pub(super) reference: Text<'t>,
    pub(super) ignored_actions: Vec<Text<'t>>,
}

/// `capabilities`: what a system can do.
#[derive(Debug)]
pub(super) struct Capabilities<'t> {
    pub(super) system: Text<'t>,
    pub(super) entries: Vec<CapabilityEntry<'t>>,
}

/// Some actions on a kind of resource.
#[derive(Debug)]
pub(super) struct CapabilityEntry<'t> {
    pub(super) place: Place,
    pub(super) resource: Text<'t>,
    pub(super) actions: Vec<Text<'t>>,
    pub(super) owner: Text<'t>,
    pub(super) risk: Text<'t>,
    /// Type and greatest age of each required signal.
    pub(super) signals: Vec<(Text<'t>, Text<'t>)>,
}

/// One rule of a resource policy.
#[derive(Debug)]
pub(super) struct ResourceRule<'t> {
    pub(super) place: Place,
    pub(super) name: Option<Text<'t>>,
    pub(super) actions: Vec<Text<'t>>,
    pub(super) roles: Vec<Text<'t>>,
    pub(super) derived_roles: Vec<Text<'t>>,
    /// `None` if it could not be read, which is reported.
    pub(super) effect: Option<Effect>,
    pub(super) when: When<'t>,
}

/// `principalPolicy`: exceptions for one principal.
#[derive(Debug)]
pub(super) struct PrincipalPolicy<'t> {
    pub(super) principal: Text<'t>,
    pub(super) version: Text<'t>,
    pub(super) scope: Scope<'t>,
    pub(super) names: NameSources<'t>,
    pub(super) rules: Vec<PrincipalRule<'t>>,
}

/// One rule of a principal policy: a pattern of resources, and what holds for actions on them.
#[derive(Debug)]
pub(super) struct PrincipalRule<'t> {
    pub(super) resource: Text<'t>,
    pub(super) actions: Vec<ActionRule<'t>>,
}

/// What holds for a pattern of actions.
#[derive(Debug)]
pub(super) struct ActionRule<'t> {
    pub(super) place: Place,
    pub(super) name: Option<Text<'t>>,
    pub(super) action: Text<'t>,
    /// `None` if it could not be read, which is reported.
    pub(super) effect: Option<Effect>,
    pub(super) when: When<'t>,
}

/// `rolePolicy`: the actions a role is confined to.
#[derive(Debug)]
pub(super) struct RolePolicy<'t> {
    pub(super) role: Text<'t>,
    pub(super) version: Option<Text<'t>>,
    pub(super) scope: Scope<'t>,
    pub(super) parent_roles: Vec<Text<'t>>,
    pub(super) names: NameSources<'t>,
    pub(super) rules: Vec<RoleRule<'t>>,
}

/// One rule of a role policy: actions that the role may be allowed on a pattern of resources.
#[derive(Debug)]
pub(super) struct RoleRule<'t> {
    pub(super) place: Place,
    pub(super) name: Option<Text<'t>>,
    pub(super) resource: Text<'t>,
    pub(super) allow_actions: Vec<Text<'t>>,
    pub(super) when: When<'t>,
}

/// `derivedRoles`: roles that follow from others and from the request.
#[derive(Debug)]
pub(super) struct DerivedRoles<'t> {
    pub(super) name: Text<'t>,
    pub(super) names: NameSources<'t>,
    pub(super) definitions: Vec<DerivedRole<'t>>,
}

/// One definition of a `derivedRoles` file.
#[derive(Debug)]
pub(super) struct DerivedRole<'t> {
    pub(super) name: Text<'t>,
    pub(super) parent_roles: Vec<Text<'t>>,
    pub(super) condition: Option<Match<'t>>,
}

/// `exportVariables` and `exportConstants`: named definitions for others to import.
#[derive(Debug)]
pub(super) struct Export<'t, T> {
    pub(super) name: Text<'t>,
    pub(super) definitions: Vec<Definition<'t, T>>,
}

/// A named variable or constant.
#[derive(Debug)]
pub(super) struct Definition<'t, T> {
    pub(super) name: Text<'t>,
    pub(super) value: T,
}

/// `scope` and `scopePermissions`.
#[derive(Debug, Default)]
pub(super) struct Scope<'t> {
    pub(super) scope: Option<Text<'t>>,
    /// `None` if it is not given or cannot be read, which is reported.
    pub(super) permissions: Option<At<ScopePermissions>>,
}

/// Where the variables and constants of a policy come from.
#[derive(Debug, Default)]
pub(super) struct NameSources<'t> {
    pub(super) variables: Definitions<'t, Text<'t>>,
    pub(super) constants: Definitions<'t, Value<'static>>,
}

/// A `variables` or `constants` block.
#[derive(Debug)]
pub(super) struct Definitions<'t, T> {
    pub(super) import: Vec<Text<'t>>,
    pub(super) local: Vec<Definition<'t, T>>,
}

/// When a rule applies and what it puts out.
#[derive(Debug, Default)]
pub(super) struct When<'t> {
    pub(super) condition: Option<Match<'t>>,
    pub(super) rule_activated: Option<Text<'t>>,
    pub(super) condition_not_met: Option<Text<'t>>,
}

/// `condition.match`.
#[derive(Debug)]
pub(super) enum Match<'t> {
    Expr(Text<'t>),
    All(Vec<Match<'t>>),
    Any(Vec<Match<'t>>),
    None(Vec<Match<'t>>),
    /// `condition.script`, which the language no longer has.
    Script(Place),
}

impl<T> Default for Definitions<'_, T> {
    fn default() -> Self {
        Self { import: Vec::new(), local: Vec::new() }
    }
}

impl<'t> When<'t> {
    fn expressions<'p>(&'p self, found: &mut Vec<&'p Text<'t>>) {
        self.condition.iter().for_each(|condition| condition.expressions(found));
        found.extend(self.rule_activated.iter().chain(&self.condition_not_met));
    }
}

impl<'t> Match<'t> {
    /// The depth of conditions is bounded by the decoder.
    fn expressions<'p>(&'p self, found: &mut Vec<&'p Text<'t>>) {
        match self {
            Match::Expr(text) => found.push(text),
            Match::All(parts) | Match::Any(parts) | Match::None(parts) => {
                parts.iter().for_each(|part| part.expressions(found));
            }
            Match::Script(_) => {}
        }
    }
}
