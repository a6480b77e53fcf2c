//! Quarantine: what it takes and what it answers.

use serde_json::{Value, json};

use super::operation::Operation;
use super::schema::{Schemas, instant, list_of, object, of, text};

const TAG: &str = "admin";

const AT: &str = "/admin/quarantine/{id}";

pub(super) fn operations() -> Vec<Operation> {
    let list = Operation::get("/admin/quarantine", "listQuarantines", TAG)
        .summary("What is no longer relied on")
        .answers(200, "Every quarantine, oldest first.", "Quarantines")
        .headers(&[])
        .refuses(&[404]);
    let get = named(Operation::get(AT, "getQuarantine", TAG))
        .summary("One quarantine")
        .answers(200, "It.", "Quarantine")
        .headers(&[])
        .refuses(&[404]);
    let lift = named(Operation::delete(AT, "liftQuarantine", TAG))
        .summary("Lifts a quarantine")
        .answers(200, "It was lifted.", "Quarantine")
        .headers(&[])
        .refuses(&[404]);
    vec![list, get, begin(), lift, affected()]
}

fn begin() -> Operation {
    let example = json!({"issuer": "https://id.example", "reason": "its signing key was stolen"});
    named(Operation::put(AT, "beginQuarantine", TAG))
        .summary("Begins a quarantine")
        .description(
            "From then on every credential is refused that rests on all that is named, whatever was remembered of it. To \
             ask for the same again changes nothing.",
        )
        .body("QuarantineRequest", true, &example)
        .answers(200, "It counts.", "Quarantine")
        .headers(&[])
        .refuses(&[404, 408, 409, 413])
}

fn affected() -> Operation {
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 500, "default": 50});
    let cursor = json!({"type": "string", "pattern": "^c1-[0-9a-f]{1,16}$"});
    named(Operation::get("/admin/quarantine/{id}/affected", "listAffected", TAG))
        .summary("A page of the recorded calls that had relied on it since it is suspect, newest first")
        .description("For callers that may do `audit` as well.")
        .query("limit", "Most records.", &limit, Some(json!(10)))
        .query("cursor", "The `nextCursor` of the page before.", &cursor, None)
        .answers(
            200,
            "The records; a page may be empty and have a `nextCursor` all the same.",
            "DecisionPage",
        )
        .headers(&[])
        .refuses(&[404, 410])
}

fn named(operation: Operation) -> Operation {
    operation.path(
        "id",
        "Its id.",
        &json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}),
        "idp-2026",
    )
}

pub(super) fn schemas() -> Schemas {
    let said = || json!({"type": "string", "minLength": 1, "maxLength": 1024});
    let optional = || json!({"type": ["string", "null"], "minLength": 1, "maxLength": 1024});
    let named = |member: &str| json!({"required": [member], "properties": {member: {"type": "string"}}});
    let mut request = object(
        &["reason"],
        json!({
            "issuer": optional(), "keySet": optional(), "key": optional(), "reason": said(),
            "since": {"type": ["string", "null"], "format": "instant-past"},
        }),
    );
    let one: Value = ["issuer", "keySet", "key"].map(named).into_iter().collect();
    super::schema::set(&mut request, "anyOf", one);
    let entry = object(
        &["id", "since", "reason", "begun"],
        json!({
            "id": text(), "issuer": text(), "keySet": text(), "key": text(), "since": instant(), "reason": text(),
            "begun": instant(), "by": text(),
        }),
    );
    vec![
        ("QuarantineRequest", request),
        ("Quarantine", entry),
        ("Quarantines", object(&["quarantines"], json!({"quarantines": list_of(of("Quarantine"))}))),
    ]
}
