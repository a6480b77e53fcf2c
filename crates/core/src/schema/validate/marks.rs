//! Which entries of an object or items of an array a schema has looked at, for `unevaluatedProperties` and
//! `unevaluatedItems`.

use super::view::View;
use crate::limits::BYTES_PER_COST_UNIT;

/// The entries or items that count as evaluated.
#[derive(Clone, Debug)]
pub(super) enum Marks {
    /// Nobody asks.
    Ignored,
    /// By position.
    Some(Vec<bool>),
}

impl Marks {
    /// Nothing of `value` evaluated yet.
    pub(super) fn none_of(value: View<'_>) -> Self {
        match value {
            View::List(items) => Marks::Some(vec![false; items.len()]),
            View::Map(map) => Marks::Some(vec![false; map.len()]),
            _ => Marks::Ignored,
        }
    }

    /// Nothing of the same value evaluated yet.
    pub(super) fn fresh(&self) -> Self {
        match self {
            Marks::Ignored => Marks::Ignored,
            Marks::Some(seen) => Marks::Some(vec![false; seen.len()]),
        }
    }

    /// Cost units for making and merging another of this size.
    pub(super) fn cost(&self) -> usize {
        match self {
            Marks::Ignored => 0,
            Marks::Some(seen) => seen.len() / BYTES_PER_COST_UNIT,
        }
    }

    pub(super) fn add(&mut self, index: usize) {
        if let Marks::Some(seen) = self
            && let Some(mark) = seen.get_mut(index)
        {
            *mark = true;
        }
    }

    pub(super) fn all(&mut self) {
        if let Marks::Some(seen) = self {
            seen.fill(true);
        }
    }

    pub(super) fn has(&self, index: usize) -> bool {
        matches!(self, Marks::Some(seen) if seen.get(index) == Some(&true))
    }

    pub(super) fn merge(&mut self, other: Self) {
        if let (Marks::Some(seen), Marks::Some(more)) = (self, other) {
            for (mark, new) in seen.iter_mut().zip(more) {
                *mark |= new;
            }
        }
    }
}
