//! What is asked of arrays.

use super::equality::{first_twins, size};
use super::errors::Errors;
use super::marks::Marks;
use super::scalar::count;
use super::{At, Path, Walk};
use crate::schema::TooCostly;
use crate::schema::node::{Array, Contains};
use crate::value::Value;

impl Walk<'_> {
    /// Validates `items`.
    pub(super) fn array(
        &self,
        asked: &Array,
        items: &[Value<'_>],
        at: At<'_>,
        errors: &mut Errors,
        marks: &mut Marks,
    ) -> Result<(), TooCostly> {
        let length = items.len();
        if let Some(min) = asked.min.filter(|min| count(length) < *min) {
            self.report(at, errors, || format!("minimum {min} items required, but found {length} items"))?;
        }
        if let Some(max) = asked.max.filter(|max| count(length) > *max) {
            self.report(at, errors, || format!("maximum {max} items required, but found {length} items"))?;
        }
        if asked.unique {
            self.unique(items, at, errors)?;
        }
        for (index, item) in items.iter().enumerate() {
            let Some(id) = asked.prefix.get(index).copied().or(asked.rest) else { break };
            marks.add(index);
            let path = Path::Index(at.path, index);
            self.apply(id, at.inner(item.into(), &path), errors, &mut Marks::Ignored)?;
        }
        if asked.ends && length > asked.prefix.len() {
            let allowed = asked.prefix.len();
            self.report(at, errors, || {
                format!("only {allowed} items are allowed, but found {length} items")
            })?;
        }
        match &asked.contains {
            Some(contains) => self.contains(contains, items, at, errors, marks),
            None => Ok(()),
        }
    }

    fn unique(&self, items: &[Value<'_>], at: At<'_>, errors: &mut Errors) -> Result<(), TooCostly> {
        let doublings = usize::BITS - items.len().leading_zeros();
        let looked_at: usize = items.iter().map(size).sum();
        self.charge(looked_at.saturating_mul(doublings as usize))?;
        match first_twins(items) {
            Some((first, second)) => {
                self.report(at, errors, || format!("items at index {first} and {second} are equal"))
            }
            None => Ok(()),
        }
    }

    fn contains(
        &self,
        asked: &Contains,
        items: &[Value<'_>],
        at: At<'_>,
        errors: &mut Errors,
        marks: &mut Marks,
    ) -> Result<(), TooCostly> {
        let mut fitting = 0;
        let mut found = Errors::default();
        for (index, item) in items.iter().enumerate() {
            let before = found.count();
            let path = Path::Index(at.path, index);
            self.apply(asked.schema, at.inner(item.into(), &path), &mut found, &mut Marks::Ignored)?;
            if found.count() == before {
                fitting += 1;
                if asked.evaluates {
                    marks.add(index);
                }
            }
        }
        if count(fitting) < asked.min {
            // The peer tells why items do not fit, and how many would have to only if all of them do.
            if found.is_empty() {
                self.report(at, errors, || format!("valid must be >= {}, but got {fitting}", asked.min))?;
            } else {
                errors.append(found);
            }
        }
        if let Some(max) = asked.max.filter(|max| count(fitting) > *max) {
            self.report(at, errors, || format!("valid must be <= {max}, but got {fitting}"))?;
        }
        Ok(())
    }
}
