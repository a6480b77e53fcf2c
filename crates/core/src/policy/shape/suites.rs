//! Policy tests and their fixtures, as the peer has them; `context` is ours.

use super::{Form, Object, Shape, list, optional, required, set};

/// A suite: `*_test.yaml`.
pub(in crate::policy) static SUITE: Object = Object {
    name: "suite",
    fields: &[
        required("name", &GIVEN, "The name of the suite; filters go by it."),
        optional("description", &ANY_TEXT, "What the suite is about."),
        optional("$schema", &ANY_TEXT, ABOUT_SCHEMA),
        optional("skip", &Shape::Flag, "Whether the suite is left out."),
        optional("skipReason", &ANY_TEXT, "Why it is left out."),
        optional("options", &Shape::Object(&OPTIONS), "Under which settings the tests run."),
        optional("principals", &Shape::Map(&Shape::Object(&PRINCIPAL)), "Principals by name."),
        optional("resources", &Shape::Map(&Shape::Object(&RESOURCE)), "Resources by name."),
        optional("auxData", &Shape::Map(&Shape::Object(&AUX_DATA)), "Claims of tokens, by name."),
        optional(
            "principalGroups",
            &Shape::Map(&Shape::Object(&PRINCIPAL_GROUP)),
            "Several principals under one name.",
        ),
        optional(
            "resourceGroups",
            &Shape::Map(&Shape::Object(&RESOURCE_GROUP)),
            "Several resources under one name.",
        ),
        required("tests", &list(&Shape::Object(&TEST), 1), "The tests."),
    ],
    one_of: &[],
};

/// `testdata/principals.yaml`.
pub(in crate::policy) static PRINCIPALS: Object = Object {
    name: "principals",
    fields: &[
        optional("$schema", &ANY_TEXT, ABOUT_SCHEMA),
        optional("principals", &Shape::Map(&Shape::Object(&PRINCIPAL)), "Principals by name."),
        optional(
            "principalGroups",
            &Shape::Map(&Shape::Object(&PRINCIPAL_GROUP)),
            "Several principals under one name.",
        ),
    ],
    one_of: &[],
};

/// `testdata/resources.yaml`.
pub(in crate::policy) static RESOURCES: Object = Object {
    name: "resources",
    fields: &[
        optional("$schema", &ANY_TEXT, ABOUT_SCHEMA),
        optional("resources", &Shape::Map(&Shape::Object(&RESOURCE)), "Resources by name."),
        optional(
            "resourceGroups",
            &Shape::Map(&Shape::Object(&RESOURCE_GROUP)),
            "Several resources under one name.",
        ),
    ],
    one_of: &[],
};

/// `testdata/auxdata.yaml`.
pub(in crate::policy) static AUX_DATAS: Object = Object {
    name: "auxData",
    fields: &[
        optional("$schema", &ANY_TEXT, ABOUT_SCHEMA),
        optional("auxData", &Shape::Map(&Shape::Object(&AUX_DATA)), "Claims of tokens, by name."),
    ],
    one_of: &[],
};

static ANY_TEXT: Shape = Shape::Text(Form::Any);
static GIVEN: Shape = Shape::Text(Form::Given);
static NAMES: Shape = set(&GIVEN, 0);
static SOME_NAMES: Shape = set(&GIVEN, 1);
static VERSION: Shape = Shape::Text(Form::WordOrEmpty);
static SCOPE: Shape = Shape::Text(Form::Scope);
static VALUES: Shape = Shape::Map(&Shape::Any);
static EFFECT: Shape = Shape::Word { taken: &["EFFECT_ALLOW", "EFFECT_DENY"], others: &[] };

const ABOUT_SCHEMA: &str = "The JSON Schema that editors check the file against.";

static OPTIONS: Object = Object {
    name: "options",
    fields: &[
        optional("now", &Shape::Text(Form::Instant), "The instant that `now()` yields, as in RFC 3339."),
        optional("globals", &VALUES, "The values of `globals`."),
        optional("defaultPolicyVersion", &ANY_TEXT, "As the setting `engine.defaultPolicyVersion`."),
        optional("defaultScope", &ANY_TEXT, "As the setting `engine.defaultScope`."),
        optional("lenientScopeSearch", &Shape::Flag, "As the setting `engine.lenientScopeSearch`."),
        optional("strictEvaluation", &Shape::Flag, "As the setting `engine.strictEvaluation`."),
    ],
    one_of: &[],
};

static PRINCIPAL: Object = Object {
    name: "principal",
    fields: &[
        required("id", &GIVEN, "The principal's id."),
        required("roles", &SOME_NAMES, "Its roles."),
        optional("attr", &VALUES, "Its attributes."),
        optional("policyVersion", &VERSION, "The version of principal policies to ask."),
        optional("scope", &SCOPE, "The scope to ask."),
    ],
    one_of: &[],
};

