//! `const` and `enum`: values to compare with, and what is said of a value that is none of them.

use std::borrow::Cow;

use super::document::Document;
use super::json::{Content, JsonId};
use super::node::Constants;
use super::text::double_quote;
use crate::limits::BYTES_PER_COST_UNIT;
use crate::value::{Map, Value};

/// `const`.
pub(super) fn constant(document: &Document, id: JsonId) -> Constants {
    let message = match shown(document, id) {
        Some(shown) => format!("value must be {shown}"),
        None => "const failed".to_owned(),
    };
    let (value, cost) = value(document, id);
    Constants { values: vec![value], cost, message: message.into() }
}

/// `enum`; nothing if it is empty, as the peer has it.
pub(super) fn choice(document: &Document, id: JsonId) -> Option<Constants> {
    let Content::List(items) = &document.tree.get(id).content else { return None };
    let shown: Option<Vec<String>> = items.iter().map(|id| shown(document, *id)).collect();
    let message = match shown.as_deref() {
        Some([]) => return None,
        Some([only]) => format!("value must be {only}"),
        Some(several) => format!("value must be one of {}", several.join(", ")),
        None => "enum failed".to_owned(),
    };
    let (values, costs): (Vec<_>, Vec<_>) = items.iter().map(|id| value(document, *id)).unzip();
    Some(Constants { values, cost: costs.into_iter().sum(), message: message.into() })
}

/// How the peer prints a scalar; nothing for lists and maps.
fn shown(document: &Document, id: JsonId) -> Option<String> {
    match &document.tree.get(id).content {
        Content::Null => Some("<nil>".to_owned()),
        Content::Bool(b) => Some(b.to_string()),
        Content::Number(number) => Some(double_quote(&number.text)),
        Content::String(text) => Some(double_quote(text)),
        Content::List(_) | Content::Map(_) => None,
    }
}

/// The value, and the cost of comparing with it.
fn value(document: &Document, id: JsonId) -> (Value<'static>, usize) {
    let mut cost = 1;
    let mut inner = |id: JsonId| {
        let (value, more) = value(document, id);
        cost += more;
        value
    };
    let value = match &document.tree.get(id).content {
        Content::Null => Value::Null,
        Content::Bool(b) => Value::Bool(*b),
        Content::Number(number) => Value::Number(number.value),
        Content::String(text) => {
            return (Value::String(Cow::Owned(text.to_string())), 1 + text.len() / BYTES_PER_COST_UNIT);
        }
        Content::List(items) => Value::List(items.iter().map(|id| inner(*id)).collect()),
        Content::Map(entries) => {
            let pairs = entries.iter().map(|entry| (Cow::Owned(entry.key.to_string()), inner(entry.value)));
            Value::Map(Map::from_entries(pairs.collect()).unwrap_or_default())
        }
    };
    (value, cost)
}
