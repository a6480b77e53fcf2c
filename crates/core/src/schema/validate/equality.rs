//! When two values are the same to a schema: numbers by value, maps whatever their order.

use std::cmp::Ordering;

use super::view::View;
use crate::value::Value;

/// A total order in which equal means the same.
pub(super) fn compare(a: View<'_>, b: View<'_>) -> Ordering {
    match (a, b) {
        (View::Bool(a), View::Bool(b)) => a.cmp(&b),
        // Numbers are finite, so they always compare.
        (View::Number(a), View::Number(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (View::String(a), View::String(b)) => a.cmp(b),
        (View::List(a), View::List(b)) => {
            let items = a.iter().zip(b).map(|(a, b)| compare(a.into(), b.into()));
            a.len().cmp(&b.len()).then_with(|| first_difference(items))
        }
        (View::Map(a), View::Map(b)) => {
            let entries = a
                .iter()
                .zip(b.iter())
                .map(|((a, x), (b, y))| a.cmp(b).then_with(|| compare(x.into(), y.into())));
            a.len().cmp(&b.len()).then_with(|| first_difference(entries))
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

/// The first pair of equal items by the index of its later one, then of its earlier one.
pub(super) fn first_twins(items: &[Value<'_>]) -> Option<(usize, usize)> {
    let mut sorted: Vec<(usize, &Value<'_>)> = items.iter().enumerate().collect();
    sorted.sort_by(|(_, a), (_, b)| compare((*a).into(), (*b).into()));
    let twins =
        sorted.chunk_by(|(_, a), (_, b)| compare((*a).into(), (*b).into()).is_eq()).filter_map(|same| {
            match same {
                // The sort is stable: the earliest two stand first.
                [(first, _), (second, _), ..] => Some((*first, *second)),
                _ => None,
            }
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

fn rank(value: View<'_>) -> u8 {
    match value {
        View::Null => 0,
        View::Bool(_) => 1,
        View::Number(_) => 2,
        View::String(_) => 3,
        View::List(_) => 4,
        View::Map(_) => 5,
    }
}
