//! Values against nodes.
//!
//! Every step is paid for. How deep a walk goes is bounded; a value that needs more counts as too costly.

mod array;
mod equality;
mod errors;
mod marks;
mod object;
mod scalar;
mod view;

use self::errors::Errors;
use self::marks::Marks;
use self::view::View;
use super::node::{Condition, Constants, Dynamic, Keywords, Node, NodeId};
use super::{Mismatch, Schema, TooCostly};
use crate::expr::Budget;
use crate::limits::{SCHEMA_STEP_COST, SCHEMA_WALK_DEPTH};
use crate::value::Map;

/// What of `attributes` does not fit `schema`, sorted.
pub(super) fn validate(
    schema: &Schema,
    attributes: &Map<'_>,
    budget: &Budget,
) -> Result<Vec<Mismatch>, TooCostly> {
    let walk = Walk { schema, budget };
    let mut errors = Errors::default();
    let at = At { value: View::Map(attributes), path: &Path::Root, scope: None, depth: 0 };
    walk.apply(NodeId(0), at, &mut errors, &mut Marks::Ignored)?;
    Ok(errors.into_mismatches())
}

struct Walk<'s> {
    schema: &'s Schema,
    budget: &'s Budget,
}

/// Where a walk is.
#[derive(Clone, Copy)]
struct At<'a> {
    value: View<'a>,
    path: &'a Path<'a>,
    /// The resources that were passed, the last one first.
    scope: Option<&'a Scope<'a>>,
    depth: usize,
}

/// The way from the whole value to a part of it.
enum Path<'a> {
    Root,
    Name(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

/// A resource that was entered, and those before it.
struct Scope<'a> {
    resource: usize,
    outer: Option<&'a Scope<'a>>,
}

impl<'s> Walk<'s> {
    /// Validates the value at `at`; what of it `id` looks at is noted in `marks`.
    fn apply(&self, id: NodeId, at: At<'_>, errors: &mut Errors, marks: &mut Marks) -> Result<(), TooCostly> {
        self.charge(SCHEMA_STEP_COST)?;
        if at.depth > SCHEMA_WALK_DEPTH {
            return Err(TooCostly);
        }
        match self.schema.nodes.get(id.0) {
            Some(Node::Always(true)) => Ok(()),
            Some(Node::Keywords(keywords)) => self.keywords(keywords, at, errors, marks),
            Some(Node::Always(false)) | None => self.report(at, errors, || "not allowed".to_owned()),
        }
    }

    fn keywords(
        &self,
        keywords: &'s Keywords,
        at: At<'_>,
        errors: &mut Errors,
        marks: &mut Marks,
    ) -> Result<(), TooCostly> {
        if !at.value.is_of(&keywords.types) {
            return self.report(at, errors, || at.value.is_none_of(&keywords.types));
        }
        let entered;
        let at = match at.scope {
            Some(scope) if scope.resource == keywords.resource => at,
            outer => {
                entered = Scope { resource: keywords.resource, outer };
                At { scope: Some(&entered), ..at }
            }
        };
        let looks_for_rest =
            keywords.unevaluated_properties.is_some() || keywords.unevaluated_items.is_some();
        let mut own = if looks_for_rest { Marks::none_of(at.value) } else { marks.fresh() };
        for constants in [&keywords.constant, &keywords.choice].into_iter().flatten() {
            self.constants(constants, at, errors)?;
        }
        match at.value {
            View::String(text) => scalar::text(self, keywords, text, at, errors)?,
            View::Number(number) => scalar::number(self, &keywords.number, number, at, errors)?,
            View::List(items) => self.array(&keywords.array, items, at, errors, &mut own)?,
            View::Map(map) => self.object(&keywords.object, map, at, errors, &mut own)?,
            View::Null | View::Bool(_) => {}
        }
        self.in_place(keywords, at, errors, &mut own)?;
        self.rest(keywords, at, errors, &mut own)?;
        marks.merge(own);
        Ok(())
    }

    /// The schemas for the same value.
    fn in_place(
        &self,
        keywords: &'s Keywords,
        at: At<'_>,
        errors: &mut Errors,
        marks: &mut Marks,
    ) -> Result<(), TooCostly> {
        let in_place = &keywords.in_place;
        let dynamic = in_place.dynamic.as_ref().map(|dynamic| self.divert(dynamic, at.scope));
        for id in in_place.reference.iter().chain(&dynamic).chain(&in_place.all_of) {
            self.also(*id, at, errors, marks)?;
        }
        if let Some(not) = in_place.not {
            let mut found = Errors::default();
            self.also(not, at, &mut found, &mut marks.fresh())?;
            if found.is_empty() {
                self.report(at, errors, || "not failed".to_owned())?;
            }
        }
        self.any_of(&in_place.any_of, at, errors, marks)?;
        self.one_of(&in_place.one_of, at, errors, marks)?;
        match &in_place.condition {
            Some(condition) => self.condition(condition, at, errors, marks),
            None => Ok(()),
        }
    }

