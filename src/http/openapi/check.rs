//! The check API: what it takes and what it answers.

use serde_json::{Value, json};

use super::operation::Operation;
use super::refusals::Shape;
use super::schema::{Schemas, effect, list_of, map_of, nullable, object, of, one_of, set, text, told, with};
use crate::http::RequestLimits;
use crate::http::aux_data::MAX_PROOF_BYTES;

const TAG: &str = "check";

/// With what a call may be refused, besides what everything may be.
pub(super) const CALL_REFUSALS: [u16; 2] = [408, 413];

pub(super) fn operations() -> Vec<Operation> {
    let plans = [
        plan_resources(Operation::get("/api/plan/resources", "planResourcesByGet", TAG)),
        plan_resources(Operation::post("/api/plan/resources", "planResources", TAG)),
    ];
    let operations = [check_resources(), check_resource_set(), check_resource_batch(), server_info()];
    operations.into_iter().chain(plans).collect()
}

fn check_resources() -> Operation {
    Operation::post("/api/check/resources", "checkResources", TAG)
        .shape(Shape::Cerbos)
        .summary("May the principal do this to these resources?")
        .description(
            "As a PDP of Cerbos answers it, with `context` in addition. Members may be written in snake_case too; `null` is \
             the same as absent.",
        )
        .parameter(txn_token())
        .body("CheckRequest", true, &example())
        .answers(200, "The decisions, in the order of the request.", "CheckResponse")
        .headers(&["PolicyRevision", "CallId"])
        .links(&json!({
            "decision": {
                "operationId": "getCall",
                "parameters": {"call": "$response.body#/cerbosCallId"},
                "description": "The record of the call.",
            },
        }))
        .refuses(&CALL_REFUSALS)
}

fn check_resource_set() -> Operation {
    let mut example = example();
    let attr = json!({"attr": {"employee": "ada", "managerId": "grace"}});
    if let Value::Object(members) = &mut example {
        members.remove("resources");
        members.insert("actions".to_owned(), json!(["view", "approve"]));
        members.insert("resource".to_owned(), json!({"kind": "leave_request", "instances": {"LR-2": attr}}));
    }
    Operation::post("/api/check", "checkResourceSet", TAG)
        .shape(Shape::Cerbos)
        .summary("The same for several instances of one kind; Cerbos deprecates it")
        .body("CheckSetRequest", true, &example)
        .answers(200, "The decisions, by the ids of the instances.", "CheckSetResponse")
        .headers(&["PolicyRevision", "CallId"])
        .refuses(&CALL_REFUSALS)
}

fn check_resource_batch() -> Operation {
    Operation::post("/api/check_resource_batch", "checkResourceBatch", TAG)
        .shape(Shape::Cerbos)
        .summary("The same without metadata and outputs; Cerbos deprecates it")
        .body("CheckBatchRequest", true, &example())
        .answers(200, "The decisions, in the order of the request.", "CheckBatchResponse")
        .headers(&["PolicyRevision", "CallId"])
        .refuses(&CALL_REFUSALS)
}

fn plan_resources(operation: Operation) -> Operation {
    operation.shape(Shape::Cerbos).summary("Query plans, which this version does not make").refuses(&[404])
}

fn server_info() -> Operation {
    Operation::get("/api/server_info", "serverInfo", TAG)
        .shape(Shape::Cerbos)
        .summary("Name and version of the server")
        .answers(200, "Name and version.", "ServerInfo")
        .headers(&[])
}

/// A request about the shipped policies.
pub(super) fn example() -> Value {
    let attr = json!({
        "employee": "ada", "managerId": "grace", "status": "PENDING_APPROVAL", "reason": "sabbatical", "days": 15,
    });
    let resource = json!({"kind": "leave_request", "id": "LR-2", "attr": attr});
    json!({
        "requestId": "r-1",
        "principal": {"id": "grace", "roles": ["employee", "manager"]},
        "resources": [{"actions": ["view", "approve"], "resource": resource}],
    })
}

pub(super) fn schemas(limits: &RequestLimits) -> Schemas {
    let mut schemas = parts(limits);
    schemas.extend(requests(limits));
    schemas.extend(responses());
    schemas
}

/// A text that must not be empty.
pub(super) fn name(limits: &RequestLimits) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": limits.max_string_bytes})
}

/// Names, each once.
pub(super) fn names(limits: &RequestLimits, most: usize) -> Value {
    json!({"type": "array", "items": name(limits), "minItems": 1, "maxItems": most, "uniqueItems": true})
}

