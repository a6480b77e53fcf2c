//! Signals, facts and changes: what they take and what they answer.

use procura_core::model::EntityKind;
use serde_json::{Value, json};

use super::operation::Operation;
use super::schema::{
    Schemas, count, instant, list_of, map_of, named, nullable, object, of, one_of, open_object, set, text,
    told,
};

const TAG: &str = "signals";

pub(super) fn operations() -> Vec<Operation> {
    let mut all = vec![list(), changes(), hear(), events(), status()];
    all.extend([verify(), set_status(), add_subject(), remove_subject(), delete_stream()]);
    all.extend(fact(SIMPLE, ["stateFact", "withdrawFact"]));
    all.extend(fact(RESOURCE, ["stateFactOfResource", "withdrawFactOfResource"]));
    all
}

const SIMPLE: &str = "/api/facts/{kind}/{id}/{name}";

const RESOURCE: &str = "/api/facts/resource/{kind}/{id}/{name}";

fn list() -> Operation {
    about(Operation::get("/api/facts", "listFacts", TAG), true)
        .summary("What is held true of something, whoever said so")
        .description(
            "Every fact about something with one of these in it, in force or not, newest first. At least one parameter is \
             required.",
        )
        .answers(200, "The facts.", "Facts")
        .headers(&[])
        .refuses(&[404])
}

fn fact(path: &'static str, [state, withdraw]: [&'static str; 2]) -> [Operation; 2] {
    let example = json!({"data": {"reason": "on call"}, "expires": "2999-01-31T12:00:00Z"});
    let at = |operation: Operation| {
        let kind = if path == SIMPLE {
            let simple = ["principal", "session", "device", "group", "application", "tenant"];
            operation.path("kind", "What the fact is about.", &one_of(&simple), "principal")
        } else {
            operation.path("kind", "The kind of the resource.", &id(), "album")
        };
        kind.path("id", "Its id.", &id(), "ada").path(
            "name",
            "The name of the fact.",
            &fact_name(),
            "on-call",
        )
    };
    let state = at(Operation::put(path, state, TAG))
        .summary("States a fact, as the source `operator`")
        .description(
            "Every decision that is asked for after the answer knows it. To state the same again changes nothing. What a \
             caller states that is bound to tenants is only true there. Facts called as those of CAEP or RISC events have \
             the content of such an event as `data`.",
        )
        .body("FactRequest", false, &example)
        .answers(200, "It is held true.", "Facts")
        .headers(&[])
        .refuses(&[404, 408, 413, 507]);
    let withdraw = at(Operation::delete(path, withdraw, TAG))
        .summary("Withdraws what the source `operator` states")
        .answers(200, "What was withdrawn.", "Facts")
        .headers(&[])
        .refuses(&[404, 507]);
    [state, withdraw]
}

fn changes() -> Operation {
    let seen = json!({
        "name": "Last-Event-ID", "in": "header", "schema": {"type": "string", "pattern": "^[0-9]{1,18}-[0-9a-f]{12}$"},
        "description": "The `id` of an earlier event; what has changed since is sent.",
    });
    let content = json!({"text/event-stream": {"schema": told(
        "Events `change` with `{seq, about, type, source, at}` as `data`, and `reset`: ask again about everything.", text(),
    )}});
    about(Operation::get("/api/changes", "followChanges", TAG), false)
        .summary("What decisions may have changed about, as server-sent events")
        .description("About something with one of these in it; about everything if none is given.")
        .parameter(seen)
        .answer(200, json!({"description": "A stream without an end.", "content": content}))
        .headers(&[])
        .refuses(&[404])
}

fn hear() -> Operation {
    let example = json!({"action": "closed", "ticket": {"key": "T-1"}});
    Operation::post("/api/signals/webhooks/{source}", "hearWebhook", TAG)
        .summary("Takes what a system sends that knows nothing of Security Event Tokens")
        .description(
            "Who sends it shows that as `signals.webhooks` demands of this source: by a signature over the body, or as a \
             caller. To everybody else all sources look the same.",
        )
        .open()
        .path("source", "The source, by its name in the configuration.", &name(), "tickets")
        .body("Webhook", true, &example)
        .answers(200, "It is taken, and every later decision knows what it states.", "WebhookTaken")
        .headers(&[])
        .refuses(&[401, 408, 413, 507])
}

