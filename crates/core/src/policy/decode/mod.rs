//! From the YAML tree to the AST: which fields there are and of what type.
//!
//! A document with a problem yields no AST, but all its problems are found.

mod capabilities;
mod fields;
mod rules;

pub(super) use self::capabilities::{capabilities, is_extension};
pub(crate) use self::fields::json;
pub(super) use self::fields::scalar_text;
use self::fields::{Fields, constant, definitions, text};
use super::ast::{
    At, Body, Definitions, DerivedRole, DerivedRoles, Document, Export, NameSources, PrincipalPolicy,
    ResourcePolicy, RolePolicy, SchemaUse, Schemas, Scope, Text,
};
use super::diagnostic::Code;
use super::findings::{Finding, Findings};
use super::rules::ScopePermissions;
use super::yaml::{Content, Entry, Node, Place};

/// The one version of the language.
const API_VERSION: &str = "api.cerbos.dev/v1";

/// Whether `node` says that it is disabled.
pub(super) fn is_disabled(node: &Node<'_>) -> bool {
    let Content::Map(entries) = &node.content else { return false };
    entries.iter().any(|entry| entry.key == "disabled" && matches!(entry.value.content, Content::Bool(true)))
}

/// What `node` holds, if it can be read.
pub(super) fn document<'t>(node: Node<'t>, findings: &mut Findings<'_>) -> Option<Document<'t>> {
    let mut fields = Fields::of(node, "policy", findings)?;
    api_version(&mut fields, findings);
    let disabled = fields.flag("disabled", findings);
    fields.text("description", findings);
    fields.text("$schema", findings);
    metadata(&mut fields, findings);
    let variables = fields.take_entry("variables");
    let body = body(&mut fields, variables, findings);
    fields.finish(findings);
    let (place, body) = body?;
    Some(Document { place, disabled, body })
}

fn api_version(fields: &mut Fields<'_>, findings: &mut Findings<'_>) {
    let Some(version) = fields.required("apiVersion", findings) else {
        return;
    };
    if version.value != API_VERSION {
        let message = format!("unknown `apiVersion` `{}`", version.value);
        findings.add(
            Finding::new(Code::InvalidValue, version.place, message).hint(format!("write `{API_VERSION}`")),
        );
    }
}

fn metadata(fields: &mut Fields<'_>, findings: &mut Findings<'_>) {
    let Some(node) = fields.take("metadata") else {
        return;
    };
    let Some(mut metadata) = Fields::of(node, "metadata", findings) else {
        return;
    };
    if let Some(node) = metadata.take("annotations") {
        definitions(node, "annotations", findings, |node, findings| text(node, "annotations", findings));
    }
    metadata.text("sourceFile", findings);
    metadata.text("storeIdentifier", findings);
    // A 64-bit number, which JSON writers put in quotes or not.
    metadata.take("hash");
    metadata.finish(findings);
}

/// The one body of a document.
fn body<'t>(
    fields: &mut Fields<'t>,
    variables: Option<Entry<'t>>,
    findings: &mut Findings<'_>,
) -> Option<(Place, Body<'t>)> {
    const BODIES: [&str; 6] = [
        "resourcePolicy",
        "principalPolicy",
        "rolePolicy",
        "derivedRoles",
        "exportVariables",
        "exportConstants",
    ];
    let mut found: Vec<_> =
        BODIES.iter().filter_map(|name| Some((*name, fields.take_entry(name)?))).collect();
    let Some((kind, entry)) = found.pop() else {
        let place = Place { end: fields.place.start, ..fields.place };
        let message = "the document holds no policy";
        let hint = format!("add one of `{}`", BODIES.join("`, `"));
        findings.add(Finding::new(Code::NotOnePolicy, place, message).hint(hint));
        return None;
    };
    if let Some((other, _)) = found.first() {
        let message = format!("the document holds more than one policy: `{other}` and `{kind}`");
        findings.add(Finding::new(Code::NotOnePolicy, entry.place, message));
        return None;
    }
    let place = entry.place;
    let body = Fields::of(entry.value, kind, findings)?;
    let body = match kind {
        "resourcePolicy" => Body::Resource(resource_policy(body, variables, findings)?),
        "principalPolicy" => Body::Principal(principal_policy(body, variables, findings)?),
        "rolePolicy" => Body::Role(role_policy(body, variables, findings)?),
        "derivedRoles" => Body::DerivedRoles(derived_roles(body, variables, findings)?),
        "exportVariables" => {
            refuse_variables(variables.as_ref(), findings);
            Body::ExportVariables(export(body, findings, |node, findings| text(node, "variable", findings))?)
        }
        _ => {
            refuse_variables(variables.as_ref(), findings);
            Body::ExportConstants(export(body, findings, constant)?)
        }
    };
    Some((place, body))
}

