//! The decision log: what can be asked of it and what it answers.

use procura_core::query::Field;
use serde_json::{Value, json};

use super::operation::Operation;
use super::schema::{
    Schemas, count, effect, hash, instant, list_of, map_of, object, of, one_of, open_object, text, told,
};

const TAG: &str = "decisions";

/// With what reading the log may be refused, besides what everything may be.
const LOG_REFUSALS: [u16; 2] = [404, 410];

/// An id that no call has; a real one stands in the header `Procura-Call-Id` of every decision.
const SOME_CALL: &str = "01a20123-ab0b-7f8d-a49e-eb04e5eb4399";

/// Kinds of records.
const KINDS: [&str; 8] = [
    "decision",
    "policy_change",
    "shadow_difference",
    "configuration",
    "log_repair",
    "retention",
    "pseudonym_key",
    "quarantine",
];

pub(super) fn operations() -> Vec<Operation> {
    vec![find(), stats(), tail(), call(), decision(), proof()]
}

fn find() -> Operation {
    filtered(Operation::get("/api/decisions", "findDecisions", TAG))
        .summary("A page of the records that match, newest first")
        .query("callId", "The call of this id.", &name(), None)
        .query("since", "From this instant on.", &instant(), Some(json!("2026-01-31T12:00:00Z")))
        .query("until", "Before this instant.", &instant(), None)
        .query("limit", "Most records.", &limit(500), Some(json!(10)))
        .query("cursor", "The `nextCursor` of the page before.", &cursor(), None)
        .answers(200, "The records.", "DecisionPage")
        .headers(&[])
        .links(&json!({
            "next": {
                "operationId": "findDecisions",
                "parameters": {"cursor": "$response.body#/nextCursor"},
                "description": "The page after this one, if there is `nextCursor`.",
            },
        }))
        .refuses(&LOG_REFUSALS)
}

fn stats() -> Operation {
    let fields = Field::ALL.map(Field::name);
    let by = json!({
        "type": "array", "items": one_of(&fields), "minItems": 1, "maxItems": 4, "uniqueItems": true,
    });
    let by = json!({
        "name": "by", "in": "query", "style": "form", "explode": false, "schema": by,
        "description": "The fields by whose values decisions are counted.", "example": ["principal", "effect"],
    });
    filtered(Operation::get("/api/decisions/stats", "countDecisions", TAG))
        .summary("How many decisions match, by the values of fields")
        .parameter(by)
        .query("since", "From this instant on.", &instant(), None)
        .query("until", "Before this instant.", &instant(), None)
        .query("limit", "Most groups.", &limit(10_000), Some(json!(10)))
        .query("cursor", "The `nextCursor` of the count before.", &cursor(), None)
        .answers(200, "The counts, the largest group first.", "DecisionStats")
        .headers(&[])
        .refuses(&LOG_REFUSALS)
}

fn tail() -> Operation {
    let seen = json!({
        "name": "Last-Event-ID", "in": "header", "schema": count(),
        "description": "The `id` of an earlier event; what comes after it is sent.",
    });
    let content = json!({"text/event-stream": {"schema": told(
        "Events with the number of a record as `id` and a `FoundRecord` as `data`.", text(),
    )}});
    filtered(Operation::get("/api/decisions/tail", "followDecisions", TAG))
        .summary("What comes into the decision log, as server-sent events")
        .parameter(seen)
        .answer(200, json!({"description": "A stream without an end.", "content": content}))
        .headers(&[])
        .refuses(&LOG_REFUSALS)
}

fn call() -> Operation {
    let id = "Id of a call; with `/<n>`, the slash encoded, decision `n` of it.";
    Operation::get("/api/decisions/{call}", "getCall", TAG)
        .summary("One call, by its id")
        .path("call", id, &name(), SOME_CALL)
        .answers(200, "Its record.", "FoundRecord")
        .headers(&[])
        .refuses(&LOG_REFUSALS)
}

fn decision() -> Operation {
    Operation::get("/api/decisions/{call}/{number}", "getDecision", TAG)
        .summary("One decision, by the id of its call and its number in it")
        .path("call", "Id of the call.", &name(), SOME_CALL)
        .path("number", "Number of the decision, from 1.", &name(), "1")
        .answers(200, "Its record, and the decision beside it.", "FoundRecord")
        .headers(&[])
        .refuses(&LOG_REFUSALS)
}

fn proof() -> Operation {
    Operation::get("/api/decisions/{call}/proof", "proveCall", TAG)
        .summary("The record of a call with the proof that it stands in the log")
        .path("call", "Id of the call.", &name(), SOME_CALL)
        .answers(200, "The proof, see `docs/reference/proof.md`.", "Proof")
        .headers(&[])
        .refuses(&LOG_REFUSALS)
}

/// `operation` with the parameters of a filter.
fn filtered(operation: Operation) -> Operation {
    let filter = json!({"type": "string", "format": "decision-filter", "minLength": 1, "maxLength": 8192});
    let about =
        "A filter in the language of `docs/reference/audit-queries.md`; it must hold like every field given.";
    let operation = operation.query("filter", about, &filter, Some(json!("effect == \"allow\"")));
    Field::ALL.into_iter().fold(operation, |operation, field| {
        let schema = if field == Field::Effect { effect() } else { name() };
        operation.query(field.name(), "A value of the field of this name.", &schema, None)
    })
}

fn name() -> Value {
    json!({"type": "string", "minLength": 1})
}

fn limit(most: usize) -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": most, "default": 50})
}

fn cursor() -> Value {
    json!({"type": "string", "pattern": "^c1-[0-9a-f]{1,16}$"})
}

pub(super) fn schemas() -> Schemas {
    let page = json!({"decisions": list_of(of("FoundRecord")), "nextCursor": cursor()});
    let values = map_of(text());
    let group = object(&["count", "values"], json!({"count": count(), "values": values}));
    let stats =
        json!({"total": count(), "groupCount": count(), "groups": list_of(group), "nextCursor": cursor()});
    let record = json!({"v": {"const": 1}, "kind": one_of(&KINDS), "at": instant()});
    let found = json!({
        "seq": {"type": "integer", "minimum": 1},
        "hash": hash(),
        "decision": of("RecordedDecision"),
        "record": of("Record"),
    });
    let proof = json!({
        "format": {"const": "procura-proof-v1"},
        "seq": {"type": "integer", "minimum": 1},
        "at": {"type": "integer"},
        "previous": hash(),
        "path": list_of(text()),
        "checkpoint": text(),
        "record": text(),
    });
    let proven = ["format", "seq", "at", "previous", "path", "checkpoint", "record"];
    vec![
        ("DecisionPage", object(&["decisions"], page)),
        ("DecisionStats", object(&["total", "groupCount", "groups"], stats)),
        ("FoundRecord", object(&["seq", "hash", "record"], found)),
        (
            "Record",
            told("See `docs/reference/decision-record.md`.", open_object(&["v", "kind", "at"], record)),
        ),
        ("RecordedDecision", recorded_decision()),
        ("Proof", object(&proven, proof)),
    ]
}

fn recorded_decision() -> Value {
    let members = json!({
        "id": text(),
        "resource": {"type": "object"},
        "action": text(),
        "effect": effect(),
        "reason": text(),
        "policy": text(),
    });
    told(
        "All that the record says about one decision.",
        open_object(&["id", "resource", "action", "effect", "reason", "policy"], members),
    )
}
