//! The kinds of policy, `api.cerbos.dev/v1`: fields and forms of the peer, version 0.55.

use super::{Form, Object, Shape, list, optional, required, set};

/// One file.
pub(in crate::policy) static POLICY: Object = Object {
    name: "policy",
    fields: &[
        required(
            "apiVersion",
            &Shape::Text(Form::Exactly(API_VERSION)),
            "The version of the policy language.",
        ),
        optional("disabled", &Shape::Flag, "Whether the policy is treated as if it were not there."),
        optional("description", &ANY_TEXT, "What the policy is for."),
        optional("$schema", &ANY_TEXT, "The JSON Schema that editors check the file against."),
        optional("metadata", &Shape::Object(&METADATA), "Notes for tools."),
        optional("variables", &EXPRESSIONS, "Deprecated: write `variables.local` within the body."),
        optional(
            "resourcePolicy",
            &Shape::Object(&RESOURCE_POLICY),
            "Which roles may do what to a kind of resource.",
        ),
        optional("principalPolicy", &Shape::Object(&PRINCIPAL_POLICY), "Exceptions for one principal."),
        optional("rolePolicy", &Shape::Object(&ROLE_POLICY), "The actions that a role is confined to."),
        optional(
            "derivedRoles",
            &Shape::Object(&DERIVED_ROLES),
            "Roles that follow from other roles and the request.",
        ),
        optional(
            "exportVariables",
            &Shape::Object(&EXPORT_VARIABLES),
            "Variables for other policies to import.",
        ),
        optional(
            "exportConstants",
            &Shape::Object(&EXPORT_CONSTANTS),
            "Constants for other policies to import.",
        ),
    ],
    one_of: &[
        "resourcePolicy",
        "principalPolicy",
        "rolePolicy",
        "derivedRoles",
        "exportVariables",
        "exportConstants",
    ],
};

/// The one version of the language.
pub(in crate::policy) const API_VERSION: &str = "api.cerbos.dev/v1";

static ANY_TEXT: Shape = Shape::Text(Form::Any);
static GIVEN: Shape = Shape::Text(Form::Given);
static EXPRESSION: Shape = Shape::Text(Form::Expression);
static EXPRESSIONS: Shape = Shape::Map(&EXPRESSION);
static NO_GLOB: Shape = Shape::Text(Form::NoGlob);
static WORD: Shape = Shape::Text(Form::Word);
static SET_NAME: Shape = Shape::Text(Form::SetName);
static SCOPE: Shape = Shape::Text(Form::Scope);
static RULE_NAME: Shape = Shape::Text(Form::RuleName);
static IMPORTS: Shape = set(&SET_NAME, 0);
static ROLES: Shape = set(&GIVEN, 0);
static SOME_TEXTS: Shape = set(&GIVEN, 1);
static EFFECT: Shape = Shape::Word {
    taken: &["EFFECT_ALLOW", "EFFECT_DENY"],
    others: &["EFFECT_UNSPECIFIED", "EFFECT_NO_MATCH"],
};

const UNSPECIFIED: &str = "SCOPE_PERMISSIONS_UNSPECIFIED";
const OVERRIDE: &str = "SCOPE_PERMISSIONS_OVERRIDE_PARENT";
const CONSENT: &str = "SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS";
static SCOPE_PERMISSIONS: Shape = Shape::Word { taken: &[OVERRIDE, CONSENT, UNSPECIFIED], others: &[] };
static ROLE_SCOPE_PERMISSIONS: Shape = Shape::Word { taken: &[CONSENT, UNSPECIFIED], others: &[OVERRIDE] };

const ABOUT_VERSION: &str =
    "The version of the policy that requests ask for; `default` if they ask for none.";
const ABOUT_SCOPE: &str = "The scope: names separated by `.`, from the widest to the narrowest.";
const ABOUT_SCOPE_PERMISSIONS: &str =
    "Whether this scope decides for itself or only narrows what its parent allows.";
const ABOUT_VARIABLES: &str = "Named expressions, read as `V.name`.";
const ABOUT_CONSTANTS: &str = "Named values, read as `C.name`.";
const ABOUT_RULE_NAME: &str = "A name, unique in the policy; decisions and outputs name it.";
const ABOUT_CONDITION: &str = "When the rule applies; always, if there is none.";
const ABOUT_OUTPUT: &str = "What the answer carries when the rule is visited.";

static METADATA: Object = Object {
    name: "metadata",
    fields: &[
        optional("annotations", &Shape::Map(&ANY_TEXT), "Notes by name."),
        optional("sourceFile", &ANY_TEXT, "Where the policy comes from."),
        optional("storeIdentifier", &ANY_TEXT, "What its store calls it."),
        optional("hash", &Shape::Any, "A 64-bit number over the content."),
    ],
    one_of: &[],
};

