//! Administration of policies: what it takes and what it answers.

use serde_json::{Value, json};

use super::operation::Operation;
use super::refusals::Shape;
use super::schema::{
    Schemas, count, effect, hash, instant, list_of, map_of, object, of, one_of, open_object, text, told,
};

const TAG: &str = "admin";

const CAUSES: [&str; 6] = ["start", "watch", "poll", "signal", "admin", "rollback"];

const OUTCOMES: [&str; 7] =
    ["activated", "unchanged", "rejected", "tests_failed", "would_change", "not_archived", "failed"];

pub(super) fn operations() -> Vec<Operation> {
    let status = Operation::get("/admin/policies/status", "policyStatus", TAG)
        .summary("The live set, and what came of the last attempts to load")
        .answers(200, "The status.", "PolicyStatus")
        .headers(&[])
        .refuses(&[404]);
    vec![status, reload(), rollback(), audit_log()]
}

fn reload() -> Operation {
    let force = json!({"type": "string", "pattern": "^(true|false|[0-9a-f]{64})$"});
    let about =
        "Whether the set, or the set of this revision, goes live whatever recorded decisions it changes.";
    Operation::post("/admin/policies/reload", "reloadPolicies", TAG)
        .summary("Loads the policies now and tells what came of it")
        .query("force", about, &force, Some(json!("false")))
        .answers(200, "The policies at the source are live.", "ReloadOutcome")
        .answers(422, "They have errors, tests that fail, or change too much.", "ReloadOutcome")
        .answers(503, "They cannot be read.", "ReloadOutcome")
        .headers(&[])
        .refuses(&[404])
}

fn rollback() -> Operation {
    Operation::post("/admin/policies/rollback", "rollBackPolicies", TAG)
        .summary("Brings an archived set live: the one before the live set, or that of a revision")
        .body("RollbackRequest", false, &json!({"revision": "0".repeat(64)}))
        .answers(200, "It is live.", "ReloadOutcome")
        .answers(404, "There is no such set.", "ReloadOutcome")
        .answers(422, "It is not taken.", "ReloadOutcome")
        .answers(503, "It cannot be read.", "ReloadOutcome")
        .headers(&[])
        .refuses(&[408, 413])
}

/// Lines of JSON are no JSON text, so the answer has no schema.
fn audit_log() -> Operation {
    let wanted = |required: &[&str], members: Value| object(required, members);
    let between = json!({"between.start": instant(), "between.end": instant()});
    let number = json!({"type": "integer", "minimum": 1, "maximum": 1000});
    let wanted = json!({"oneOf": [
        wanted(&["tail"], json!({"tail": number})),
        wanted(&["since"], json!({"since": {"type": "string", "format": "duration-ago"}})),
        wanted(&["between.start", "between.end"], between),
        wanted(&["lookup"], json!({"lookup": {"type": "string", "minLength": 1}})),
    ]});
    let wanted = json!({
        "name": "wanted", "in": "query", "required": true, "style": "form", "explode": true, "schema": wanted,
        "description": "The last N entries, those not older than a duration, those of a time, or that of one call.",
        "example": {"tail": 10},
    });
    let lines = told(
        "Lines of `{\"result\": {\"decisionLogEntry\": {}}}`, newest first; an error on the way is the last line.",
        json!({"content": {"application/json": {}}}),
    );
    let kinds = one_of(&["KIND_DECISION", "KIND_ACCESS"]);
    Operation::get("/admin/auditlog/list/{kind}", "listAuditLog", TAG)
        .shape(Shape::Cerbos)
        .summary("The decision log in the shape of the Admin API of Cerbos")
        .path("kind", "There are no access logs: a list of them is empty.", &kinds, "KIND_DECISION")
        .parameter(wanted)
        .answer(200, lines)
        .headers(&[])
        .refuses(&[404])
}

