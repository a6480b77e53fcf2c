//! Text of a suite to what it says.

use std::collections::BTreeMap;

use super::document::{Broken, Field, Object, Reader, read};
use super::signals::signals;
use super::spec::{Expected, ExpectedOutputs, Fixtures, Input, Options, Selection, Suite, Test};
use super::{fixtures, instant};
use crate::model::{Effect, Timestamp};
use crate::policy::yaml::{Content, Place};
use crate::value::Value;

/// Reads the text of a suite.
pub(super) fn suite(text: &str) -> Result<Suite, Broken> {
    read(text, suite_fields)
}

fn suite_fields<'t>(root: &mut Object<'t>, reader: &mut Reader<'t>) -> Suite {
    let (name, _) = root.some_text("name", reader);
    let tests = root.some_items("tests", reader);
    Suite {
        name,
        description: root.text("description", reader),
        skip: reader.flag(root.take("skip")).unwrap_or_default(),
        skip_reason: root.text("skipReason", reader),
        options: root.take("options").and_then(|field| options(field, reader)),
        tests: tests.into_iter().filter_map(|field| test(field, reader)).collect(),
        fixtures: Fixtures {
            principals: fixtures::principals(root, reader),
            resources: fixtures::resources(root, reader),
            aux_data: fixtures::aux_data(root, reader),
            principal_groups: fixtures::groups(root, "principal", reader),
            resource_groups: fixtures::groups(root, "resource", reader),
        },
    }
}

fn options<'t>(field: Field<'t>, reader: &mut Reader<'t>) -> Option<Options> {
    let mut fields = reader.object(field)?;
    let options = Options {
        now: fields.take("now").and_then(|field| now(&field, reader)),
        globals: fields.take("globals").map(|field| reader.map(Some(field))),
        default_policy_version: fields.take("defaultPolicyVersion").map(|field| reader.text(&field)),
        default_scope: fields.take("defaultScope").map(|field| reader.text(&field)),
        lenient_scope_search: reader.flag(fields.take("lenientScopeSearch")),
        strict_evaluation: reader.flag(fields.take("strictEvaluation")),
    };
    fields.finish(reader);
    Some(options)
}

fn now<'t>(field: &Field<'t>, reader: &mut Reader<'t>) -> Option<Timestamp> {
    let text = reader.strict_text(field)?;
    let instant = instant::parse(&text);
    instant.map_err(|message| reader.malformed(field.node.place, message)).ok()
}

fn test<'t>(field: Field<'t>, reader: &mut Reader<'t>) -> Option<Test> {
    let mut fields = reader.object(field)?;
    let (name, place) = fields.some_text("name", reader);
    let test = Test {
        name,
        place,
        skip: reader.flag(fields.take("skip")).unwrap_or_default(),
        skip_reason: fields.text("skipReason", reader),
        input: fields.required("input", reader).and_then(|field| input(field, reader)).unwrap_or_default(),
        expected: {
            let items = fields.some_items("expected", reader);
            items.into_iter().filter_map(|item| expected(item, reader)).collect()
        },
        options: fields.take("options").and_then(|field| options(field, reader)),
    };
    fields.text("description", reader);
    fields.finish(reader);
    Some(test)
}

fn input<'t>(field: Field<'t>, reader: &mut Reader<'t>) -> Option<Input> {
    let mut fields = reader.object(field)?;
    let principals = selection(&mut fields, "principal", reader);
    let resources = selection(&mut fields, "resource", reader);
    for (of, selection) in [("principal", &principals), ("resource", &resources)] {
        if selection.is_empty() {
            fields.invalid(&format!("{of}s or {of}Groups must be present"), reader);
        }
    }
    let input = Input {
        principals,
        resources,
        actions: fields.some_names("actions", reader),
        aux_data: fields.text("auxData", reader),
        context: fields.take("context").map(|field| reader.map(Some(field))),
        signals: signals(fields.take("signals"), reader),
    };
    fields.finish(reader);
    Some(input)
}

