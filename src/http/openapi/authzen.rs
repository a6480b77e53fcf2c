//! AuthZEN: what it takes and what it answers.

use serde_json::{Value, json};

use super::check::{CALL_REFUSALS, name, names, scope, version};
use super::operation::Operation;
use super::refusals::Shape;
use super::schema::{Schemas, nullable, object, of, open_object, text, told, with};
use crate::http::RequestLimits;

const TAG: &str = "authzen";

pub(super) fn operations() -> Vec<Operation> {
    let request_id = json!({
        "name": "X-Request-ID", "in": "header", "schema": {"type": "string"},
        "description": "Id of the request, unless `cerbos.requestId` of its context is one.",
    });
    let evaluation = Operation::post("/access/v1/evaluation", "evaluate", TAG)
        .shape(Shape::Authzen)
        .summary("May the subject do this to the resource?")
        .description("Unknown members are ignored.")
        .parameter(request_id)
        .parameter(super::check::txn_token())
        .body("EvaluationRequest", true, &example())
        .answers(200, "The decision.", "EvaluationResponse")
        .headers(&["PolicyRevision", "CallId"])
        .links(&json!({
            "decision": {
                "operationId": "getCall",
                "parameters": {"call": "$response.header.Procura-Call-Id"},
                "description": "The record of the call.",
            },
        }))
        .refuses(&CALL_REFUSALS);
    let configuration = Operation::get("/.well-known/authzen-configuration", "authzenConfiguration", TAG)
        .shape(Shape::Authzen)
        .summary("Metadata of the PDP")
        .answers(200, "The endpoints there are.", "AuthzenConfiguration")
        .headers(&[]);
    vec![evaluation, configuration]
}

fn example() -> Value {
    json!({
        "subject": {"type": "user", "id": "olga"},
        "action": {"name": "document:read"},
        "resource": {"type": "document", "id": "D-3", "properties": {"visibility": "public"}},
    })
}

pub(super) fn schemas(limits: &RequestLimits) -> Schemas {
    let described = json!({"cerbos.policyVersion": version(limits), "cerbos.scope": scope(limits)});
    let properties = |members: Value| nullable(open_object(&[], members));
    let entity = |properties: Value| {
        let members = json!({"type": name(limits), "id": name(limits), "properties": properties});
        open_object(&["type", "id"], members)
    };
    let roles =
        told("Roles of the principal; else its `type` is.", nullable(names(limits, limits.max_roles)));
    let subject = entity(properties(with(described.clone(), "cerbos.roles", roles)));
    let context = properties(json!({
        "cerbos.requestId": nullable(json!({"type": "string", "maxLength": limits.max_string_bytes})),
        "cerbos.includeMeta": {"type": ["boolean", "null"]},
        "cerbos.auxData": nullable(of("AuxData")),
    }));
    let request = json!({
        "subject": subject,
        "action": open_object(&["name"], json!({"name": name(limits)})),
        "resource": entity(properties(described)),
        "context": context,
    });
    let answered = told(
        "There if the context of the request has a member that begins with `cerbos.`.",
        object(&["cerbos.response"], json!({"cerbos.response": of("CheckResponse")})),
    );
    let configuration = json!({"policy_decision_point": {"type": "string", "format": "uri"}, "access_evaluation_endpoint": text()});
    vec![
        ("EvaluationRequest", open_object(&["subject", "action", "resource"], request)),
        (
            "EvaluationResponse",
            object(&["decision"], json!({"decision": {"type": "boolean"}, "context": answered})),
        ),
        (
            "AuthzenConfiguration",
            object(&["policy_decision_point", "access_evaluation_endpoint"], configuration),
        ),
    ]
}
