//! Policies as YAML text, requests as bodies of the check API.

use serde_json::{Map, Value as Json, json};

use crate::expr::{Expr, Tree, Value};
use crate::model::{
    AllowRule, Ask, DerivedRoles, Head, Item, Permission, Policy, PrincipalPolicy, ResourcePolicy,
    RolePolicy, Rule, Set, Store, When,
};

/// The policy files of `set` as (path, text), one policy in each.
#[must_use]
pub fn files(store: &Store, set: &Set) -> Vec<(String, String)> {
    let file = |(number, policy): (usize, &Policy)| {
        let (kind, body) = body(store, policy);
        let document = json!({"apiVersion": "api.cerbos.dev/v1", kind: body});
        (format!("{}/{number:02}_{kind}.yaml", set.prefix), yaml(&document))
    };
    set.policies.iter().enumerate().map(file).collect()
}

/// The body of `POST /api/check/resources`.
#[must_use]
pub fn check(ask: &Ask) -> Json {
    let resource = |item: &Item| {
        json!({
            "actions": item.actions,
            "resource": {
                "kind": item.kind,
                "id": item.id,
                "attr": attributes(&item.attr),
                "policyVersion": item.version,
                "scope": item.scope,
            },
        })
    };
    json!({
        "requestId": "sample",
        "includeMeta": true,
        "principal": {
            "id": ask.principal,
            "roles": ask.roles,
            "attr": attributes(&ask.attr),
            "policyVersion": ask.version,
            "scope": ask.scope,
        },
        "resources": ask.items.iter().map(resource).collect::<Vec<_>>(),
    })
}

/// Attributes as a JSON object.
#[must_use]
pub fn attributes(attributes: &[(String, Value)]) -> Map<String, Json> {
    attributes.iter().map(|(name, value)| (name.clone(), value_json(value))).collect()
}

/// A value as JSON.
#[must_use]
pub fn value_json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => json!(value),
        Value::Number(value) => json!(value),
        Value::Text(value) => json!(value),
        Value::List(values) => values.iter().map(value_json).collect(),
    }
}

fn body(store: &Store, policy: &Policy) -> (&'static str, Json) {
    match policy {
        Policy::Resource(policy) => ("resourcePolicy", resource(store, policy)),
        Policy::Principal(policy) => ("principalPolicy", principal(store, policy)),
        Policy::Role(policy) => ("rolePolicy", role(policy)),
        Policy::DerivedRoles(roles) => ("derivedRoles", derived_roles(roles)),
        Policy::Variables(name, variables) => {
            ("exportVariables", json!({"name": name, "definitions": expressions(variables)}))
        }
        Policy::Constants(name, constants) => {
            ("exportConstants", json!({"name": name, "definitions": attributes(constants)}))
        }
    }
}

fn resource(store: &Store, policy: &ResourcePolicy) -> Json {
    let rule = |rule: &Rule| {
        let mut fields = vec![
            ("actions", json!(rule.actions)),
            ("effect", effect(rule.deny)),
            ("roles", json!(rule.roles)),
            ("derivedRoles", json!(rule.derived)),
        ];
        fields.extend(when(&rule.when));
        object(fields)
    };
    let mut fields = vec![("resource", json!(policy.kind)), permission(store, &policy.head.scope)];
    fields.extend(head(&policy.head));
    fields.push(("importDerivedRoles", json!(policy.imports)));
    fields.push(("rules", policy.rules.iter().map(rule).collect()));
    object(fields)
}

fn principal(store: &Store, policy: &PrincipalPolicy) -> Json {
    let rules = policy.rules.iter().map(|(resource, rules)| {
        let actions = rules.iter().map(|rule| {
            let mut fields = vec![("action", json!(rule.action)), ("effect", effect(rule.deny))];
            fields.extend(when(&rule.when));
            object(fields)
        });
        json!({"resource": resource, "actions": actions.collect::<Vec<_>>()})
    });
    let mut fields = vec![("principal", json!(policy.principal)), permission(store, &policy.head.scope)];
    fields.extend(head(&policy.head));
    fields.push(("rules", rules.collect()));
    object(fields)
}

