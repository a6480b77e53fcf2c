//! Changes of SCIM resources (RFC 9967): accounts that are disabled or enabled, and attributes that change.

use super::catalogue::{DISABLED, ENABLED, PURGED};
use super::event::{Statement, statement};
use super::member::{self, Malformed};
use crate::limits::FACT_VALUES;
use crate::value::{Map, Value};

/// How the URI of each of these events begins.
pub(super) const PREFIX: &str = "urn:ietf:params:scim:event:";

/// What was done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    FeedAdd,
    FeedRemove,
    Create,
    Put,
    Patch,
    Delete,
    Activate,
    Deactivate,
    /// A request was answered, by which nothing is said of the resource.
    Async,
}

/// What an event says of the attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    None,
    /// Which have changed.
    Notice,
    /// What they are now.
    Full,
}

/// What the event `content` states.
///
/// `data` and `attributes` exclude each other (RFC 9967, section 2.4).
pub(super) fn statements(
    change: Change,
    payload: Payload,
    content: &Map<'_>,
) -> Result<Vec<Statement>, Malformed> {
    let attributes = || statement("scim-attributes-stale", "scim-attributes", 1, content);
    Ok(match (payload, change) {
        (Payload::Notice, _) => {
            absent(content, "data")?;
            match member::optional_texts(content, "attributes", FACT_VALUES)? {
                None => return Err(Malformed::new("attributes", "is missing")),
                Some(_) => vec![attributes()?],
            }
        }
        (Payload::Full, _) => {
            absent(content, "attributes")?;
            full(change, content)?
        }
        (Payload::None, Change::Delete) => vec![statement("account-purged", "account", PURGED, content)?],
        (Payload::None, Change::Deactivate) => {
            vec![statement("account-disabled", "account", DISABLED, content)?]
        }
        (Payload::None, Change::Activate) => vec![statement("account-enabled", "account", ENABLED, content)?],
        (Payload::None, Change::FeedAdd) => vec![statement("scim-feed-add", "scim-feed", 0, content)?],
        (Payload::None, Change::FeedRemove) => vec![statement("scim-feed-remove", "scim-feed", 1, content)?],
        (Payload::None, Change::Create | Change::Put | Change::Patch | Change::Async) => Vec::new(),
    })
}

/// A patch is a fact of its own, since it says nothing of the attributes that it leaves alone.
fn full(change: Change, content: &Map<'_>) -> Result<Vec<Statement>, Malformed> {
    let data = member::object(content, "data")?;
    let slot = if change == Change::Patch { "scim-attributes/patch" } else { "scim-attributes" };
    let mut statements = vec![statement("scim-attributes", slot, 0, content)?];
    let nothing = Map::default();
    statements.extend(match active(data) {
        Some(false) => Some(statement("account-disabled", "account", DISABLED, &nothing)?),
        Some(true) => Some(statement("account-enabled", "account", ENABLED, &nothing)?),
        None => None,
    });
    Ok(statements)
}

fn absent(content: &Map<'_>, name: &'static str) -> Result<(), Malformed> {
    match content.get(name) {
        None => Ok(()),
        Some(_) => Err(Malformed::new(name, "does not belong into this event")),
    }
}

/// What `active` is set to, by the attributes themselves or by the last operation of a patch (RFC 7644, section 3.5.2).
fn active(data: &Map<'_>) -> Option<bool> {
    let operations = match named(data, "Operations") {
        Some(Value::List(operations)) => operations.as_slice(),
        _ => &[],
    };
    let by_operations = operations.iter().rev().find_map(|operation| match operation {
        Value::Map(operation) => set_by(operation),
        _ => None,
    });
    by_operations.or_else(|| named(data, "active").and_then(boolean))
}

fn set_by(operation: &Map<'_>) -> Option<bool> {
    let is = |name: &str, text: &str| matches!(named(operation, name), Some(Value::String(found)) if found.eq_ignore_ascii_case(text));
    if is("op", "remove") {
        return None;
    }
    match (named(operation, "path"), named(operation, "value")?) {
        (None, Value::Map(values)) => named(values, "active").and_then(boolean),
        (Some(_), value) if is("path", "active") => boolean(value),
        _ => None,
    }
}

/// Some services write booleans as texts.
fn boolean(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Names of attributes are the same in upper and lower case (RFC 7643, section 2.1).
fn named<'m, 'v>(map: &'m Map<'v>, name: &str) -> Option<&'m Value<'v>> {
    map.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
