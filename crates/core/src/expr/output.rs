//! Values to JSON, for the outputs of rules.
//!
//! Timestamps and durations become text, bytes base64, integers that a double cannot hold exactly text; an
//! optional becomes what it holds. Whatever has no JSON form is an error.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::val::{MapVal, Val};
use super::{Budget, time, wording};
use crate::value::{Map, Value};

/// What one value costs: as much as a few steps of evaluation, since it is kept until the answer is written.
/// A value that an expression holds once and names a thousand times is written a thousand times.
const COST: usize = 8;

/// Integers below this are exact as doubles.
const EXACT: u64 = 1 << 53;

impl Val<'_> {
    /// The value as JSON, paid for from `budget`; `Err` says what has no JSON form.
    pub fn to_json(&self, budget: &Budget) -> Result<Value<'static>, String> {
        budget.charge(COST).map_err(|error| error.message)?;
        Ok(match self {
            Val::Null => Value::Null,
            Val::Bool(b) => Value::Bool(*b),
            Val::Int(n) if n.unsigned_abs() < EXACT => Value::Number(*n as f64),
            Val::Int(n) => text(n.to_string()),
            Val::Uint(n) if *n < EXACT => Value::Number(*n as f64),
            Val::Uint(n) => text(n.to_string()),
            Val::Double(n) if n.is_finite() => Value::Number(*n),
            Val::Double(_) => return Err(wording::no_json_form(self)),
            Val::String(s) => {
                budget.charge(s.as_str().len() / 8).map_err(|error| error.message)?;
                text(s.as_str().to_owned())
            }
            Val::Bytes(bytes) => {
                budget.charge(bytes.len() / 8).map_err(|error| error.message)?;
                text(STANDARD.encode(bytes))
            }
            Val::List(items) => {
                Value::List(items.iter().map(|item| item.to_json(budget)).collect::<Result<_, _>>()?)
            }
            Val::Map(map) => object(map, budget)?,
            Val::Timestamp(t) => text(t.to_string()),
            Val::Duration(d) => text(time::duration_text(*d)),
            Val::Optional(Some(inner)) => inner.to_json(budget)?,
            Val::Optional(None) | Val::Type(_) | Val::Opaque(_) => return Err(wording::no_json_form(self)),
        })
    }
}

fn text(text: String) -> Value<'static> {
    Value::String(Cow::Owned(text))
}

fn object(map: &MapVal<'_>, budget: &Budget) -> Result<Value<'static>, String> {
    let mut entries = Vec::with_capacity(map.len());
    for (key, value) in (0..map.len()).filter_map(|at| map.entry(at)) {
        let Val::String(key) = key else {
            return Err(wording::no_text(&key));
        };
        budget.charge(key.as_str().len() / 8).map_err(|error| error.message)?;
        entries.push((Cow::Owned(key.as_str().to_owned()), value.to_json(budget)?));
    }
    let map = Map::from_entries(entries).map_err(|key| format!("the map has the key `{key}` twice"))?;
    Ok(Value::Map(map))
}
