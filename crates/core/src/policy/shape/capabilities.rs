//! The kinds of our own, `procura.dev/v1`: what is not policy and is kept beside it.

use super::{Form, Object, Shape, list, optional, required, set};

/// One file.
pub(in crate::policy) static EXTENSION: Object = Object {
    name: "extension",
    fields: &[
        required(
            "apiVersion",
            &Shape::Text(Form::Exactly(API_VERSION)),
            "The version of these kinds of file.",
        ),
        optional("description", &ANY_TEXT, "What the file is for."),
        optional("$schema", &ANY_TEXT, "The JSON Schema that editors check the file against."),
        optional(
            "capabilities",
            &Shape::Object(&CAPABILITIES),
            "The actions that exist, and what is known of them.",
        ),
    ],
    one_of: &["capabilities"],
};

/// The one version of these kinds.
pub(in crate::policy) const API_VERSION: &str = "procura.dev/v1";

static ANY_TEXT: Shape = Shape::Text(Form::Any);
static GIVEN: Shape = Shape::Text(Form::Given);

static CAPABILITIES: Object = Object {
    name: "capabilities",
    fields: &[
        required("system", &Shape::Text(Form::SetName), "The system that carries out the actions."),
        required("entries", &list(&Shape::Object(&ENTRY), 1), "What the system can do."),
    ],
    one_of: &[],
};

static ENTRY: Object = Object {
    name: "capability",
    fields: &[
        required("resource", &Shape::Text(Form::NoGlob), "The kind of resource, as policies name it."),
        required(
            "actions",
            &set(&Shape::Text(Form::NoGlob), 1),
            "The actions, each by its name: no patterns.",
        ),
        required("owner", &GIVEN, "Who answers for the actions: a team or a person."),
        required("risk", &RISK, "The risk class: how bad a wrong allow would be."),
        optional("description", &ANY_TEXT, "What the actions do."),
        optional(
            "signals",
            &list(&Shape::Object(&SIGNAL), 0),
            "The signals that must be fresh when the actions are decided.",
        ),
    ],
    one_of: &[],
};

static RISK: Shape = Shape::Word { taken: &["low", "medium", "high", "critical"], others: &[] };

static SIGNAL: Object = Object {
    name: "requiredSignal",
    fields: &[
        required("type", &GIVEN, "The type of the signal."),
        required(
            "maxAge",
            &Shape::Text(Form::Duration),
            "How old the newest one may be, such as `90s`, `15m` or `1h30m`.",
        ),
    ],
    one_of: &[],
};