static RESOURCE_POLICY: Object = Object {
    name: "resourcePolicy",
    fields: &[
        required("resource", &NO_GLOB, "The kind of resource."),
        required("version", &WORD, ABOUT_VERSION),
        optional("scope", &SCOPE, ABOUT_SCOPE),
        optional("scopePermissions", &SCOPE_PERMISSIONS, ABOUT_SCOPE_PERMISSIONS),
        optional("schemas", &Shape::Object(&SCHEMAS), "JSON Schemas of the attributes."),
        optional(
            "importDerivedRoles",
            &IMPORTS,
            "Names of `derivedRoles` files whose roles the rules may name.",
        ),
        optional("variables", &Shape::Object(&VARIABLES), ABOUT_VARIABLES),
        optional("constants", &Shape::Object(&CONSTANTS), ABOUT_CONSTANTS),
        optional("rules", &list(&Shape::Object(&RESOURCE_RULE), 0), "The rules; their order is irrelevant."),
    ],
    one_of: &[],
};

static RESOURCE_RULE: Object = Object {
    name: "resourceRule",
    fields: &[
        optional("name", &RULE_NAME, ABOUT_RULE_NAME),
        required(
            "actions",
            &SOME_TEXTS,
            "The actions: names, or patterns in which `*` stands for any characters up to the next `:`.",
        ),
        optional(
            "roles",
            &ROLES,
            "Roles of the principal; `*` is any. A rule needs `roles` or `derivedRoles`.",
        ),
        optional("derivedRoles", &IMPORTS, "Derived roles of the imported files."),
        required("effect", &EFFECT, "What the rule says; within one role, deny beats allow."),
        optional("condition", &Shape::Object(&CONDITION), ABOUT_CONDITION),
        optional("output", &Shape::Object(&OUTPUT), ABOUT_OUTPUT),
    ],
    one_of: &[],
};

static PRINCIPAL_POLICY: Object = Object {
    name: "principalPolicy",
    fields: &[
        required("principal", &NO_GLOB, "The principal's id."),
        required("version", &WORD, ABOUT_VERSION),
        optional("scope", &SCOPE, ABOUT_SCOPE),
        optional("scopePermissions", &SCOPE_PERMISSIONS, ABOUT_SCOPE_PERMISSIONS),
        optional("variables", &Shape::Object(&VARIABLES), ABOUT_VARIABLES),
        optional("constants", &Shape::Object(&CONSTANTS), ABOUT_CONSTANTS),
        optional("rules", &list(&Shape::Object(&PRINCIPAL_RULE), 0), "The rules, one for each resource."),
    ],
    one_of: &[],
};

static PRINCIPAL_RULE: Object = Object {
    name: "principalRule",
    fields: &[
        required("resource", &GIVEN, "The kind of resource, or a pattern with `*`; each once."),
        required("actions", &list(&Shape::Object(&ACTION_RULE), 1), "What holds for which action."),
    ],
    one_of: &[],
};

static ACTION_RULE: Object = Object {
    name: "actionRule",
    fields: &[
        optional("name", &RULE_NAME, ABOUT_RULE_NAME),
        required("action", &GIVEN, "The action, or a pattern with `*`."),
        required("effect", &EFFECT, "What the rule says; it is final for this principal."),
        optional("condition", &Shape::Object(&CONDITION), ABOUT_CONDITION),
        optional("output", &Shape::Object(&OUTPUT), ABOUT_OUTPUT),
    ],
    one_of: &[],
};

static ROLE_POLICY: Object = Object {
    name: "rolePolicy",
    fields: &[
        required("role", &NO_GLOB, "The role."),
        optional("version", &Shape::Text(Form::WordOrEmpty), ABOUT_VERSION),
        optional("scope", &SCOPE, ABOUT_SCOPE),
        optional("scopePermissions", &ROLE_SCOPE_PERMISSIONS, "Deprecated: role policies always narrow."),
        optional("parentRoles", &ROLES, "Roles whose permissions this role narrows."),
        optional("variables", &Shape::Object(&VARIABLES), ABOUT_VARIABLES),
        optional("constants", &Shape::Object(&CONSTANTS), ABOUT_CONSTANTS),
        optional(
            "rules",
            &list(&Shape::Object(&ROLE_RULE), 0),
            "The allowed actions of each resource; all others are denied.",
        ),
    ],
    one_of: &[],
};

static ROLE_RULE: Object = Object {
    name: "roleRule",
    fields: &[
        required("resource", &GIVEN, "The kind of resource, or a pattern with `*`."),
        required(
            "allowActions",
            &SOME_TEXTS,
            "The actions that are not denied: names, or patterns with `*`.",
        ),
        optional("name", &RULE_NAME, ABOUT_RULE_NAME),
        optional("condition", &Shape::Object(&CONDITION), ABOUT_CONDITION),
        optional("output", &Shape::Object(&OUTPUT), ABOUT_OUTPUT),
    ],
    one_of: &[],
};

