//! A tree of nodes against its shape: every field that is unknown, missing, of another type or form.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Field, Form, List, Object, Shape};
use crate::policy::decode::scalar_text;
use crate::policy::diagnostic::Code;
use crate::policy::findings::{Finding, Findings};
use crate::policy::hint;
use crate::policy::yaml::{Content, Entry, Node, Place};

/// Checks a document; its depth is bounded by the parser. What is found is reported.
pub(in crate::policy) fn document(node: &Node<'_>, shape: &Object, findings: &mut Findings<'_>) {
    let Some(choice) = fields(node, "document", shape, findings) else { return };
    let nothing = Finding::new(Code::NotOnePolicy, beginning(node), "the document holds no policy");
    report(choice, shape, nothing, findings);
}

/// Checks `node`, the value of field `name`.
fn value(node: &Node<'_>, name: &str, shape: &Shape, findings: &mut Findings<'_>) {
    match (shape, &node.content) {
        (Shape::Any, _) | (Shape::Flag, Content::Bool(_)) => {}
        (Shape::Text(form), _) => {
            if let Some(text) = text(node, name, shape, findings) {
                form_of(&text, name, *form, node.place, findings);
            }
        }
        (Shape::Word { taken, others }, _) => {
            if let Some(text) = text(node, name, shape, findings) {
                word(&text, name, (taken, others), node.place, findings);
            }
        }
        (Shape::List(shape), Content::List(items)) => list(items, name, shape, node.place, findings),
        (Shape::Map(shape), Content::Map(entries)) => {
            entries.iter().for_each(|entry| value(&entry.value, &entry.key, shape, findings));
        }
        (Shape::Object(shape), Content::Map(_)) => object(node, name, shape, findings),
        (Shape::Flag, _) => wrong_type(name, "`true` or `false`", node, shape, findings),
        (Shape::List(_), _) => wrong_type(name, "a list", node, shape, findings),
        (Shape::Map(_) | Shape::Object(_), _) => wrong_type(name, "a map", node, shape, findings),
    }
}

fn object(node: &Node<'_>, name: &str, shape: &Object, findings: &mut Findings<'_>) {
    let Some(choice) = fields(node, name, shape, findings) else { return };
    let message = format!("`{name}` has none of the fields of which it needs one");
    report(choice, shape, Finding::new(Code::NothingChosen, beginning(node), message), findings);
}

/// Says what is wrong with a choice: `nothing` if none was made.
fn report(choice: Choice, shape: &Object, nothing: Finding, findings: &mut Findings<'_>) {
    match choice {
        Choice::One => {}
        Choice::None => findings.add(nothing.hint(format!("add one of `{}`", shape.one_of.join("`, `")))),
        Choice::Several(first, second, place) => {
            let message = format!("`{first}` and `{second}` exclude each other");
            findings.add(Finding::new(Code::SeveralChosen, place, message));
        }
    }
}

/// Where `node` begins.
fn beginning(node: &Node<'_>) -> Place {
    Place { end: node.place.start, ..node.place }
}

/// Checks the fields of a map; `None` if it is none.
fn fields(node: &Node<'_>, name: &str, shape: &Object, findings: &mut Findings<'_>) -> Option<Choice> {
    let Content::Map(entries) = &node.content else {
        wrong_type(name, "a map", node, &Shape::Any, findings);
        return None;
    };
    let mut given = BTreeSet::new();
    for entry in entries {
        let Some(field) = shape.fields.iter().find(|field| is_called(entry, field.name)) else {
            let known: Vec<_> = shape.fields.iter().map(|field| field.name).collect();
            let finding =
                Finding::new(Code::UnknownField, entry.place, format!("unknown field `{}`", entry.key));
            findings.add(finding.hint(hint::fields(&entry.key, &known)));
            continue;
        };
        if !is_absent(&entry.value, field.shape) {
            given.insert(field.name);
            required_value(entry, field.required, field.shape, findings);
        }
    }
    for field in shape.fields.iter().filter(|field| field.required && !given.contains(field.name)) {
        let message = format!("`{}` is missing", field.name);
        findings.add(Finding::new(Code::MissingField, beginning(node), message));
    }
    Some(choice(shape, entries))
}

/// Whether `entry` is field `name`, in either spelling: `parentRoles` or `parent_roles`.
pub(in crate::policy) fn is_called(entry: &Entry<'_>, name: &str) -> bool {
    entry.key == name || (entry.key.contains('_') && entry.key == snake_case(name))
}

/// `parentRoles` as `parent_roles`.
fn snake_case(name: &str) -> String {
    let mut spelt = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            spelt.push('_');
        }
        spelt.push(c.to_ascii_lowercase());
    }
    spelt
}

/// Whether an explicit null stands for nothing: only where a text is expected.
fn is_absent(node: &Node<'_>, shape: &Shape) -> bool {
    matches!(node.content, Content::Null) && matches!(shape, Shape::Text(_) | Shape::Word { .. })
}

/// The value of a field; one that must be given must not be empty either.
fn required_value(entry: &Entry<'_>, required: bool, shape: &Shape, findings: &mut Findings<'_>) {
    let is_empty = match (shape, &entry.value.content) {
        (Shape::Text(_), Content::String(text)) => text.is_empty(),
        (Shape::List(_), Content::List(items)) => items.is_empty(),
        _ => false,
    };
    if required && is_empty {
        let message = format!("`{}` is empty", entry.key);
        findings.add(Finding::new(Code::MissingField, entry.value.place, message));
        return;
    }
    value(&entry.value, &entry.key, shape, findings);
}

