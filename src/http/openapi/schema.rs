//! The words that schemas are made of (JSON Schema 2020-12, as OpenAPI 3.1 takes it).

use serde_json::{Map, Value, json};

/// Schemas by the names under which others refer to them.
pub(super) type Schemas = Vec<(&'static str, Value)>;

/// A reference to the schema called `name`.
pub(super) fn of(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// An object with `members`, of which those `required` are always there, and no others.
pub(super) fn object(required: &[&str], members: Value) -> Value {
    let mut object = open_object(required, members);
    set(&mut object, "additionalProperties", json!(false));
    object
}

/// An object that may have other members besides.
pub(super) fn open_object(required: &[&str], members: Value) -> Value {
    let mut object = with(json!({"type": "object"}), "properties", members);
    if !required.is_empty() {
        set(&mut object, "required", json!(required));
    }
    object
}

/// An object whose members, whatever their names, are of `schema`.
pub(super) fn map_of(schema: Value) -> Value {
    with(json!({"type": "object"}), "additionalProperties", schema)
}

/// A list of `schema`.
pub(super) fn list_of(schema: Value) -> Value {
    with(json!({"type": "array"}), "items", schema)
}

/// Any text.
pub(super) fn text() -> Value {
    json!({"type": "string"})
}

/// One of these texts.
pub(super) fn one_of(texts: &[&str]) -> Value {
    json!({"type": "string", "enum": texts})
}

/// A number of things.
pub(super) fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// An instant of RFC 3339.
pub(super) fn instant() -> Value {
    json!({"type": "string", "format": "date-time"})
}

/// A hash in lower-case hexadecimal digits.
pub(super) fn hash() -> Value {
    json!({"type": "string", "pattern": "^[0-9a-f]{64}$"})
}

/// Allow or deny.
pub(super) fn effect() -> Value {
    one_of(&["EFFECT_ALLOW", "EFFECT_DENY"])
}

/// `schema`, or `null`, which in requests is the same as absent.
pub(super) fn nullable(schema: Value) -> Value {
    let simple = schema.get("type").is_some_and(Value::is_string) && schema.get("enum").is_none();
    if !simple {
        return json!({"anyOf": [schema, {"type": "null"}]});
    }
    let mut schema = schema;
    let kind = schema.get("type").cloned().unwrap_or_default();
    set(&mut schema, "type", json!([kind, "null"]));
    schema
}

/// `schema` with a description.
pub(super) fn told(description: &str, mut schema: Value) -> Value {
    set(&mut schema, "description", json!(description));
    schema
}

/// `schema` with `member` as `value`.
pub(super) fn with(mut schema: Value, member: &str, value: Value) -> Value {
    set(&mut schema, member, value);
    schema
}

/// Sets a member of a value that is an object.
pub(super) fn set(object: &mut Value, member: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(member.to_owned(), value);
    }
}

/// Named values as one object.
pub(super) fn named(values: impl IntoIterator<Item = (impl Into<String>, Value)>) -> Value {
    Value::Object(values.into_iter().map(|(name, value)| (name.into(), value)).collect::<Map<_, _>>())
}