static RESOURCE: Object = Object {
    name: "resource",
    fields: &[
        required("kind", &GIVEN, "The kind of resource."),
        required("id", &GIVEN, "The resource's id."),
        optional("attr", &VALUES, "Its attributes."),
        optional("policyVersion", &VERSION, "The version of the policy to ask."),
        optional("scope", &SCOPE, "The scope to ask."),
    ],
    one_of: &[],
};

static AUX_DATA: Object = Object {
    name: "auxDataFixture",
    fields: &[
        optional("jwt", &VALUES, "The claims of the one token."),
        optional("jwts", &Shape::Map(&Shape::Object(&TOKEN)), "Several tokens by name."),
        optional("bound", &Shape::Flag, "Whether the holder of the one token proved to hold its key."),
    ],
    one_of: &[],
};

static TOKEN: Object =
    Object { name: "token", fields: &[optional("claims", &VALUES, "The claims of the token.")], one_of: &[] };

static PRINCIPAL_GROUP: Object = Object {
    name: "principalGroup",
    fields: &[required("principals", &SOME_NAMES, "The names of its members.")],
    one_of: &[],
};

static RESOURCE_GROUP: Object = Object {
    name: "resourceGroup",
    fields: &[required("resources", &SOME_NAMES, "The names of its members.")],
    one_of: &[],
};

static TEST: Object = Object {
    name: "test",
    fields: &[
        required("name", &GIVEN, "Its name, once in the suite."),
        optional("description", &ANY_TEXT, "What is tested."),
        optional("skip", &Shape::Flag, "Whether the test is left out."),
        optional("skipReason", &ANY_TEXT, "Why it is left out."),
        optional("options", &Shape::Object(&OPTIONS), "Settings instead of all those of the suite."),
        required("input", &Shape::Object(&INPUT), "Who asks for what."),
        required(
            "expected",
            &list(&Shape::Object(&EXPECTED), 1),
            "What is to be answered; deny, where nothing is said.",
        ),
    ],
    one_of: &[],
};

static INPUT: Object = Object {
    name: "input",
    fields: &[
        optional("principals", &NAMES, "Each of these principals"),
        optional("principalGroups", &NAMES, "and each member of these groups"),
        optional("resources", &NAMES, "asks for each of these resources"),
        optional("resourceGroups", &NAMES, "and each member of these groups"),
        required("actions", &SOME_NAMES, "whether it may do these actions."),
        optional("auxData", &ANY_TEXT, "The name of the claims that come with the request."),
        optional("context", &VALUES, "The member `context` of the request, which the peer does not have."),
        optional(
            "signals",
            &list(&Shape::Object(&SIGNAL), 0),
            "The facts in force, which the peer does not have.",
        ),
    ],
    one_of: &[],
};

static SIGNAL: Object = Object {
    name: "signal",
    fields: &[
        required("type", &GIVEN, "What is said."),
        required("at", &GIVEN, "Since when it is true, as in RFC 3339."),
        required("about", &VALUES, "Ids by kind: `principal`, `session`, `device` and so on."),
        optional("source", &ANY_TEXT, "Who says so."),
        optional("id", &ANY_TEXT, "The event that said so."),
        optional("slot", &ANY_TEXT, "What it takes the place of, if that is not what is said."),
        optional("data", &Shape::Any, "Its content."),
    ],
    one_of: &[],
};

static EXPECTED: Object = Object {
    name: "expected",
    fields: &[
        optional("principal", &ANY_TEXT, "For this principal,"),
        optional("principals", &NAMES, "for these principals,"),
        optional("principalGroups", &NAMES, "for the members of these groups,"),
        optional("resource", &ANY_TEXT, "and this resource,"),
        optional("resources", &NAMES, "these resources,"),
        optional("resourceGroups", &NAMES, "the members of these groups:"),
        required("actions", &Shape::Map(&EFFECT), "the effect of each action."),
        optional("outputs", &list(&Shape::Object(&OUTPUTS), 0), "What is put out."),
    ],
    one_of: &[],
};

static OUTPUTS: Object = Object {
    name: "expectedOutputs",
    fields: &[
        required("action", &GIVEN, "For this action"),
        required("expected", &list(&Shape::Object(&OUTPUT_ENTRY), 1), "these entries."),
    ],
    one_of: &[],
};

static OUTPUT_ENTRY: Object = Object {
    name: "expectedOutput",
    fields: &[
        optional("src", &ANY_TEXT, "The rule: `<policy>#<rule name>`."),
        optional("val", &Shape::Any, "The value."),
        optional("action", &ANY_TEXT, "Of no effect."),
        optional("error", &ANY_TEXT, "Of no effect."),
    ],
    one_of: &[],
};