/// How many of the fields are given of which exactly one must be.
enum Choice {
    One,
    None,
    /// The keys of the first two, and where the second is.
    Several(String, String, Place),
}

fn choice(shape: &Object, entries: &[Entry<'_>]) -> Choice {
    let is_choice = |entry: &&Entry<'_>| {
        let field = shape.fields.iter().find(|field| is_called(entry, field.name));
        field.is_some_and(|field| shape.one_of.contains(&field.name) && !is_absent(&entry.value, field.shape))
    };
    let mut chosen = entries.iter().filter(is_choice);
    match (chosen.next(), chosen.next()) {
        _ if shape.one_of.is_empty() => Choice::One,
        (None, _) => Choice::None,
        (Some(_), None) => Choice::One,
        (Some(first), Some(second)) => {
            Choice::Several(first.key.to_string(), second.key.to_string(), second.place)
        }
    }
}

fn list(items: &[Node<'_>], name: &str, shape: &List, place: Place, findings: &mut Findings<'_>) {
    if items.len() < shape.least {
        findings.add(Finding::new(Code::MissingField, place, format!("`{name}` is empty")));
    }
    for item in items {
        value(item, name, shape.item, findings);
    }
    if !shape.unique {
        return;
    }
    let mut seen = BTreeSet::new();
    let repeated = items.iter().find_map(|item| {
        let text = scalar_text(item, findings)?;
        (!seen.insert(text.clone())).then_some((text, item.place))
    });
    if let Some((text, place)) = repeated {
        let message = format!("`{name}` holds `{text}` more than once");
        findings.add(Finding::new(Code::NotUnique, place, message));
    }
}

fn text<'n>(
    node: &'n Node<'_>,
    name: &str,
    shape: &Shape,
    findings: &mut Findings<'_>,
) -> Option<Cow<'n, str>> {
    let text = scalar_text(node, findings);
    if text.is_none() {
        wrong_type(name, "text", node, shape, findings);
    }
    text
}

fn form_of(text: &str, name: &str, form: Form, place: Place, findings: &mut Findings<'_>) {
    if form.holds(text) {
        return;
    }
    let message = match text {
        "" => format!("an empty text is not a valid `{name}`"),
        _ => format!("`{text}` is not a valid `{name}`"),
    };
    let finding = Finding::new(Code::InvalidValue, place, message);
    findings.add(match form.hint() {
        Some(hint) => finding.hint(hint),
        None => finding,
    });
}

fn word(
    text: &str,
    name: &str,
    (taken, others): (&[&str], &[&str]),
    place: Place,
    findings: &mut Findings<'_>,
) {
    if taken.contains(&text) {
        return;
    }
    let (code, message) = if others.contains(&text) {
        (Code::InvalidValue, format!("`{name}` cannot be `{text}` here"))
    } else {
        (Code::UnknownWord, format!("unknown `{name}` `{text}`"))
    };
    findings.add(Finding::new(code, place, message).hint(hint::fields(text, taken)));
}

/// Reports that `name` should be `wanted`, as `shape` says.
fn wrong_type(name: &str, wanted: &str, node: &Node<'_>, shape: &Shape, findings: &mut Findings<'_>) {
    let found = match node.content {
        Content::Null => "nothing",
        Content::Bool(_) => "a boolean",
        Content::Number(_) => "a number",
        Content::String(_) => "text",
        Content::List(_) => "a list",
        Content::Map(_) => "a map",
    };
    let message = format!("`{name}` must be {wanted}, found {found}");
    let finding = Finding::new(Code::WrongType, node.place, message);
    findings.add(match mending(node, shape, findings) {
        Some(hint) => finding.hint(hint),
        None => finding,
    });
}

/// How to write what `node` probably means.
fn mending(node: &Node<'_>, shape: &Shape, findings: &Findings<'_>) -> Option<String> {
    let written = scalar_text(node, findings);
    match (shape, &node.content, written.as_deref()) {
        (_, Content::Null, _) => Some("write a value, or remove the field".to_owned()),
        (Shape::Text(_) | Shape::Word { .. }, Content::Number(_), _) => {
            Some("put the value in quotes".to_owned())
        }
        (Shape::List(List { item: Shape::Text(_), .. }), _, Some(text)) => {
            let is_plain = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
            Some(if is_plain { format!("write `[{text}]`") } else { format!("write `[\"{text}\"]`") })
        }
        (Shape::Object(object), Content::List(_), _) => match object.fields {
            [field] if matches!(field.shape, Shape::List(_)) => {
                Some(format!("put the list below `{}:`", field.name))
            }
            _ => None,
        },
        (Shape::Object(object), _, Some(text)) => {
            let mut required = object.fields.iter().filter(|field| field.required);
            match (required.next(), required.next()) {
                (Some(Field { name, shape: Shape::Text(_), .. }), Some(Field { name: "effect", .. })) => {
                    Some(format!("write `- {name}: {text}` with an `effect`"))
                }
                _ => None,
            }
        }
        _ => None,
    }
}