/// What is known of a principal or a resource.
pub(super) fn attributes() -> Value {
    told("Any JSON, nested at most 32 deep.", nullable(map_of(json!({}))))
}

/// A policy version.
pub(super) fn version(limits: &RequestLimits) -> Value {
    nullable(json!({"type": "string", "pattern": "^[A-Za-z0-9_]*$", "maxLength": limits.max_string_bytes}))
}

/// A scope: segments with dots between them, or a lone dot for the root.
pub(super) fn scope(limits: &RequestLimits) -> Value {
    let pattern = r"^(\.?|[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_][A-Za-z0-9_-]*)*)$";
    nullable(json!({"type": "string", "pattern": pattern, "maxLength": limits.max_string_bytes}))
}

fn parts(limits: &RequestLimits) -> Schemas {
    let optional = || nullable(json!({"type": "string", "maxLength": limits.max_string_bytes}));
    let entity = |required: &[&str], extra: (&str, Value)| {
        let members = json!({
            "id": name(limits), "attr": attributes(), "policyVersion": version(limits), "scope": scope(limits),
        });
        aliased(object(required, with(members, extra.0, extra.1)), &[("policyVersion", "policy_version")])
    };
    let members =
        json!({"token": {"type": "string", "format": "jwt", "minLength": 1}, "keySetId": optional()});
    let proven = with(members.clone(), "proof", nullable(of("HolderProof")));
    let token = |members| aliased(object(&["token"], members), &[("keySetId", "key_set_id")]);
    let principal = entity(&["id", "roles"], ("roles", names(limits, limits.max_roles)));
    let resource = entity(&["id", "kind"], ("kind", name(limits)));
    let actions = names(limits, limits.max_actions_per_resource);
    vec![
        ("Principal", told("Who wants to do something.", principal)),
        ("Resource", told("What it is to be done to.", resource)),
        (
            "ResourceEntry",
            object(&["actions", "resource"], json!({"actions": actions, "resource": of("Resource")})),
        ),
        ("Token", told("A JSON Web Token in compact form.", token(members))),
        ("ProvenToken", told("The same, perhaps with what shows that its key is held.", token(proven))),
        ("HolderProof", told("A DPoP proof, or the client certificate that was seen.", proof())),
        ("AuxData", told("Tokens about the principal: one, or some by name.", aux_data(limits))),
    ]
}

fn proof() -> Value {
    let text = || json!({"type": "string", "maxLength": MAX_PROOF_BYTES});
    let dpop = object(&["dpop", "method", "url"], json!({"dpop": text(), "method": text(), "url": text()}));
    let certificate = object(&["certificate"], json!({"certificate": text()}));
    json!({"anyOf": [dpop, certificate]})
}

/// The header with a transaction token.
pub(super) fn txn_token() -> Value {
    json!({
        "name": "Txn-Token", "in": "header", "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.-]+$"},
        "description": "A transaction token; not looked at without a key set of that profile.",
    })
}

fn aux_data(limits: &RequestLimits) -> Value {
    let mut jwts = map_of(of("Token"));
    set(&mut jwts, "maxProperties", json!(8));
    set(&mut jwts, "propertyNames", name(limits));
    let both = object(&[], json!({"jwt": nullable(of("ProvenToken")), "jwts": nullable(jwts)}));
    let without =
        |member: &str| json!({"properties": {member: {"maxProperties": 0, "type": ["object", "null"]}}});
    let no_jwt = json!({"properties": {"jwt": {"type": "null"}}});
    with(both, "anyOf", json!([no_jwt, without("jwts")]))
}

/// The members of every check request.
fn head(limits: &RequestLimits) -> Value {
    json!({
        "requestId": nullable(json!({"type": "string", "maxLength": limits.max_string_bytes})),
        "principal": of("Principal"),
        "auxData": nullable(of("AuxData")),
    })
}