fn role(policy: &RolePolicy) -> Json {
    let rule = |rule: &AllowRule| {
        let mut fields = vec![("resource", json!(rule.resource)), ("allowActions", json!(rule.actions))];
        fields.extend(when(&rule.when));
        object(fields)
    };
    let mut fields = vec![("role", json!(policy.role))];
    fields.extend(head(&policy.head));
    fields.push(("parentRoles", json!(policy.parents)));
    fields.push(("rules", policy.rules.iter().map(rule).collect()));
    object(fields)
}

fn derived_roles(roles: &DerivedRoles) -> Json {
    let definition = |role: &crate::model::DerivedRole| {
        let mut fields = vec![("name", json!(role.name)), ("parentRoles", json!(role.parents))];
        fields.extend(role.condition.as_ref().map(condition));
        object(fields)
    };
    let mut fields = vec![("name", json!(roles.name))];
    fields.extend(head(&roles.head));
    fields.push(("definitions", roles.definitions.iter().map(definition).collect()));
    object(fields)
}

fn head(head: &Head) -> Vec<(&'static str, Json)> {
    let names = |import: &Option<String>, local: Json| {
        let import: Vec<_> = import.iter().collect();
        object(vec![("import", json!(import)), ("local", local)])
    };
    vec![
        ("version", json!(head.version)),
        ("scope", json!(head.scope)),
        ("variables", names(&head.import_variables, expressions(&head.variables).into())),
        ("constants", names(&head.import_constants, attributes(&head.constants).into())),
    ]
}

fn when(when: &When) -> Vec<(&'static str, Json)> {
    let text = |expr: &Option<Expr>| expr.as_ref().map_or(json!([]), |expr| json!(expr.to_string()));
    let output =
        object(vec![("ruleActivated", text(&when.activated)), ("conditionNotMet", text(&when.not_met))]);
    let mut fields = vec![("name", json!(when.name.as_deref().unwrap_or_default()))];
    fields.extend(when.condition.as_ref().map(condition));
    fields.push(("output", object(vec![("when", output)])));
    fields
}

fn permission(store: &Store, scope: &str) -> (&'static str, Json) {
    let name = match store.permissions.get(scope) {
        None => "",
        Some(Permission::Override) => "SCOPE_PERMISSIONS_OVERRIDE_PARENT",
        Some(Permission::Consent) => "SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS",
    };
    ("scopePermissions", json!(name))
}

fn condition(tree: &Tree) -> (&'static str, Json) {
    ("condition", json!({"match": block(tree)}))
}

fn block(tree: &Tree) -> Json {
    let (name, items) = match tree {
        Tree::Leaf(expr) => return json!({"expr": expr.to_string()}),
        Tree::All(items) => ("all", items),
        Tree::Any(items) => ("any", items),
        Tree::None(items) => ("none", items),
    };
    json!({name: {"of": items.iter().map(block).collect::<Vec<_>>()}})
}

fn expressions(variables: &[(String, Expr)]) -> Map<String, Json> {
    variables.iter().map(|(name, expr)| (name.clone(), json!(expr.to_string()))).collect()
}

fn effect(deny: bool) -> Json {
    json!(if deny { "EFFECT_DENY" } else { "EFFECT_ALLOW" })
}

/// The fields that say something.
fn object(fields: Vec<(&'static str, Json)>) -> Json {
    let says_nothing = |value: &Json| match value {
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    };
    let fields = fields.into_iter().filter(|(_, value)| !says_nothing(value));
    fields.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}

/// `value` in block style; every text in double quotes.
fn yaml(value: &Json) -> String {
    let mut text = String::new();
    lines(value, 0, &mut text);
    text
}

fn lines(value: &Json, indent: usize, text: &mut String) {
    let margin = " ".repeat(indent);
    match value {
        Json::Object(fields) => {
            for (name, value) in fields {
                text.push_str(&format!("{margin}{name}:"));
                entry(value, indent, text);
            }
        }
        Json::Array(items) => {
            for item in items {
                text.push_str(&format!("{margin}-"));
                entry(item, indent, text);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
            text.push_str(&format!("{margin}{value}\n"));
        }
    }
}

fn entry(value: &Json, indent: usize, text: &mut String) {
    let is_block = |value: &Json| value.is_object() || value.is_array();
    let is_short = value.as_array().is_some_and(|items| !items.iter().any(is_block));
    if is_block(value) && !is_short {
        text.push('\n');
        lines(value, indent + 2, text);
    } else {
        text.push_str(&format!(" {value}\n"));
    }
}