pub(super) fn schemas() -> Schemas {
    let rollback = json!({"revision": {"anyOf": [hash(), {"type": "null"}]}});
    vec![
        ("RollbackRequest", object(&[], rollback)),
        ("ReloadOutcome", open_outcome(&["outcome"], json!({}))),
        (
            "ReloadAttempt",
            open_outcome(
                &["at", "cause", "tookMs", "outcome"],
                json!({
                    "at": instant(), "cause": one_of(&CAUSES), "tookMs": {"type": "number", "minimum": 0},
                    "revision": hash(),
                }),
            ),
        ),
        ("PolicyStatus", status()),
        ("Finding", finding()),
        ("FailedTest", failed_test()),
        ("ReplayReport", report()),
    ]
}

/// What came of an attempt, with `more` members.
fn open_outcome(required: &[&str], more: Value) -> Value {
    let mut members = json!({
        "outcome": one_of(&OUTCOMES),
        "generation": count(),
        "reason": text(),
        "diagnostics": list_of(of("Finding")),
        "failedTests": count(),
        "tests": list_of(of("FailedTest")),
        "replay": of("ReplayReport"),
    });
    if let (Value::Object(members), Value::Object(more)) = (&mut members, more) {
        members.extend(more);
    }
    object(required, members)
}

fn status() -> Value {
    let live = json!({"revision": hash(), "generation": count(), "since": instant(), "files": count()});
    let live = object(&["revision", "generation", "since", "files"], live);
    let shadow = json!({
        "source": text(), "revision": hash(), "since": instant(), "problem": text(),
        "same": count(), "different": count(), "partial": count(), "skipped": count(), "unrecorded": count(),
    });
    let counters = ["source", "same", "different", "partial", "skipped", "unrecorded"];
    let members = json!({
        "source": text(),
        "live": {"anyOf": [live, {"type": "null"}]},
        "stale": told("Whether the newest attempt failed or does not end.", json!({"type": "boolean"})),
        "rolledBack": object(&["source", "since"], json!({"source": hash(), "since": instant()})),
        "fewerTests": object(&["before", "now"], json!({"before": count(), "now": count()})),
        "watchDown": text(),
        "running": object(&["at", "cause"], json!({"at": instant(), "cause": one_of(&CAUSES)})),
        "lastAttempt": of("ReloadAttempt"),
        "history": list_of(of("ReloadAttempt")),
        "shadow": object(&counters, shadow),
    });
    object(&["source", "live", "stale", "history"], members)
}

fn finding() -> Value {
    let members = json!({
        "code": text(), "severity": one_of(&["error", "warning"]), "file": text(), "line": count(),
        "column": count(), "message": text(), "hint": text(), "frame": text(),
    });
    object(&["code", "severity", "file", "line", "column", "message", "frame"], members)
}

fn failed_test() -> Value {
    let members = json!({
        "file": text(), "line": count(), "column": count(), "suite": text(), "test": text(), "principal": text(),
        "resource": text(), "action": text(), "expected": effect(), "actual": effect(), "reason": text(),
    });
    object(&["file", "line", "column", "suite", "reason"], members)
}

fn report() -> Value {
    let numbers = || map_of(count());
    let members = json!({
        "calls": count(), "decisions": count(), "changedCalls": count(), "changedDecisions": count(),
        "changed": numbers(), "partial": count(), "unreplayable": count(),
        "firstUnreplayable": object(&["seq", "reason"], json!({"seq": count(), "reason": text()})),
        "missing": numbers(), "otherEngines": numbers(), "notShown": count(),
        "groups": list_of(open_object(&["count", "weight", "differs", "from", "to", "examples"], json!({}))),
    });
    let required = [
        "calls",
        "decisions",
        "changedCalls",
        "changedDecisions",
        "partial",
        "unreplayable",
        "groups",
        "notShown",
    ];
    told(
        "What the set would change of recorded decisions, see `docs/reference/replay.md`.",
        object(&required, members),
    )
}
