//! Health, readiness and metrics, and the document itself.

use serde_json::json;

use super::operation::Operation;
use super::schema::{Schemas, list_of, object, one_of, text};

const TAG: &str = "health";

pub(super) fn operations() -> Vec<Operation> {
    let metrics = |path, id| {
        let content = json!({"text/plain; version=0.0.4; charset=utf-8": {"schema": {"type": "string"}}});
        Operation::get(path, id, TAG)
            .summary("Metrics in the Prometheus text format")
            .answer(200, json!({"description": "The metrics.", "content": content}))
            .headers(&[])
    };
    let document = json!({"description": "This document.", "content": {"application/json": {"schema": {
        "type": "object", "required": ["openapi", "info", "paths"],
    }}}});
    vec![
        Operation::get("/healthz", "alive", TAG)
            .open()
            .summary("Whether the process answers")
            .answers(200, "It does.", "Life")
            .headers(&[]),
        Operation::get("/readyz", "ready", TAG)
            .open()
            .summary("Whether a call made now would be answered, and why")
            .answers(200, "It would.", "Readiness")
            .answers(503, "It would not.", "Readiness")
            .headers(&[]),
        Operation::get("/_cerbos/health", "serving", TAG)
            .open()
            .summary("The same as probes made for Cerbos expect it")
            .answers(200, "It would.", "Serving")
            .answers(503, "It would not.", "Serving")
            .headers(&[]),
        metrics("/metrics", "metrics"),
        metrics("/_cerbos/metrics", "cerbosMetrics"),
        Operation::get("/openapi.json", "openapi", TAG)
            .summary("What the server offers")
            .answer(200, document)
            .headers(&[]),
    ]
}

pub(super) fn schemas() -> Schemas {
    let check = json!({"name": text(), "state": one_of(&["good", "degraded", "failed"]), "detail": text()});
    let checks = list_of(object(&["name", "state", "detail"], check));
    vec![
        ("Life", object(&["status"], json!({"status": one_of(&["alive"])}))),
        (
            "Readiness",
            object(&["status"], json!({"status": one_of(&["ready", "not_ready"]), "checks": checks})),
        ),
        ("Serving", object(&["status"], json!({"status": one_of(&["SERVING", "NOT_SERVING"])}))),
    ]
}
