//! The management of streams (Shared Signals Framework 1.0, section 8.1).

use std::sync::Arc;

use serde_json::{Value, json};

use super::Shared;
use super::serve::{Place, Reply, Request};
use super::streams::{State, Stream};

/// The types of events that there are.
const SUPPORTED: [&str; 4] = [
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
    "https://schemas.openid.net/secevent/caep/event-type/credential-change",
    "https://schemas.openid.net/secevent/caep/event-type/device-compliance-change",
    "https://schemas.openid.net/secevent/risc/event-type/account-disabled",
];

/// What only the transmitter says of a stream.
const OURS: [&str; 4] = ["iss", "aud", "events_supported", "events_delivered"];

/// The type of verification events.
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

/// Does what `request` asks for.
pub(super) fn manage(shared: &Arc<Shared>, place: Place, request: &Request) -> Reply {
    let body = match request.body.as_str() {
        "" => Value::Null,
        text => match serde_json::from_str(text) {
            Ok(body) => body,
            Err(_) => return Reply::status(400),
        },
    };
    if place == Place::Verification {
        return verify(shared, &body);
    }
    let asked = request.query.strip_prefix("stream_id=");
    shared.change(|state| match (place, request.method.as_str()) {
        (Place::Configuration, method) if state.refuses.is_some_and(|(refused, _)| refused == method) => {
            Reply::status(state.refuses.map_or(500, |(_, status)| status))
        }
        (Place::Configuration, "POST") => create(shared, state, &body),
        (Place::Configuration, "GET") => read(state, asked),
        (Place::Configuration, "PATCH") if state.only_replaces => Reply::status(405),
        (Place::Configuration, "PATCH") => update(shared, state, &body, false),
        (Place::Configuration, "PUT") => update(shared, state, &body, true),
        (Place::Configuration, "DELETE") => {
            let removed = asked.and_then(|id| state.streams.remove(id));
            Reply::status(if removed.is_some() { 204 } else { 404 })
        }
        (Place::Status, "GET") => with_stream(state, asked, Stream::shown_status),
        (Place::Status, "POST") => with_stream(state, body["stream_id"].as_str(), |stream| {
            let Some(status) = body["status"].as_str() else { return Reply::status(400) };
            stream.status = status.to_owned();
            stream.reason = body["reason"].as_str().map(str::to_owned);
            stream.shown_status()
        }),
        (Place::AddSubject, "POST") => with_stream(state, body["stream_id"].as_str(), |stream| {
            stream.subjects.push(body["subject"].clone());
            Reply::json(json!({}))
        }),
        (Place::RemoveSubject, "POST") => with_stream(state, body["stream_id"].as_str(), |stream| {
            stream.subjects.retain(|subject| *subject != body["subject"]);
            Reply::status(204)
        }),
        _ => Reply::status(405),
    })
}

/// Puts the members of `changes` into `object`; `null` takes one out.
pub(super) fn merge(object: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().into_iter().flatten() {
        if value.is_null() {
            object.as_object_mut().expect("an object").remove(name);
        } else {
            object[name] = value.clone();
        }
    }
}

fn with_stream(state: &mut State, id: Option<&str>, act: impl FnOnce(&mut Stream) -> Reply) -> Reply {
    id.and_then(|id| state.streams.get_mut(id)).map_or_else(|| Reply::status(404), act)
}

fn verify(shared: &Arc<Shared>, body: &Value) -> Reply {
    let Some(id) = body["stream_id"].as_str().filter(|id| shared.lock().streams.contains_key(*id)) else {
        return Reply::status(404);
    };
    let state = body["state"].as_str().map(str::to_owned);
    shared.change(|known| known.stream(id).verifications.push(state));
    let event = body.get("state").map_or(json!({}), |state| json!({"state": state}));
    let claims = shared.claims(id, VERIFICATION, &json!({"format": "opaque", "id": id}), &event);
    let set = shared.lock().sign(&claims);
    shared.deliver(id, claims["jti"].as_str().expect("a name").to_owned(), set);
    Reply::status(204)
}

fn create(shared: &Shared, state: &mut State, body: &Value) -> Reply {
    if state.one_stream && !state.streams.is_empty() {
        return Reply::status(409);
    }
    if !body.is_object() {
        return Reply::status(400);
    }
    let id = state.next_name("stream");
    let mut config = json!({
        "stream_id": id, "iss": shared.issuer, "aud": format!("https://receiver.example/{id}"),
        "events_supported": SUPPORTED, "min_verification_interval": 1,
    });
    config["events_requested"] = body["events_requested"].clone();
    if let Some(description) = body.get("description") {
        config["description"] = description.clone();
    }
    set_delivery(shared, &mut config, &body["delivery"]);
    set_delivered(&mut config);
    merge(&mut config, &state.configuration);
    state.streams.insert(id, Stream::new(config.clone()));
    Reply::json_with(201, &config)
}

fn read(state: &mut State, asked: Option<&str>) -> Reply {
    let changes = state.configuration.clone();
    let shown = |stream: &Stream| {
        let mut config = stream.config.clone();
        merge(&mut config, &changes);
        config
    };
    match asked {
        Some(id) => with_stream(state, Some(id), |stream| Reply::json(shown(stream))),
        None => Reply::json(state.streams.values().map(shown).collect::<Vec<_>>()),
    }
}

fn update(shared: &Shared, state: &mut State, body: &Value, replace: bool) -> Reply {
    let changes = state.configuration.clone();
    with_stream(state, body["stream_id"].as_str(), |stream| {
        let config = &mut stream.config;
        let differs = |name: &str| body.get(name).is_some_and(|value| *value != config[name]);
        if OURS.iter().any(|name| differs(name)) {
            return Reply::status(400);
        }
        for name in ["events_requested", "description"] {
            match body.get(name) {
                Some(value) => config[name] = value.clone(),
                None if replace => merge(config, &json!({name: null})),
                None => {}
            }
        }
        if let Some(delivery) = body.get("delivery") {
            set_delivery(shared, config, delivery);
        }
        set_delivered(config);
        let mut shown = config.clone();
        merge(&mut shown, &changes);
        Reply::json(shown)
    })
}

/// A stream that is polled is told where.
fn set_delivery(shared: &Shared, config: &mut Value, delivery: &Value) {
    config["delivery"] = delivery.clone();
    if delivery["method"] == "urn:ietf:rfc:8936" {
        let id = config["stream_id"].as_str().expect("a name");
        config["delivery"]["endpoint_url"] = shared.poll_url(id).into();
    }
}

/// What is delivered is what is asked for and there is.
fn set_delivered(config: &mut Value) {
    let asked = config["events_requested"].as_array().cloned().unwrap_or_default();
    let delivered: Vec<_> =
        asked.into_iter().filter(|event| SUPPORTED.iter().any(|known| event == known)).collect();
    config["events_delivered"] = delivered.into();
}

impl Stream {
    fn shown_status(&mut self) -> Reply {
        let mut shown = json!({"stream_id": self.config["stream_id"], "status": self.status});
        if let Some(reason) = &self.reason {
            shown["reason"] = reason.as_str().into();
        }
        Reply::json(shown)
    }
}
