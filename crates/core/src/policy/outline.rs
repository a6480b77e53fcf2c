//! What a set as a whole must know of one policy: who it is, what it imports, what it names. Small and without ties to
//! the text, so that it is kept for as long as the file is unchanged.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::ast::{At, Body, Document, NameSources, ResourcePolicy, SchemaUse, Schemas, Scope, Text};
use super::index;
use super::pool::Texts;
use super::rules::{PolicyKind, ScopePermissions};
use super::yaml::Place;

/// The name of each derived role that a file defines, with its place.
type DefinedRoles = Box<[(Arc<str>, Place)]>;

/// One policy as the others see it.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) identity: Identity,
    /// Where the body's key is.
    pub(super) place: Place,
    /// Treated as if absent.
    pub(super) disabled: bool,
    /// For the kinds that pass decisions on to the scope above.
    pub(super) scoping: Option<Scoping>,
    /// What it imports.
    pub(super) imports: Box<[ExportKey]>,
    /// The derived roles that its rules name.
    pub(super) named_roles: Box<[Arc<str>]>,
    /// The derived roles that it defines, with the place of each name; the place of the set's own name.
    pub(super) defined_roles: Option<(Place, DefinedRoles)>,
    /// What it says of attributes.
    pub(super) schemas: Option<Box<Schemas<'static>>>,
    /// The actions that its rules name; empty unless somebody wants to know.
    pub(super) mentions: Box<[Mention]>,
}

/// INVARIANT(policy_identity): two policies are the same if kind of policy, name, version and scope are, as
/// written; names that merely print alike stay apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) kind: Kind,
    pub(super) name: Arc<str>,
    pub(super) version: Arc<str>,
    pub(super) scope: Arc<str>,
}

/// The kinds of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Policy(PolicyKind),
    Export(ExportKind),
    Capabilities,
}

/// The kinds of file that others import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ExportKind {
    DerivedRoles,
    Variables,
    Constants,
}

/// By what an export is imported.
pub(super) type ExportKey = (ExportKind, Arc<str>);

/// The scope of a policy.
#[derive(Debug)]
pub(super) struct Scoping {
    pub(super) permissions: ScopePermissions,
    /// Where the permissions are written; the policy itself if they are not.
    pub(super) permissions_place: Place,
    /// Where the scope is written; the policy itself if it is not.
    pub(super) place: Place,
}

/// An action that a rule names.
#[derive(Debug)]
pub(super) struct Mention {
    /// As written.
    pub(super) resource: Arc<str>,
    /// As written.
    pub(super) action: Arc<str>,
    pub(super) place: Place,
}

impl Outline {
    /// The outline of `document`; with the actions that its rules name if `mentions`. What many policies name is kept
    /// once, in `texts`.
    pub(super) fn of(document: &Document<'_>, mentions: bool, texts: &mut Texts) -> Self {
        let Document { place, disabled, body } = document;
        let (mut named_roles, mut schemas, mut defined_roles) = (BTreeSet::new(), None, None);
        match body {
            Body::Resource(body) => {
                let named = body.rules.iter().flat_map(|rule| &rule.derived_roles);
                named_roles = named.map(|role| texts.keep(&role.value)).collect();
                schemas = body.schemas.as_ref().map(|schemas| Box::new(detached(schemas)));
            }
            Body::DerivedRoles(body) => {
                let roles = body.definitions.iter();
                let roles = roles.map(|role| (texts.keep(&role.name.value), role.name.place));
                defined_roles = Some((body.name.place, roles.collect()));
            }
            _ => {}
        }
        Self {
            identity: Identity::of(body, texts),
            place: *place,
            disabled: *disabled,
            scoping: scoping(body, *place),
            imports: imports(body, texts),
            named_roles: named_roles.into_iter().collect(),
            defined_roles,
            schemas,
            mentions: if mentions { mentioned(body) } else { Box::default() },
        }
    }

    /// By what others import it.
    pub(super) fn export(&self) -> Option<ExportKey> {
        match self.identity.kind {
            Kind::Export(kind) => Some((kind, Arc::clone(&self.identity.name))),
            Kind::Policy(_) | Kind::Capabilities => None,
        }
    }

    /// The names of the imports of `kind`.
    pub(super) fn imported(&self, kind: ExportKind) -> impl Iterator<Item = &Arc<str>> {
        self.imports.iter().filter(move |(of, _)| *of == kind).map(|(_, name)| name)
    }

    /// Whether it imports variables or constants.
    pub(super) fn imports_names(&self) -> bool {
        self.imports.iter().any(|(kind, _)| *kind != ExportKind::DerivedRoles)
    }
}