    /// Validates the same value by `id`; what it looked at counts only if it fits. Returns whether it fits.
    fn also(
        &self,
        id: NodeId,
        at: At<'_>,
        errors: &mut Errors,
        marks: &mut Marks,
    ) -> Result<bool, TooCostly> {
        let before = errors.count();
        let mut seen = marks.fresh();
        self.charge(seen.cost())?;
        self.apply(id, At { depth: at.depth + 1, ..at }, errors, &mut seen)?;
        let fits = errors.count() == before;
        if fits {
            marks.merge(seen);
        }
        Ok(fits)
    }

    fn any_of(
        &self,
        ids: &[NodeId],
        at: At<'_>,
        errors: &mut Errors,
        marks: &mut Marks,
    ) -> Result<(), TooCostly> {
        let mut found = Errors::default();
        let mut any = ids.is_empty();
        for id in ids {
            any |= self.also(*id, at, &mut found, marks)?;
        }
        if !any {
            errors.append(found);
        }
        Ok(())
    }

    fn one_of(
        &self,
        ids: &[NodeId],
        at: At<'_>,
        errors: &mut Errors,
        marks: &mut Marks,
    ) -> Result<(), TooCostly> {
        let mut found = Errors::default();
        let mut first = None;
        for (index, id) in ids.iter().enumerate() {
            if !self.also(*id, at, &mut found, marks)? {
                continue;
            }
            if let Some(first) = first {
                let message = || format!("valid against schemas at indexes {first} and {index}");
                return self.report(at, errors, message);
            }
            first = Some(index);
        }
        if first.is_none() {
            errors.append(found);
        }
        Ok(())
    }

    fn condition(
        &self,
        condition: &Condition,
        at: At<'_>,
        errors: &mut Errors,
        marks: &mut Marks,
    ) -> Result<(), TooCostly> {
        let holds = self.also(condition.test, at, &mut Errors::default(), marks)?;
        let next = if holds { condition.then } else { condition.otherwise };
        if let Some(id) = next {
            self.also(id, at, errors, marks)?;
        }
        Ok(())
    }

    /// What no other keyword looked at.
    fn rest(
        &self,
        keywords: &Keywords,
        at: At<'_>,
        errors: &mut Errors,
        marks: &mut Marks,
    ) -> Result<(), TooCostly> {
        match (at.value, keywords.unevaluated_properties, keywords.unevaluated_items) {
            (View::Map(map), Some(id), _) => {
                for (index, (name, value)) in map.iter().enumerate() {
                    if !marks.has(index) {
                        let path = Path::Name(at.path, name);
                        self.apply(id, at.inner(value.into(), &path), errors, &mut Marks::Ignored)?;
                    }
                }
                marks.all();
            }
            (View::List(items), _, Some(id)) => {
                for (index, value) in items.iter().enumerate() {
                    if !marks.has(index) {
                        let path = Path::Index(at.path, index);
                        self.apply(id, at.inner(value.into(), &path), errors, &mut Marks::Ignored)?;
                    }
                }
                marks.all();
            }
            _ => {}
        }
        Ok(())
    }

    fn constants(&self, constants: &Constants, at: At<'_>, errors: &mut Errors) -> Result<(), TooCostly> {
        self.charge(constants.cost)?;
        if constants.values.iter().any(|value| equality::compare(value.into(), at.value).is_eq()) {
            return Ok(());
        }
        self.report(at, errors, || constants.message.to_string())
    }

    /// Where a dynamic reference leads: the outermost resource that was passed and has the anchor decides.
    fn divert(&self, dynamic: &Dynamic, scope: Option<&Scope<'_>>) -> NodeId {
        let Some(anchor) = &dynamic.anchor else { return dynamic.fallback };
        let mut target = dynamic.fallback;
        let mut next = scope;
        while let Some(scope) = next {
            let anchors = self.schema.dynamic.get(scope.resource);
            target = anchors.and_then(|anchors| anchors.get(anchor)).copied().unwrap_or(target);
            next = scope.outer;
        }
        target
    }

    fn report(
        &self,
        at: At<'_>,
        errors: &mut Errors,
        message: impl FnOnce() -> String,
    ) -> Result<(), TooCostly> {
        self.charge(SCHEMA_STEP_COST + at.depth)?;
        errors.add(at.path, message);
        Ok(())
    }

    fn charge(&self, units: usize) -> Result<(), TooCostly> {
        self.budget.charge_call(units).map_err(|_| TooCostly)
    }
}

impl<'a> At<'a> {
    /// A part of the value, which `path` leads to.
    fn inner<'b>(&self, value: View<'b>, path: &'b Path<'b>) -> At<'b>
    where
        'a: 'b,
    {
        At { value, path, scope: self.scope, depth: self.depth + 1 }
    }
}