fn requests(limits: &RequestLimits) -> Schemas {
    let resources = json!({
        "type": "array", "items": of("ResourceEntry"), "minItems": 1, "maxItems": limits.max_resources_per_request,
    });
    let flag = || json!({"type": ["boolean", "null"]});
    let notes = nullable(object(&[], json!({"annotations": attributes()})));
    let common = [("requestId", "request_id"), ("auxData", "aux_data")];
    let meta = ("includeMeta", "include_meta");

    let mut check = with(with(head(limits), "resources", resources.clone()), "context", attributes());
    set(&mut check, "includeMeta", told("Whether the answer names the policies that decided.", flag()));
    set(&mut check, "requestContext", told("Notes that decide nothing.", notes));
    let check = object(&["principal", "resources"], check);
    let check = aliased(check, &[common[0], common[1], meta, ("requestContext", "request_context")]);

    let batch = object(&["principal", "resources"], with(head(limits), "resources", resources));

    let actions = names(limits, limits.max_actions_per_resource);
    let mut set_of = with(with(head(limits), "actions", actions), "resource", of("ResourceSet"));
    set(&mut set_of, "includeMeta", flag());
    let set_of = object(&["principal", "actions", "resource"], set_of);

    vec![
        ("CheckRequest", check),
        ("CheckBatchRequest", aliased(batch, &common)),
        ("CheckSetRequest", aliased(set_of, &[common[0], common[1], meta])),
        ("ResourceSet", resource_set(limits)),
    ]
}

fn resource_set(limits: &RequestLimits) -> Value {
    let mut instances = map_of(object(&[], json!({"attr": attributes()})));
    set(&mut instances, "minProperties", json!(1));
    set(&mut instances, "maxProperties", json!(limits.max_resources_per_request));
    set(&mut instances, "propertyNames", name(limits));
    let members = json!({
        "kind": name(limits), "policyVersion": version(limits), "scope": scope(limits),
        "instances": told("By their ids.", instances),
    });
    aliased(object(&["kind", "instances"], members), &[("policyVersion", "policy_version")])
}

/// `object` whose members may also be written in snake_case, each in one of the two ways.
fn aliased(mut object: Value, aliases: &[(&str, &str)]) -> Value {
    if let Some(Value::Object(members)) = object.get_mut("properties") {
        for (name, alias) in aliases {
            if let Some(schema) = members.get(*name).cloned() {
                members.insert((*alias).to_owned(), with(schema, "deprecated", json!(true)));
            }
        }
    }
    let once = aliases.iter().map(|(name, alias)| json!({"not": {"required": [name, alias]}}));
    with(object, "allOf", once.collect())
}

fn responses() -> Schemas {
    let effects = || map_of(effect());
    let mismatches = || list_of(of("ValidationError"));
    let result = object(
        &["resource", "actions"],
        json!({
            "resource": object(
                &["id", "kind"],
                json!({"id": text(), "kind": text(), "policyVersion": text(), "scope": text()}),
            ),
            "actions": effects(),
            "validationErrors": mismatches(),
            "meta": of("Meta"),
            "outputs": list_of(of("Output")),
        }),
    );
    let batch = object(
        &["resourceId", "actions"],
        json!({"resourceId": text(), "actions": effects(), "validationErrors": mismatches()}),
    );
    let instance = object(&["actions"], json!({"actions": effects(), "validationErrors": mismatches()}));
    let meta = object(&["resourceInstances"], json!({"resourceInstances": map_of(of("Meta"))}));
    vec![
        (
            "CheckResponse",
            object(
                &["results", "cerbosCallId"],
                json!({"requestId": text(), "results": list_of(result), "cerbosCallId": text()}),
            ),
        ),
        ("CheckBatchResponse", object(&["results"], json!({"requestId": text(), "results": list_of(batch)}))),
        (
            "CheckSetResponse",
            object(
                &["resourceInstances"],
                json!({"requestId": text(), "resourceInstances": map_of(instance), "meta": meta}),
            ),
        ),
        ("Meta", meta_of_resource()),
        (
            "Output",
            told(
                "What a rule put out: `val`, or `error`.",
                object(
                    &["src", "action"],
                    json!({"src": text(), "action": text(), "val": {}, "error": text()}),
                ),
            ),
        ),
        (
            "ValidationError",
            told(
                "An attribute that does not fit its schema.",
                object(
                    &["message", "source"],
                    json!({"path": text(), "message": text(), "source": one_of(&["SOURCE_PRINCIPAL", "SOURCE_RESOURCE"])}),
                ),
            ),
        ),
        ("ServerInfo", object(&["version", "name"], json!({"version": text(), "name": text()}))),
    ]
}

fn meta_of_resource() -> Value {
    let matched = object(&["matchedPolicy"], json!({"matchedPolicy": text(), "matchedScope": text()}));
    object(&["actions"], json!({"actions": map_of(matched), "effectiveDerivedRoles": list_of(text())}))
}