fn refuse_variables(variables: Option<&Entry<'_>>, findings: &mut Findings<'_>) {
    let Some(entry) = variables else { return };
    let message = "`variables` cannot stand beside exported definitions";
    findings.add(Finding::new(Code::MisplacedVariables, entry.place, message));
}

fn resource_policy<'t>(
    mut fields: Fields<'t>,
    variables: Option<Entry<'t>>,
    findings: &mut Findings<'_>,
) -> Option<ResourcePolicy<'t>> {
    let resource = fields.required("resource", findings);
    let version = fields.required("version", findings);
    let scope = scope(&mut fields, findings);
    let schemas = schemas(&mut fields, findings);
    let import_derived_roles = fields.texts("importDerivedRoles", findings);
    let names = name_sources(&mut fields, variables, findings);
    let nodes = fields.list("rules", findings);
    let rules = nodes.into_iter().filter_map(|node| rules::resource_rule(node, findings)).collect();
    fields.finish(findings);
    let (resource, version) = (resource?, version?);
    Some(ResourcePolicy { resource, version, scope, schemas, import_derived_roles, names, rules })
}

fn principal_policy<'t>(
    mut fields: Fields<'t>,
    variables: Option<Entry<'t>>,
    findings: &mut Findings<'_>,
) -> Option<PrincipalPolicy<'t>> {
    let principal = fields.required("principal", findings);
    let version = fields.required("version", findings);
    let scope = scope(&mut fields, findings);
    let names = name_sources(&mut fields, variables, findings);
    let nodes = fields.list("rules", findings);
    let rules = nodes.into_iter().filter_map(|node| rules::principal_rule(node, findings)).collect();
    fields.finish(findings);
    Some(PrincipalPolicy { principal: principal?, version: version?, scope, names, rules })
}

fn role_policy<'t>(
    mut fields: Fields<'t>,
    variables: Option<Entry<'t>>,
    findings: &mut Findings<'_>,
) -> Option<RolePolicy<'t>> {
    let role = fields.required("role", findings);
    let version = fields.text("version", findings);
    let scope = scope(&mut fields, findings);
    let parent_roles = fields.texts("parentRoles", findings);
    let names = name_sources(&mut fields, variables, findings);
    let nodes = fields.list("rules", findings);
    let rules = nodes.into_iter().filter_map(|node| rules::role_rule(node, findings)).collect();
    fields.finish(findings);
    Some(RolePolicy { role: role?, version, scope, parent_roles, names, rules })
}

fn derived_roles<'t>(
    mut fields: Fields<'t>,
    variables: Option<Entry<'t>>,
    findings: &mut Findings<'_>,
) -> Option<DerivedRoles<'t>> {
    let name = fields.required("name", findings);
    let names = name_sources(&mut fields, variables, findings);
    let nodes = fields.list("definitions", findings);
    if nodes.is_empty() {
        fields.missing("definitions", findings);
    }
    let definitions = nodes.into_iter().filter_map(|node| derived_role(node, findings)).collect();
    fields.finish(findings);
    Some(DerivedRoles { name: name?, names, definitions })
}

fn derived_role<'t>(node: Node<'t>, findings: &mut Findings<'_>) -> Option<DerivedRole<'t>> {
    let mut fields = Fields::of(node, "definitions", findings)?;
    let name = fields.required("name", findings);
    let parent_roles = fields.some_texts("parentRoles", findings);
    let condition = rules::condition(&mut fields, findings);
    fields.finish(findings);
    Some(DerivedRole { name: name?, parent_roles, condition })
}

