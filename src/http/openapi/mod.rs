//! What the server offers, as an OpenAPI 3.1 document: `GET /openapi.json`.
//!
//! One file for each surface holds its operations and the schemas of what they take and answer; what they say is held
//! against the routes and against real answers by tests, and against random requests by `tests/api`.

mod admin;
mod authzen;
mod check;
mod decisions;
mod explain;
mod health;
mod operation;
mod quarantine;
mod refusals;
mod schema;
mod signals;
mod streams;

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Map, Value, json};

use self::operation::Operation;
use self::schema::{Schemas, named};
use super::RequestLimits;
use super::routes::{Place, Route};
use crate::pdp::Action;

/// The media type of the document.
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/json");

pub(super) fn routes(limits: &RequestLimits, admin: bool) -> Vec<Route> {
    let document = Bytes::from(document(limits, admin).to_string());
    let answer = move || async { ([(header::CONTENT_TYPE, MEDIA_TYPE)], document).into_response() };
    vec![Place::needing(Action::Decide, "/openapi.json").with(get(answer))]
}

/// The document of a server with these `limits`, and with an admin API or without.
fn document(limits: &RequestLimits, admin: bool) -> Value {
    let administration = [admin::operations(), quarantine::operations()].into_iter().flatten();
    let administration = administration.filter(|_| admin).collect();
    let operations = [
        check::operations(),
        authzen::operations(),
        explain::operations(),
        decisions::operations(),
        streams::operations(),
        signals::operations(),
        administration,
        health::operations(),
    ];
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in operations.into_iter().flatten() {
        let Operation { path, method, .. } = operation;
        paths.entry(path).or_default().insert(method.to_owned(), operation.render());
    }
    json!({
        "openapi": "3.1.0",
        "info": info(),
        "servers": [{"url": "/"}],
        "tags": tags(),
        "security": [{}, {"mutualTLS": []}, {"token": []}, {"bearerKey": []}, {"key": []}],
        "paths": named(paths.into_iter().map(|(path, methods)| (path, Value::Object(methods)))),
        "components": {
            "schemas": named(schemas(limits)),
            "responses": refusals::components(),
            "headers": refusals::header_components(),
            "securitySchemes": security_schemes(),
        },
    })
}

fn schemas(limits: &RequestLimits) -> Schemas {
    let parts = [
        check::schemas(limits),
        authzen::schemas(limits),
        explain::schemas(),
        decisions::schemas(),
        streams::schemas(),
        signals::schemas(),
        admin::schemas(),
        quarantine::schemas(),
        health::schemas(),
        refusals::schemas(),
    ];
    parts.into_iter().flatten().collect()
}

fn info() -> Value {
    json!({
        "title": "Procura",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "A policy decision point for people, workloads and AI agents",
        "description": "May this principal perform this action on this resource, now? Every answer is recorded before it \
            leaves. A deny is an answer, never an error. Sizes of texts are in bytes of UTF-8; `maxLength`, which counts \
            characters, can only say so for ASCII. Also see `docs/reference/http-api.md`.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    })
}

fn tags() -> Value {
    let tags = [
        ("check", "Decisions, as Cerbos clients ask for them."),
        ("authzen", "AuthZEN Authorization API 1.0."),
        ("explain", "Why a request is answered as it is."),
        ("decisions", "The decision log."),
        ("signals", "Signals, facts and changes."),
        ("admin", "Administration of policies and of what is relied on."),
        ("health", "For whoever runs the server."),
    ];
    tags.iter().map(|(name, description)| json!({"name": name, "description": description})).collect()
}

/// How callers show who they are. Without any of these a caller may still do what `callers.anonymous` allows.
fn security_schemes() -> Value {
    json!({
        "mutualTLS": {
            "type": "mutualTLS",
            "description": "A client certificate of a configured authority.",
        },
        "token": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "A token of a configured issuer.",
        },
        "bearerKey": {
            "type": "http", "scheme": "bearer", "bearerFormat": "API key",
            "description": "An API key, `procura_<id>_<secret>`.",
        },
        "key": {
            "type": "apiKey", "in": "header", "name": "X-API-Key",
            "description": "The same in a header of its own.",
        },
    })
}