fn events() -> Operation {
    let seen = json!({
        "name": "Last-Event-ID", "in": "header", "schema": count(),
        "description": "The `id` of an earlier event; what comes after it is sent.",
    });
    let content = json!({"text/event-stream": {"schema": told(
        "Events with the number of a record as `id` and a `FoundRecord` as `data`.", text(),
    )}});
    Operation::get("/api/signals/events", "followSignals", TAG)
        .summary("Signals as they are taken and refused, as server-sent events")
        .parameter(seen)
        .answer(200, json!({"description": "A stream without an end.", "content": content}))
        .headers(&[])
        .refuses(&[404])
}

fn status() -> Operation {
    Operation::get("/api/signals", "getSignals", TAG)
        .summary("How every source of signals fares")
        .description("To a caller that is bound to tenants, the sources that are of these alone.")
        .answers(200, "The sources, in the order of their names.", "SignalStatus")
        .headers(&[])
        .refuses(&[404])
}

fn verify() -> Operation {
    on_stream(Operation::post("/api/signals/streams/{stream}/verify", "verifyStream", TAG))
        .summary("Asks the transmitter of a stream to show that the stream works")
        .answers(200, "It was asked; its event comes over the stream.", "StreamAsked")
        .headers(&[])
        .refuses(&[404, 502])
}

fn set_status() -> Operation {
    let example = json!({"status": "paused", "reason": "maintenance"});
    on_stream(Operation::put("/api/signals/streams/{stream}/status", "setStreamStatus", TAG))
        .summary("Asks the transmitter of a stream to send its events, to keep them, or to forget them")
        .body("StreamStatusRequest", true, &example)
        .answers(200, "The status that the transmitter tells.", "StreamAsked")
        .headers(&[])
        .refuses(&[404, 408, 413, 502])
}

fn add_subject() -> Operation {
    let example = json!({"subject": {"format": "email", "email": "ada@example.com"}, "verified": true});
    on_stream(Operation::post("/api/signals/streams/{stream}/subjects/add", "addStreamSubject", TAG))
        .summary("Asks the transmitter of a stream for the events about a subject")
        .body("StreamSubjectAdded", true, &example)
        .answers(200, "It was asked.", "StreamAsked")
        .headers(&[])
        .refuses(&[404, 408, 413, 502])
}

fn remove_subject() -> Operation {
    let example = json!({"subject": {"format": "email", "email": "ada@example.com"}});
    on_stream(Operation::post("/api/signals/streams/{stream}/subjects/remove", "removeStreamSubject", TAG))
        .summary("Asks the transmitter of a stream for no more events about a subject")
        .body("StreamSubjectRemoved", true, &example)
        .answers(200, "It was asked.", "StreamAsked")
        .headers(&[])
        .refuses(&[404, 408, 413, 502])
}

fn delete_stream() -> Operation {
    on_stream(Operation::post("/api/signals/streams/{stream}/delete", "deleteStream", TAG))
        .summary("Deletes a stream at its transmitter; it is made again after a restart")
        .answers(200, "It is deleted there.", "StreamAsked")
        .headers(&[])
        .refuses(&[404, 502])
}

fn on_stream(operation: Operation) -> Operation {
    operation.path("stream", "The stream, by its name in the configuration.", &name(), "okta")
}

/// `operation` with a parameter for each kind of what facts are about; one has an example if it takes at least one.
fn about(operation: Operation, is_needed: bool) -> Operation {
    EntityKind::ALL.into_iter().fold(operation, |operation, kind| {
        let pattern = match kind {
            EntityKind::Resource | EntityKind::Token => "^[a-z]{1,9}\\n[a-z]{1,9}$",
            _ => "^[^\\x00-\\x1f\\x7f-\\x9f]+$",
        };
        let one = json!({"type": "string", "minLength": 1, "pattern": pattern});
        let many = json!({"type": "array", "items": one, "minItems": 1});
        let what = match kind {
            EntityKind::Resource => "Kind and id of a resource, with a line feed between them.",
            EntityKind::Token => "Issuer and id of a token, with a line feed between them.",
            _ => "Its id.",
        };
        let mut parameter =
            json!({"name": kind.as_str(), "in": "query", "schema": many, "description": what});
        if is_needed && kind == EntityKind::Principal {
            set(&mut parameter, "example", json!(["ada"]));
            set(&mut parameter, "required", json!(true));
        }
        operation.parameter(parameter)
    })
}

fn id() -> Value {
    json!({"type": "string", "minLength": 1, "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$"})
}

fn fact_name() -> Value {
    json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"})
}

fn name() -> Value {
    json!({"type": "string", "pattern": "^[a-z0-9-]{1,64}$"})
}