fn export<'t, T>(
    mut fields: Fields<'t>,
    findings: &mut Findings<'_>,
    read: impl Fn(Node<'t>, &mut Findings<'_>) -> Option<T>,
) -> Option<Export<'t, T>> {
    let name = fields.required("name", findings);
    let node = fields.take("definitions");
    let definitions = node.map(|node| definitions(node, "definitions", findings, read)).unwrap_or_default();
    fields.finish(findings);
    Some(Export { name: name?, definitions })
}

fn scope<'t>(fields: &mut Fields<'t>, findings: &mut Findings<'_>) -> Scope<'t> {
    let scope = fields.text("scope", findings);
    let text = fields.text("scopePermissions", findings);
    let permissions = text.and_then(|text| {
        let value = scope_permissions(&text, findings)?;
        Some(At { value, place: text.place })
    });
    Scope { scope, permissions }
}

fn scope_permissions(text: &Text<'_>, findings: &mut Findings<'_>) -> Option<ScopePermissions> {
    const NAMES: [(&str, ScopePermissions); 3] = [
        ("SCOPE_PERMISSIONS_UNSPECIFIED", ScopePermissions::OverrideParent),
        ("SCOPE_PERMISSIONS_OVERRIDE_PARENT", ScopePermissions::OverrideParent),
        ("SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS", ScopePermissions::RequireParentalConsent),
    ];
    let known = NAMES.iter().find(|(name, _)| text.value == *name);
    if known.is_none() {
        let message = format!("unknown `scopePermissions` `{}`", text.value);
        let hint = super::hint::fields(&text.value, &NAMES.map(|(name, _)| name));
        findings.add(Finding::new(Code::InvalidValue, text.place, message).hint(hint));
    }
    known.map(|(_, permissions)| *permissions)
}

fn schemas<'t>(fields: &mut Fields<'t>, findings: &mut Findings<'_>) -> Option<Schemas<'t>> {
    let entry = fields.take_entry("schemas")?;
    let place = entry.place;
    let mut schemas = Fields::of(entry.value, "schemas", findings)?;
    let principal = schema_use(&mut schemas, "principalSchema", findings);
    let resource = schema_use(&mut schemas, "resourceSchema", findings);
    schemas.finish(findings);
    Some(Schemas { place, principal, resource })
}

fn schema_use<'t>(
    fields: &mut Fields<'t>,
    name: &'static str,
    findings: &mut Findings<'_>,
) -> Option<SchemaUse<'t>> {
    let mut schema = Fields::of(fields.take(name)?, name, findings)?;
    let reference = schema.required("ref", findings);
    let mut ignored_actions = Vec::new();
    if let Some(node) = schema.take("ignoreWhen")
        && let Some(mut ignore) = Fields::of(node, "ignoreWhen", findings)
    {
        ignored_actions = ignore.some_texts("actions", findings);
        ignore.finish(findings);
    }
    schema.finish(findings);
    Some(SchemaUse { reference: reference?, ignored_actions })
}

/// The `variables` and `constants` blocks, and the deprecated `variables` map beside the body.
fn name_sources<'t>(
    fields: &mut Fields<'t>,
    top_level: Option<Entry<'t>>,
    findings: &mut Findings<'_>,
) -> NameSources<'t> {
    let variable = |node: Node<'t>, findings: &mut Findings<'_>| text(node, "variable", findings);
    let mut variables = block(fields, "variables", findings, variable);
    let constants = block(fields, "constants", findings, constant);
    if let Some(entry) = top_level {
        let finding =
            Finding::new(Code::Deprecated, entry.place, "`variables` beside the body is deprecated");
        findings.add(finding.hint("move the entries to `variables.local` within the body"));
        variables.local.extend(definitions(entry.value, "variables", findings, variable));
    }
    NameSources { variables, constants }
}

fn block<'t, T>(
    fields: &mut Fields<'t>,
    name: &'static str,
    findings: &mut Findings<'_>,
    read: impl Fn(Node<'t>, &mut Findings<'_>) -> Option<T>,
) -> Definitions<'t, T> {
    let Some(node) = fields.take(name) else {
        return Definitions::default();
    };
    let Some(mut block) = Fields::of(node, name, findings) else {
        return Definitions::default();
    };
    let import = block.texts("import", findings);
    let local =
        block.take("local").map(|node| definitions(node, "local", findings, read)).unwrap_or_default();
    block.finish(findings);
    Definitions { import, local }
}
