//! What is not answered, in the shape of each surface, and the headers of answers.

use serde_json::{Map, Value, json};

use super::schema::{Schemas, named, object, set, text, told};

/// The shapes of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// As the peer's errors.
    Cerbos,
    /// A text, as AuthZEN leaves it open.
    Authzen,
    /// A problem of RFC 9457.
    Problem,
}

/// Every status of a refusal, with what it says.
const STATUSES: [(u16, &str, &str); 16] = [
    (
        400,
        "Invalid",
        "The request is not what the operation takes; the message names the member and the limit.",
    ),
    (401, "Unauthenticated", "The request shows no credential, or one that is not good."),
    (403, "Forbidden", "The caller may not do this."),
    (404, "NotFound", "There is nothing here, or nothing for this caller."),
    (408, "TooSlow", "The body did not arrive in time."),
    (409, "Conflict", "What is there already forbids it."),
    (410, "Gone", "The record was deleted by `audit.retention`."),
    (413, "TooLarge", "The body is larger than the limit."),
    (414, "TargetTooLong", "The path with its query is longer than the limit; there is no body."),
    (422, "Rejected", "The policies are not taken."),
    (429, "TooMany", "The caller asks for more than its share; try again after `Retry-After`."),
    (431, "HeadTooLarge", "The head of the request is larger than the limit; there is no body."),
    (500, "Internal", "An error of ours, which has been reported; nothing was decided."),
    (502, "Transmitter", "The transmitter of a stream did not do what it was asked."),
    (503, "Unavailable", "The answer cannot be given now; try again after `Retry-After`."),
    (507, "Full", "There are as many facts as there may be."),
];

/// With what any operation may refuse.
const ALWAYS: [u16; 6] = [400, 414, 429, 431, 500, 503];

/// What is refused before anybody looks at the path.
const BODILESS: [u16; 2] = [414, 431];

/// With what an operation may refuse that asks who calls.
const GUARDED: [u16; 2] = [401, 403];

impl Shape {
    const ALL: [Self; 3] = [Self::Cerbos, Self::Authzen, Self::Problem];

    const fn name(self) -> &'static str {
        match self {
            Self::Cerbos => "Cerbos",
            Self::Authzen => "Authzen",
            Self::Problem => "Problem",
        }
    }

    /// The refusals with these `statuses` and with those that every operation has, by status.
    pub(super) fn responses(self, statuses: &[u16], is_open: bool) -> Map<String, Value> {
        let guarded = if is_open { &[][..] } else { &GUARDED };
        let has = |status: u16| [&ALWAYS, guarded, statuses].iter().any(|some| some.contains(&status));
        let chosen = STATUSES.into_iter().filter(|(status, ..)| has(*status));
        let reference = |(status, name, _): (u16, &str, _)| {
            let component = format!("#/components/responses/{}{name}", self.name());
            (status.to_string(), json!({"$ref": component}))
        };
        chosen.map(reference).collect()
    }

    /// The media type of refusals, and what is known of their bodies.
    pub(super) fn content(self) -> (&'static str, Value) {
        match self {
            Self::Cerbos => ("application/json", json!({"schema": super::schema::of("CerbosError")})),
            Self::Authzen => ("text/plain", json!({"schema": text()})),
            Self::Problem => ("application/problem+json", json!({"schema": super::schema::of("Problem")})),
        }
    }
}

/// The refusals of all shapes, as components.
pub(super) fn components() -> Value {
    let each = Shape::ALL.into_iter().flat_map(|shape| STATUSES.map(|status| (shape, status)));
    named(each.map(|(shape, (status, name, description))| {
        let extra: &[&str] = match status {
            401 => &["WwwAuthenticate"],
            429 | 503 => &["RetryAfter"],
            _ => &[],
        };
        let response = match BODILESS.contains(&status) {
            true => json!({"description": description}),
            false => json!({
                "description": description, "content": named([shape.content()]), "headers": headers(extra),
            }),
        };
        (format!("{}{name}", shape.name()), response)
    }))
}

/// References to headers by the names of their components; every answer may give `X-Request-ID` back.
pub(super) fn headers(names: &[&str]) -> Value {
    let header = |(component, _, name): &(&str, _, &'static str)| {
        (*name, json!({"$ref": format!("#/components/headers/{component}")}))
    };
    let wanted = |component: &str| component == "RequestId" || names.contains(&component);
    named(HEADERS.iter().filter(|(component, ..)| wanted(component)).map(header))
}

/// The headers of answers: component, what it says, name. All but `X-Request-ID` are always there where they are named.
const HEADERS: [(&str, &str, &str); 5] = [
    ("RequestId", "The `X-Request-ID` of the request, unchanged, if it had one.", "X-Request-ID"),
    ("PolicyRevision", "Content hash of the policy set that decided.", "Procura-Policy-Revision"),
    ("CallId", "Under this id the decision log holds the call.", "Procura-Call-Id"),
    ("RetryAfter", "Seconds after which to try again.", "Retry-After"),
    ("WwwAuthenticate", "The ways to authenticate.", "WWW-Authenticate"),
];

/// The headers of answers, as components.
pub(super) fn header_components() -> Value {
    named(HEADERS.map(|(component, description, _)| {
        let schema = match component {
            "PolicyRevision" => super::schema::hash(),
            "CallId" => json!({"type": "string", "format": "uuid"}),
            "RetryAfter" => json!({"type": "integer", "minimum": 1}),
            _ => text(),
        };
        let mut header = json!({"description": description, "schema": schema});
        if component != "RequestId" {
            set(&mut header, "required", json!(true));
        }
        (component, header)
    }))
}

/// The schemas of refusals.
pub(super) fn schemas() -> Schemas {
    let cerbos = object(
        &["code", "message", "details"],
        json!({
            "code": told("Status code of gRPC.", json!({"type": "integer", "minimum": 1, "maximum": 16})),
            "message": told("Begins with our code, except for invalid requests.", text()),
            "details": {"type": "array", "maxItems": 0},
        }),
    );
    let problem = object(
        &["type", "title", "status", "detail", "code"],
        json!({
            "type": {"const": "about:blank"},
            "title": text(),
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": text(),
            "code": told("The stable code; `docs/reference/http-api.md` lists them.", text()),
        }),
    );
    vec![
        ("CerbosError", told("An error as Cerbos tells it.", cerbos)),
        ("Problem", told("A problem of RFC 9457.", problem)),
    ]
}