impl Identity {
    fn of(body: &Body<'_>, texts: &mut Texts) -> Self {
        let mut policy = |kind, name: &Text<'_>, version: &str, scope: &Scope<'_>| Self {
            kind: Kind::Policy(kind),
            name: shared(name),
            version: texts.keep(version),
            scope: texts.keep(index::scope(scope)),
        };
        let other = |kind, name: &Text<'_>| Self {
            kind,
            name: shared(name),
            version: Arc::default(),
            scope: Arc::default(),
        };
        match body {
            Body::Resource(body) => {
                policy(PolicyKind::Resource, &body.resource, &body.version.value, &body.scope)
            }
            Body::Principal(body) => {
                policy(PolicyKind::Principal, &body.principal, &body.version.value, &body.scope)
            }
            Body::Role(body) => policy(PolicyKind::Role, &body.role, index::version_of(body), &body.scope),
            Body::DerivedRoles(body) => other(Kind::Export(ExportKind::DerivedRoles), &body.name),
            Body::ExportVariables(body) => other(Kind::Export(ExportKind::Variables), &body.name),
            Body::ExportConstants(body) => other(Kind::Export(ExportKind::Constants), &body.name),
            Body::Capabilities(body) => other(Kind::Capabilities, &body.system),
        }
    }
}

/// As the peer prints it: kind, name, version and scope.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Policy(PolicyKind::Resource) => "resource",
            Kind::Policy(PolicyKind::Principal) => "principal",
            Kind::Policy(PolicyKind::Role) => "role",
            Kind::Export(ExportKind::DerivedRoles) => "derived_roles",
            Kind::Export(ExportKind::Variables) => "export_variables",
            Kind::Export(ExportKind::Constants) => "export_constants",
            Kind::Capabilities => "capabilities",
        };
        write!(f, "{kind}.{}", self.name)?;
        if !self.version.is_empty() {
            write!(f, ".v{}", self.version)?;
        }
        if !self.scope.is_empty() {
            write!(f, "/{}", self.scope)?;
        }
        Ok(())
    }
}

fn shared(text: &Text<'_>) -> Arc<str> {
    text.value.as_ref().into()
}

fn scoping(body: &Body<'_>, place: Place) -> Option<Scoping> {
    let scope = match body {
        Body::Resource(body) => &body.scope,
        Body::Principal(body) => &body.scope,
        _ => return None,
    };
    Some(Scoping {
        permissions: scope.permissions.as_ref().map(|permissions| permissions.value).unwrap_or_default(),
        permissions_place: scope.permissions.as_ref().map_or(place, |permissions| permissions.place),
        place: scope.scope.as_ref().map_or(place, |scope| scope.place),
    })
}

fn imports(body: &Body<'_>, texts: &mut Texts) -> Box<[ExportKey]> {
    let roles: &[Text<'_>] = match body {
        Body::Resource(ResourcePolicy { import_derived_roles, .. }) => import_derived_roles,
        _ => &[],
    };
    let (variables, constants): (&[Text<'_>], &[Text<'_>]) = match body.names() {
        Some(NameSources { variables, constants }) => (&variables.import, &constants.import),
        None => (&[], &[]),
    };
    let kinds = [
        (ExportKind::DerivedRoles, roles),
        (ExportKind::Variables, variables),
        (ExportKind::Constants, constants),
    ];
    let imports = kinds.into_iter().flat_map(|(kind, names)| names.iter().map(move |name| (kind, name)));
    imports.map(|(kind, name)| (kind, texts.keep(&name.value))).collect()
}

/// A copy without ties to the text of the file.
fn detached(schemas: &Schemas<'_>) -> Schemas<'static> {
    let text = |text: &Text<'_>| At { value: Cow::Owned(text.value.to_string()), place: text.place };
    let schema = |schema: &SchemaUse<'_>| SchemaUse {
        reference: text(&schema.reference),
        ignored_actions: schema.ignored_actions.iter().map(text).collect(),
    };
    Schemas {
        place: schemas.place,
        principal: schemas.principal.as_ref().map(schema),
        resource: schemas.resource.as_ref().map(schema),
    }
}

fn mentioned(body: &Body<'_>) -> Box<[Mention]> {
    let mut mentions = Vec::new();
    let mut add = |resource: &Text<'_>, action: &Text<'_>| {
        mentions.push(Mention { resource: shared(resource), action: shared(action), place: action.place });
    };
    match body {
        Body::Resource(body) => {
            let actions = body.rules.iter().flat_map(|rule| &rule.actions);
            actions.for_each(|action| add(&body.resource, action));
        }
        Body::Principal(body) => {
            for rule in &body.rules {
                rule.actions.iter().for_each(|action| add(&rule.resource, &action.action));
            }
        }
        Body::Role(body) => {
            for rule in &body.rules {
                rule.allow_actions.iter().for_each(|action| add(&rule.resource, action));
            }
        }
        _ => {}
    }
    mentions.into()
}
