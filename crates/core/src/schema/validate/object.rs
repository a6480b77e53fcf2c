//! What is asked of objects.

use super::errors::Errors;
use super::marks::Marks;
use super::scalar::count;
use super::view::View;
use super::{At, Path, Walk};
use crate::limits::SCHEMA_MISMATCH_BYTES;
use crate::schema::TooCostly;
use crate::schema::node::{Additional, Object};
use crate::schema::text::quote;
use crate::value::Map;

impl Walk<'_> {
    /// Validates `map`.
    pub(super) fn object(
        &self,
        asked: &Object,
        map: &Map<'_>,
        at: At<'_>,
        errors: &mut Errors,
        marks: &mut Marks,
    ) -> Result<(), TooCostly> {
        let size = map.len();
        if let Some(min) = asked.min.filter(|min| count(size) < *min) {
            self.report(at, errors, || {
                format!("minimum {min} properties allowed, but found {size} properties")
            })?;
        }
        if let Some(max) = asked.max.filter(|max| count(size) > *max) {
            self.report(at, errors, || {
                format!("maximum {max} properties allowed, but found {size} properties")
            })?;
        }
        self.charge(asked.required.len())?;
        let missing: Vec<&str> =
            asked.required.iter().map(AsRef::as_ref).filter(|name| map.get(name).is_none()).collect();
        if !missing.is_empty() {
            self.report(at, errors, || format!("missing properties: {}", quoted(&missing)))?;
        }
        if let Some(id) = asked.names {
            for (name, _) in map.iter() {
                let path = Path::Name(at.path, name);
                self.apply(id, at.inner(View::String(name), &path), errors, &mut Marks::Ignored)?;
            }
        }
        self.properties(asked, map, at, errors, marks)?;
        self.dependents(asked, map, at, errors, marks)
    }

    /// `properties`, `patternProperties` and `additionalProperties`.
    fn properties(
        &self,
        asked: &Object,
        map: &Map<'_>,
        at: At<'_>,
        errors: &mut Errors,
        marks: &mut Marks,
    ) -> Result<(), TooCostly> {
        let mut others = Vec::new();
        for (index, (name, value)) in map.iter().enumerate() {
            self.charge(1)?;
            let path = Path::Name(at.path, name);
            let at = at.inner(value.into(), &path);
            let own = asked.properties.get(name);
            if let Some(id) = own {
                self.apply(*id, at, errors, &mut Marks::Ignored)?;
            }
            let mut is_known = own.is_some();
            for (pattern, id) in &asked.patterns {
                self.charge(1 + name.len())?;
                if pattern.is_match(name) {
                    is_known = true;
                    self.apply(*id, at, errors, &mut Marks::Ignored)?;
                }
            }
            if is_known {
                marks.add(index);
                continue;
            }
            match asked.additional {
                Some(Additional::Schema(id)) => self.apply(id, at, errors, &mut Marks::Ignored)?,
                Some(Additional::None) => others.push(name),
                Some(Additional::Any) | None => {}
            }
        }
        if asked.additional.is_some() {
            marks.all();
        }
        if others.is_empty() {
            return Ok(());
        }
        self.report(at, errors, || format!("additionalProperties {} not allowed", quoted(&others)))
    }

    /// `dependentRequired`, `dependentSchemas` and `dependencies`.
    fn dependents(
        &self,
        asked: &Object,
        map: &Map<'_>,
        at: At<'_>,
        errors: &mut Errors,
        marks: &mut Marks,
    ) -> Result<(), TooCostly> {
        self.charge(asked.dependent_required.len() + asked.dependent_schemas.len())?;
        for (name, required) in &asked.dependent_required {
            if map.get(name).is_none() {
                continue;
            }
            self.charge(required.len())?;
            for wanted in required.iter().filter(|wanted| map.get(wanted).is_none()) {
                let message =
                    || format!("property {} is required, if {} property exists", quote(wanted), quote(name));
                self.report(at, errors, message)?;
            }
        }
        for (name, id) in &asked.dependent_schemas {
            if map.get(name).is_some() {
                self.also(*id, at, errors, marks)?;
            }
        }
        Ok(())
    }
}

/// The names in quotes, as many as a message has room for.
fn quoted(names: &[&str]) -> String {
    let mut list = String::new();
    for name in names {
        if list.len() > SCHEMA_MISMATCH_BYTES {
            break;
        }
        if !list.is_empty() {
            list.push_str(", ");
        }
        let (head, _) = name.split_at(name.floor_char_boundary(SCHEMA_MISMATCH_BYTES));
        list.push_str(&quote(head));
    }
    list
}