pub(super) fn schemas() -> Schemas {
    let request = object(
        &[],
        json!({
            "data": told("Its content: at most 16 KiB, nested at most 16 levels deep.", json!({})),
            "at": told("Since when; absent: now.", nullable(past())),
            "expires": told("Until when, if it ends by itself.", nullable(future())),
        }),
    );
    let within = |of: &str| object(&[of, "id"], named([(of, text()), ("id", text())]));
    let about = EntityKind::ALL.map(|kind| {
        let value = match kind {
            EntityKind::Resource => within("kind"),
            EntityKind::Token => within("issuer"),
            _ => text(),
        };
        (kind.as_str(), value)
    });
    let fact = object(
        &["type", "subject", "source", "id", "at", "received", "age", "inForce", "data"],
        json!({
            "type": text(),
            "slot": told("What it takes the place of, if that is not its type.", text()),
            "subject": of("FactSubject"),
            "source": text(),
            "id": told("The event that said so.", text()),
            "at": instant(),
            "received": instant(),
            "expires": instant(),
            "age": told("Seconds since `at`.", json!({"type": "integer"})),
            "inForce": {"type": "boolean"},
            "data": {},
        }),
    );
    let taken = object(
        &["id", "became"],
        json!({
            "id": told("The name of the event.", text()),
            "became": one_of(&["changed", "unchanged", "repeated", "ignored"]),
            "ignored": told("Why it states nothing that counts.", one_of(&["no_fact", "not_entitled"])),
        }),
    );
    vec![
        ("SignalStatus", signal_status()),
        ("SignalSource", signal_source()),
        ("StreamAsked", object(&["stream"], json!({"stream": text(), "status": stream_status()}))),
        (
            "StreamStatusRequest",
            object(&["status"], json!({"status": stream_status(), "reason": nullable(text())})),
        ),
        (
            "StreamSubjectAdded",
            object(
                &["subject"],
                json!({"subject": identifier(), "verified": nullable(json!({"type": "boolean"}))}),
            ),
        ),
        ("StreamSubjectRemoved", object(&["subject"], json!({"subject": identifier()}))),
        ("FactRequest", request),
        ("FactSubject", told("All of it together.", object(&[], named(about)))),
        ("Fact", fact),
        ("Facts", object(&["facts"], json!({"facts": list_of(of("Fact"))}))),
        ("Webhook", told("Whatever the source sends.", open_object(&[], json!({})))),
        ("WebhookTaken", taken),
    ]
}

fn signal_status() -> Value {
    let held = object(&["held", "limit"], json!({"held": count(), "limit": count()}));
    object(
        &["facts", "sources"],
        json!({
            "facts": held,
            "trouble": told("Why facts cannot be kept, if they cannot.", text()),
            "sources": list_of(of("SignalSource")),
        }),
    )
}

fn signal_source() -> Value {
    let stream = object(
        &["managed", "events", "troubles"],
        json!({
            "status": stream_status(),
            "reason": text(),
            "delivery": one_of(&["push", "poll"]),
            "managed": told("Whether its transmitter can be asked from here.", json!({"type": "boolean"})),
            "id": text(),
            "events": list_of(text()),
            "lastAnswer": instant(),
            "lastVerification": instant(),
            "troubles": list_of(text()),
        }),
    );
    object(
        &["name", "kind", "taken", "ignored", "repeated", "refused", "silent"],
        json!({
            "name": text(),
            "kind": one_of(&["stream", "webhook", "operator"]),
            "taken": count(),
            "ignored": told("Taken, and stating nothing that counts.", count()),
            "repeated": told("Taken before.", count()),
            "refused": told("By the code of the reason.", map_of(count())),
            "last": told("When something was last taken, since the start of the server.", instant()),
            "lag": told("Seconds from the time of the last event until it was received.", json!({"type": "number"})),
            "silent": told("Seconds since then, or since the start.", count()),
            "maxSilence": told("How many it may be.", count()),
            "trouble": told("Why policies should not rely on it, if they should not.", text()),
            "stream": stream,
        }),
    )
}

fn stream_status() -> Value {
    one_of(&["enabled", "paused", "disabled"])
}

fn identifier() -> Value {
    told("An identifier as in RFC 9493.", open_object(&["format"], json!({"format": text()})))
}

fn past() -> Value {
    json!({"type": "string", "format": "instant-recent"})
}

fn future() -> Value {
    json!({"type": "string", "format": "instant-future"})
}