static DERIVED_ROLES: Object = Object {
    name: "derivedRoles",
    fields: &[
        required("name", &SET_NAME, "The name by which policies import the roles."),
        optional("variables", &Shape::Object(&VARIABLES), ABOUT_VARIABLES),
        optional("constants", &Shape::Object(&CONSTANTS), ABOUT_CONSTANTS),
        required("definitions", &list(&Shape::Object(&DERIVED_ROLE), 1), "The derived roles."),
    ],
    one_of: &[],
};

static DERIVED_ROLE: Object = Object {
    name: "derivedRole",
    fields: &[
        required("name", &SET_NAME, "Its name, once in the file."),
        required("parentRoles", &SOME_TEXTS, "The roles of which the principal must hold one; `*` is any."),
        optional("condition", &Shape::Object(&CONDITION), "When it holds; always, if there is none."),
    ],
    one_of: &[],
};

static EXPORT_VARIABLES: Object = Object {
    name: "exportVariables",
    fields: &[
        required("name", &SET_NAME, "The name by which policies import the variables."),
        optional("definitions", &EXPRESSIONS, ABOUT_VARIABLES),
    ],
    one_of: &[],
};

static EXPORT_CONSTANTS: Object = Object {
    name: "exportConstants",
    fields: &[
        required("name", &SET_NAME, "The name by which policies import the constants."),
        optional("definitions", &Shape::Map(&Shape::Any), ABOUT_CONSTANTS),
    ],
    one_of: &[],
};

static VARIABLES: Object = Object {
    name: "variables",
    fields: &[
        optional("import", &IMPORTS, "Names of `exportVariables` files."),
        optional("local", &EXPRESSIONS, ABOUT_VARIABLES),
    ],
    one_of: &[],
};

static CONSTANTS: Object = Object {
    name: "constants",
    fields: &[
        optional("import", &IMPORTS, "Names of `exportConstants` files."),
        optional("local", &Shape::Map(&Shape::Any), ABOUT_CONSTANTS),
    ],
    one_of: &[],
};

static SCHEMAS: Object = Object {
    name: "schemas",
    fields: &[
        optional("principalSchema", &Shape::Object(&SCHEMA), "The schema of the principal's attributes."),
        optional("resourceSchema", &Shape::Object(&SCHEMA), "The schema of the resource's attributes."),
    ],
    one_of: &[],
};

static SCHEMA: Object = Object {
    name: "schema",
    fields: &[
        required("ref", &GIVEN, "Where the schema is: `cerbos:///name.json` is `_schemas/name.json`."),
        optional("ignoreWhen", &Shape::Object(&IGNORE_WHEN), "When attributes are not validated."),
    ],
    one_of: &[],
};

static IGNORE_WHEN: Object = Object {
    name: "ignoreWhen",
    fields: &[required(
        "actions",
        &SOME_TEXTS,
        "If all requested actions are among these: names, or patterns with `*`.",
    )],
    one_of: &[],
};

static CONDITION: Object = Object {
    name: "condition",
    fields: &[
        optional("match", &Shape::Object(&MATCH), "One expression, or `all`, `any` or `none` of several."),
        optional("script", &ANY_TEXT, "No longer supported: write `match`."),
    ],
    one_of: &["match", "script"],
};

static MATCH: Object = Object {
    name: "match",
    fields: &[
        optional("expr", &EXPRESSION, "A CEL expression that is true or false."),
        optional("all", &Shape::Object(&MATCH_LIST), "All of these."),
        optional("any", &Shape::Object(&MATCH_LIST), "At least one of these."),
        optional("none", &Shape::Object(&MATCH_LIST), "None of these."),
    ],
    one_of: &["expr", "all", "any", "none"],
};

static MATCH_LIST: Object = Object {
    name: "matchList",
    fields: &[required("of", &list(&Shape::Object(&MATCH), 1), "The conditions.")],
    one_of: &[],
};

static OUTPUT: Object = Object {
    name: "output",
    fields: &[
        optional("when", &Shape::Object(&OUTPUT_WHEN), "What to put out in which case."),
        optional("expr", &EXPRESSION, "Deprecated: write `when.ruleActivated`."),
    ],
    one_of: &[],
};

static OUTPUT_WHEN: Object = Object {
    name: "outputWhen",
    fields: &[
        optional("ruleActivated", &EXPRESSION, "A CEL expression, evaluated if the rule applies."),
        optional(
            "conditionNotMet",
            &EXPRESSION,
            "A CEL expression, evaluated if the condition does not hold.",
        ),
    ],
    one_of: &[],
};