fn selection<'t>(fields: &mut Object<'t>, of: &str, reader: &mut Reader<'t>) -> Selection {
    Selection {
        names: fields.names(&format!("{of}s"), reader),
        groups: fields.names(&format!("{of}Groups"), reader),
    }
}

fn expected<'t>(field: Field<'t>, reader: &mut Reader<'t>) -> Option<Expected> {
    let mut fields = reader.object(field)?;
    let expected = Expected {
        principals: expected_selection(&mut fields, "principal", reader),
        resources: expected_selection(&mut fields, "resource", reader),
        actions: expected_actions(&mut fields, reader),
        outputs: {
            let items = reader.items(fields.take("outputs"));
            items.into_iter().filter_map(|item| expected_outputs(item, reader)).collect()
        },
    };
    fields.finish(reader);
    Some(expected)
}

/// One name, or some names, and groups.
fn expected_selection<'t>(fields: &mut Object<'t>, of: &str, reader: &mut Reader<'t>) -> Selection {
    let one = fields.text(of, reader);
    let mut selection = selection(fields, of, reader);
    if !one.is_empty() && !selection.names.is_empty() {
        fields.invalid(&format!("{of} and {of}s may not both be present"), reader);
    }
    if !one.is_empty() {
        selection.names.push(one);
    }
    if selection.is_empty() {
        fields.invalid(&format!("{of}, {of}s, or {of}Groups must be present"), reader);
    }
    selection
}

fn expected_actions<'t>(
    fields: &mut Object<'t>,
    reader: &mut Reader<'t>,
) -> BTreeMap<String, (Effect, Place)> {
    let Some(field) = fields.required("actions", reader) else {
        return BTreeMap::new();
    };
    let (path, place) = (field.path.clone(), field.place);
    let entries = reader.entries(Some(field));
    if entries.is_empty() {
        reader.invalid(Some(place), &path, "value is required");
    }
    let mut actions = BTreeMap::new();
    for (action, field) in entries {
        if action.is_empty() {
            reader.invalid(Some(field.place), &field.path, "must be at least 1 characters");
        }
        let effect = effect(&field, reader);
        actions.insert(action.into_owned(), (effect, field.place));
    }
    actions
}

/// The peer takes effects by name and by number; what is refused counts as deny from there on.
fn effect<'t>(field: &Field<'t>, reader: &mut Reader<'t>) -> Effect {
    let message = match &field.node.content {
        Content::String(name) if name == "EFFECT_ALLOW" => return Effect::Allow,
        Content::String(name) if name == "EFFECT_DENY" => return Effect::Deny,
        Content::Number(1.0) => return Effect::Allow,
        Content::Number(2.0) => return Effect::Deny,
        Content::String(name) if !matches!(name.as_ref(), "EFFECT_NO_MATCH" | "EFFECT_UNSPECIFIED") => {
            format!("invalid enum value {name:?}")
        }
        Content::Bool(_) | Content::List(_) | Content::Map(_) => "invalid enum value".to_owned(),
        Content::String(_) | Content::Number(_) | Content::Null => {
            reader.invalid(Some(field.place), &field.path, "must be one of [EFFECT_ALLOW, EFFECT_DENY]");
            return Effect::Deny;
        }
    };
    reader.malformed(field.place, message);
    Effect::Deny
}

fn expected_outputs<'t>(field: Field<'t>, reader: &mut Reader<'t>) -> Option<ExpectedOutputs> {
    let mut fields = reader.object(field)?;
    let (action, _) = fields.some_text("action", reader);
    let items = fields.some_items("expected", reader);
    let entries = items.into_iter().filter_map(|item| expected_output(item, reader)).collect();
    fields.finish(reader);
    Some(ExpectedOutputs { action, entries })
}

/// The form is that of an answer, so `action` and `error` may stand there, too.
fn expected_output<'t>(
    field: Field<'t>,
    reader: &mut Reader<'t>,
) -> Option<(String, Option<Value<'static>>)> {
    let mut fields = reader.object(field)?;
    let src = fields.text("src", reader);
    let val = fields.take("val").map(|field| reader.value(field));
    fields.text("action", reader);
    fields.text("error", reader);
    fields.finish(reader);
    Some((src, val))
}
