//! When two values are the same to a schema: numbers by value, maps whatever their order.

use std::cmp::Ordering;

use crate::value::Value;

/// Whether the two are the same.
pub(super) fn are_equal(a: &Value<'_>, b: &Value<'_>) -> bool {
    compare(a, b) == Ordering::Equal
}

/// A total order in which equal means the same.
pub(super) fn compare(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        // Numbers are finite, so they always compare.
        (Value::Number(a), Value::Number(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::List(a), Value::List(b)) => {
            let items = a.iter().zip(b).map(|(a, b)| compare(a, b));
            a.len().cmp(&b.len()).then_with(|| first_difference(items))
        }
        (Value::Map(a), Value::Map(b)) => {
            let entries = a.iter().zip(b.iter()).map(|((a, x), (b, y))| a.cmp(b).then_with(|| compare(x, y)));
            a.len().cmp(&b.len()).then_with(|| first_difference(entries))
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

/// The first pair of equal items by the index of its later one, then of its earlier one.
pub(super) fn first_twins(items: &[Value<'_>]) -> Option<(usize, usize)> {
    let mut sorted: Vec<(usize, &Value<'_>)> = items.iter().enumerate().collect();
    sorted.sort_by(|(_, a), (_, b)| compare(a, b));
    let twins = sorted.chunk_by(|(_, a), (_, b)| are_equal(a, b)).filter_map(|same| match same {
        // The sort is stable: the earliest two stand first.
        [(first, _), (second, _), ..] => Some((*first, *second)),
        _ => None,
    });
    twins.min_by_key(|(_, second)| *second)
}

/// Bytes and values that comparing with `value` looks at.
pub(super) fn size(value: &Value<'_>) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len(),
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(map) => 1 + map.iter().map(|(name, value)| name.len() + size(value)).sum::<usize>(),
    }
}

fn first_difference(orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn rank(value: &Value<'_>) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::List(_) => 4,
        Value::Map(_) => 5,
    }
}
