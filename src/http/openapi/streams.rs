//! Streams of security events: what they take and what they answer.

use serde_json::json;

use super::operation::Operation;
use super::schema::{Schemas, object, of, one_of, text};

const TAG: &str = "signals";

pub(super) fn operations() -> Vec<Operation> {
    let headers = json!({"Content-Language": {"description": "`en`.", "schema": {"type": "string"}}});
    let refused = |description: &str| {
        json!({
            "description": description,
            "headers": headers,
            "content": {"application/json": {"schema": of("SetRefused")}},
        })
    };
    let push = Operation::post("/api/signals/streams/{stream}", "pushSet", TAG)
        .summary("Takes a security event token (RFC 8935)")
        .description(
            "The stream says who may: whoever shows its `push.authorization`, or the caller `push.caller`, which needs the \
             right `signals`. The signature of the token must be good in any case.",
        )
        .path("stream", "Its name.", &json!({"type": "string", "pattern": "^[a-z0-9-]{1,64}$"}), "idp")
        .raw_body("application/secevent+jwt", "eyJ0eXAiOiJzZWNldmVudCtqd3QifQ.e30.c2ln")
        .answer(202, json!({"description": "It is on disk, and every later decision knows it."}))
        .answer(400, refused("It is none that is taken, and never will be; or whoever sends it is not the transmitter of such a stream."))
        .answer(503, refused("It cannot be taken at present."))
        .refuses(&[404, 408, 413, 429]);
    vec![push]
}

pub(super) fn schemas() -> Schemas {
    let codes = one_of(&[
        "invalid_request",
        "invalid_key",
        "invalid_issuer",
        "invalid_audience",
        "authentication_failed",
        "access_denied",
        "invalid_state",
        "unavailable",
    ]);
    vec![("SetRefused", object(&["err", "description"], json!({"err": codes, "description": text()})))]
}
