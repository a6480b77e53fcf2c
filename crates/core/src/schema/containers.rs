//! The keywords of arrays and objects, compiled.

use super::compile::{Compiler, Source};
use super::draft::Draft;
use super::json::{Content, Entry, JsonId};
use super::library::Unusable;
use super::node::{Additional, Array, Contains, NodeId, Object};

/// What `source` asks of arrays.
pub(super) fn array(compiler: &mut Compiler<'_, '_>, source: &Source<'_>) -> Result<Array, Unusable> {
    let (prefix, rest, ends) = items(compiler, source)?;
    let contains = compiler.child(source, "contains")?.map(|schema| Contains {
        schema,
        min: source.number("minContains").unwrap_or(1.0),
        max: source.number("maxContains"),
        evaluates: source.document().draft >= Draft::D2020,
    });
    Ok(Array {
        min: source.number("minItems"),
        max: source.number("maxItems"),
        unique: source.flag("uniqueItems"),
        prefix,
        rest,
        ends,
        contains,
    })
}

/// `prefixItems` and `items`, or what they were called before.
fn items(
    compiler: &mut Compiler<'_, '_>,
    source: &Source<'_>,
) -> Result<(Vec<NodeId>, Option<NodeId>, bool), Unusable> {
    if !matches!(source.content("items"), Some(Content::List(_))) {
        return Ok((compiler.children(source, "prefixItems")?, compiler.child(source, "items")?, false));
    }
    let prefix = compiler.children(source, "items")?;
    if matches!(source.content("additionalItems"), Some(Content::Bool(false))) {
        return Ok((prefix, None, true));
    }
    Ok((prefix, compiler.child(source, "additionalItems")?, false))
}

/// What `source` asks of objects.
pub(super) fn object(compiler: &mut Compiler<'_, '_>, source: &Source<'_>) -> Result<Object, Unusable> {
    let mut object = Object {
        min: source.number("minProperties"),
        max: source.number("maxProperties"),
        required: names(source, source.list("required")),
        names: compiler.child(source, "propertyNames")?,
        additional: additional(compiler, source)?,
        ..Object::default()
    };
    for entry in entries(source, "properties") {
        object.properties.insert(entry.key.clone(), compiler.node(source.inner(entry.value))?);
    }
    for entry in entries(source, "patternProperties") {
        let pattern = compiler.pattern(source, &entry.key)?;
        object.patterns.push((pattern, compiler.node(source.inner(entry.value))?));
    }
    for entry in entries(source, "dependentRequired").chain(entries(source, "dependencies")) {
        if let Content::List(items) = &source.document().tree.get(entry.value).content {
            object.dependent_required.push((entry.key.clone(), names(source, items)));
        }
    }
    for entry in entries(source, "dependentSchemas").chain(entries(source, "dependencies")) {
        if !matches!(source.document().tree.get(entry.value).content, Content::List(_)) {
            object.dependent_schemas.push((entry.key.clone(), compiler.node(source.inner(entry.value))?));
        }
    }
    Ok(object)
}

fn additional(compiler: &mut Compiler<'_, '_>, source: &Source<'_>) -> Result<Option<Additional>, Unusable> {
    Ok(match source.content("additionalProperties") {
        Some(Content::Bool(true)) => Some(Additional::Any),
        Some(Content::Bool(false)) => Some(Additional::None),
        _ => compiler.child(source, "additionalProperties")?.map(Additional::Schema),
    })
}

fn entries<'s>(source: &Source<'s>, name: &str) -> impl Iterator<Item = &'s Entry> + use<'s> {
    match source.content(name) {
        Some(Content::Map(entries)) => entries.iter(),
        _ => [].iter(),
    }
}

fn names(source: &Source<'_>, items: &[JsonId]) -> Vec<Box<str>> {
    items.iter().filter_map(|id| source.document().tree.text(*id)).map(Box::from).collect()
}
