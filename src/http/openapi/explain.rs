//! Explanations: what they are asked with and what they say.

use serde_json::{Value, json};

use super::check::{CALL_REFUSALS, example};
use super::operation::Operation;
use super::schema::{Schemas, effect, list_of, object, of, one_of, text, told};

pub(super) fn operations() -> Vec<Operation> {
    let explain = Operation::post("/api/explain", "explain", "explain")
        .summary("Why a check request is answered as it is")
        .description("Nothing is decided by it, so nothing is recorded.")
        .body("CheckRequest", true, &example())
        .answers(
            200,
            "For each resource and action who decided, and what would turn it around.",
            "ExplainResponse",
        )
        .headers(&["PolicyRevision"])
        .refuses(&[404, CALL_REFUSALS[0], CALL_REFUSALS[1]]);
    vec![explain]
}

const TRUTHS: [&str; 5] = ["true", "false", "undecided", "notEvaluated", "costExceeded"];

const OUTCOMES: [&str; 10] = [
    "actionDiffers",
    "resourceDiffers",
    "roleNotHeld",
    "notAsked",
    "conditionNotMet",
    "undecided",
    "allows",
    "denies",
    "deniesUndecided",
    "consents",
];

pub(super) fn schemas() -> Schemas {
    let response = json!({
        "requestId": text(),
        "signals": list_of(of("ExplainedSignal")),
        "results": list_of(of("ExplainedResource")),
        "truncated": told("Whether something was left out.", json!({"type": "boolean"})),
    });
    vec![
        ("ExplainResponse", object(&["results", "truncated"], response)),
        ("ExplainedSignal", signal()),
        ("ExplainedResource", resource()),
        ("ExplainedDerivedRole", derived_role()),
        ("ExplainedAction", action()),
        ("ExplainedRule", rule()),
        ("ExplainedCondition", condition()),
        ("Reading", reading()),
        ("Change", change()),
    ]
}

fn texts() -> Value {
    list_of(text())
}

fn signal() -> Value {
    let members = json!({
        "type": text(),
        "about": told("Ids by kind.", json!({"type": "object", "additionalProperties": {"type": "string"}})),
        "source": text(),
        "id": text(),
        "since": text(),
        "age": told("Seconds since then.", json!({"type": "integer"})),
        "received": text(),
        "data": told("Its content, unless it is long.", json!({})),
    });
    object(&["type", "about", "source", "id", "since", "age", "received"], members)
}

fn resource() -> Value {
    let required = ["kind", "id", "policyVersion", "principalScopes", "resourceScopes", "roles", "actions"];
    let role = object(&["name"], json!({"name": text(), "above": texts()}));
    let mismatch = json!({"part": one_of(&["principal", "resource"]), "path": text(), "message": text()});
    let members = json!({
        "kind": text(),
        "id": text(),
        "policyVersion": text(),
        "principalScopes": texts(),
        "resourceScopes": texts(),
        "roles": list_of(role),
        "derivedRoles": list_of(of("ExplainedDerivedRole")),
        "validationErrors": list_of(object(&["part", "path", "message"], mismatch)),
        "actions": list_of(of("ExplainedAction")),
    });
    object(&required, members)
}

fn derived_role() -> Value {
    let members = json!({
        "name": text(),
        "policy": text(),
        "position": text(),
        "holds": one_of(&TRUTHS),
        "parentRoles": texts(),
        "parentRoleHeld": {"type": "boolean"},
        "condition": of("ExplainedCondition"),
    });
    object(&["name", "policy", "position", "holds", "parentRoles", "parentRoleHeld"], members)
}

fn action() -> Value {
    let decider = json!({"policy": text(), "scope": text(), "rule": text(), "position": text()});
    let problem =
        json!({"code": text(), "source": text(), "expr": text(), "position": text(), "message": text()});
    let members = json!({
        "action": text(),
        "effect": effect(),
        "reason": told("As in records.", text()),
        "signal": told("The one that it rests on, by its place among `signals`.", json!({"type": "integer"})),
        "demand": object(
            &["signal", "maxAge", "capability"],
            json!({"signal": text(), "maxAge": {"type": "integer"}, "capability": text()}),
        ),
        "decidedBy": object(&["policy", "scope", "position"], decider),
        "rules": list_of(of("ExplainedRule")),
        "opposite": list_of(of("Change")),
        "problems": list_of(object(&["code", "source", "expr", "position", "message"], problem)),
    });
    object(&["action", "effect", "reason", "rules"], members)
}

fn rule() -> Value {
    let spoken = object(&["role", "through"], json!({"role": text(), "through": texts()}));
    let outcomes: Vec<&str> = OUTCOMES.into_iter().chain(["notListed"]).collect();
    let members = json!({
        "policy": text(),
        "scope": text(),
        "rule": text(),
        "position": text(),
        "effect": effect(),
        "outcome": one_of(&outcomes),
        "roles": texts(),
        "derivedRoles": texts(),
        "speaksTo": list_of(spoken),
        "condition": of("ExplainedCondition"),
    });
    object(&["policy", "scope", "position", "effect", "outcome"], members)
}

/// A block of conditions, or one expression.
fn condition() -> Value {
    let inner = || list_of(of("ExplainedCondition"));
    let members = json!({
        "truth": one_of(&TRUTHS),
        "all": inner(),
        "any": inner(),
        "none": inner(),
        "expr": text(),
        "position": text(),
        "error": text(),
        "readings": list_of(of("Reading")),
    });
    let kinds = json!([
        {"required": ["all"]},
        {"required": ["any"]},
        {"required": ["none"]},
        {"required": ["expr", "position"]},
    ]);
    super::schema::with(object(&["truth"], members), "oneOf", kinds)
}

fn reading() -> Value {
    let members = json!({
        "expression": text(),
        "value": told("As CEL writes it.", text()),
        "error": text(),
        "definition": text(),
        "readings": list_of(of("Reading")),
    });
    let either = json!([{"required": ["value"]}, {"required": ["error"]}]);
    super::schema::with(object(&["expression"], members), "oneOf", either)
}

fn change() -> Value {
    let members = json!({
        "rule": text(),
        "derivedRole": text(),
        "expr": text(),
        "position": text(),
        "needed": {"type": "boolean"},
        "attribute": text(),
        "actual": text(),
        "wanted": text(),
    });
    told("One condition that alone would give the opposite answer.", object(&["position", "needed"], members))
}
