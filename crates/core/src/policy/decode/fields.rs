//! Reading the fields of a map one by one: each field once, unknown ones reported, nothing ignored.

use std::borrow::Cow;

use crate::limits::VALUE_DEPTH;
use crate::policy::ast::{At, Definition, Text};
use crate::policy::diagnostic::Code;
use crate::policy::findings::{Finding, Findings};
use crate::policy::hint;
use crate::policy::shape::is_called;
use crate::policy::yaml::{Content, Entry, Node, Place};
use crate::value::{Map, Value};

/// A map that is being read.
pub(super) struct Fields<'t> {
    pub(super) place: Place,
    entries: Vec<Entry<'t>>,
    known: Vec<&'static str>,
}

impl<'t> Fields<'t> {
    /// The fields of `node`, which must be a map; `what` names it in messages.
    pub(super) fn of(node: Node<'t>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        match node.content {
            Content::Map(entries) => Some(Self { place: node.place, entries, known: Vec::new() }),
            other => {
                wrong_type(what, "a map", &other, node.place, findings);
                None
            }
        }
    }

    /// The value of field `name`; an explicit null counts as absent.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Node<'t>> {
        self.take_entry(name).map(|entry| entry.value)
    }

    /// Field `name` with its key; an explicit null counts as absent.
    pub(super) fn take_entry(&mut self, name: &'static str) -> Option<Entry<'t>> {
        self.known.push(name);
        let index = self.entries.iter().position(|entry| is_called(entry, name))?;
        let entry = self.entries.remove(index);
        (!matches!(entry.value.content, Content::Null)).then_some(entry)
    }

    /// Field `name` as text.
    pub(super) fn text(&mut self, name: &'static str, findings: &mut Findings<'_>) -> Option<Text<'t>> {
        text(self.take(name)?, name, findings)
    }

    /// Field `name` as text that must be there and not be empty.
    pub(super) fn required(&mut self, name: &'static str, findings: &mut Findings<'_>) -> Option<Text<'t>> {
        let Some(node) = self.take(name) else {
            self.missing(name, findings);
            return None;
        };
        let text = text(node, name, findings)?;
        if text.value.is_empty() {
            findings.add(Finding::new(Code::MissingField, text.place, format!("`{name}` is empty")));
            return None;
        }
        Some(text)
    }

    /// Field `name` as a boolean, false if absent.
    pub(super) fn flag(&mut self, name: &'static str, findings: &mut Findings<'_>) -> bool {
        match self.take(name) {
            None => false,
            Some(Node { content: Content::Bool(flag), .. }) => flag,
            Some(node) => {
                wrong_type(name, "`true` or `false`", &node.content, node.place, findings);
                false
            }
        }
    }

    /// Field `name` as a list, empty if absent. Anything else is reported and taken for a list of one, so that
    /// nothing else is missed.
    pub(super) fn list(&mut self, name: &'static str, findings: &mut Findings<'_>) -> Vec<Node<'t>> {
        match self.take(name) {
            None => Vec::new(),
            Some(Node { content: Content::List(items), .. }) => items,
            Some(node) => {
                wrong_type(name, "a list", &node.content, node.place, findings);
                vec![node]
            }
        }
    }

    /// Field `name` as a list of texts, none of them empty.
    pub(super) fn texts(&mut self, name: &'static str, findings: &mut Findings<'_>) -> Vec<Text<'t>> {
        let items = self.list(name, findings);
        let texts = items.into_iter().filter_map(|item| text(item, name, findings)).collect::<Vec<_>>();
        for empty in texts.iter().filter(|text| text.value.is_empty()) {
            let message = format!("an item of `{name}` is empty");
            findings.add(Finding::new(Code::InvalidValue, empty.place, message));
        }
        texts
    }

    /// Field `name` as a list of texts with at least one item.
    pub(super) fn some_texts(&mut self, name: &'static str, findings: &mut Findings<'_>) -> Vec<Text<'t>> {
        match self.entries.iter().find(|entry| entry.key == name).map(|entry| &entry.value) {
            None | Some(Node { content: Content::Null, .. }) => self.missing(name, findings),
            Some(Node { content: Content::List(items), place }) if items.is_empty() => {
                findings.add(Finding::new(Code::MissingField, *place, format!("`{name}` is empty")));
            }
            Some(_) => {}
        }
        self.texts(name, findings)
    }

    /// Reports that `name` is not there.
    pub(super) fn missing(&self, name: &str, findings: &mut Findings<'_>) {
        let place = Place { end: self.place.start, ..self.place };
        findings.add(Finding::new(Code::MissingField, place, format!("`{name}` is missing")));
    }

    /// Ends the reading: what was not asked for is unknown.
    pub(super) fn finish(self, findings: &mut Findings<'_>) {
        for entry in &self.entries {
            let finding =
                Finding::new(Code::UnknownField, entry.place, format!("unknown field `{}`", entry.key));
            findings.add(finding.hint(hint::fields(&entry.key, &self.known)));
        }
    }
}

/// `node` as text.
pub(super) fn text<'t>(node: Node<'t>, what: &str, findings: &mut Findings<'_>) -> Option<Text<'t>> {
    if let Content::String(value) = node.content {
        return Some(At { value, place: node.place });
    }
    if let Some(text) = scalar_text(&node, findings) {
        return Some(At { value: Cow::Owned(text.into_owned()), place: node.place });
    }
    wrong_type(what, "text", &node.content, node.place, findings);
    None
}

/// The text of a scalar. Unquoted booleans and plain integers are taken as they are written, as the peer does; of
/// other numbers more than one spelling means the same, so they are no text. Nothing is the empty text.
pub(in crate::policy) fn scalar_text<'n>(
    node: &'n Node<'_>,
    findings: &Findings<'_>,
) -> Option<Cow<'n, str>> {
    match &node.content {
        Content::String(text) => Some(Cow::Borrowed(text)),
        Content::Null => Some(Cow::Borrowed("")),
        Content::Bool(_) => Some(Cow::Owned(source(node, findings).to_owned())),
        Content::Number(_) => {
            let written = source(node, findings);
            let digits = written.strip_prefix('-').unwrap_or(written);
            let is_plain = digits == "0" || !digits.starts_with('0');
            let is_integer = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            (is_plain && is_integer).then(|| Cow::Owned(written.to_owned()))
        }
        Content::List(_) | Content::Map(_) => None,
    }
}

fn source<'f>(node: &Node<'_>, findings: &Findings<'f>) -> &'f str {
    findings.text(node.place).get(node.place.start as usize..node.place.end as usize).unwrap_or_default()
}

/// `node` as a map from names to what `read` makes of each value.
pub(super) fn definitions<'t, T>(
    node: Node<'t>,
    what: &str,
    findings: &mut Findings<'_>,
    read: impl Fn(Node<'t>, &mut Findings<'_>) -> Option<T>,
) -> Vec<Definition<'t, T>> {
    let Some(fields) = Fields::of(node, what, findings) else {
        return Vec::new();
    };
    let mut list = Vec::with_capacity(fields.entries.len());
    for Entry { key, place, value } in fields.entries {
        if let Some(value) = read(value, findings) {
            list.push(Definition { name: At { value: key, place }, value });
        }
    }
    list
}

/// `node` as a constant: any JSON.
pub(super) fn constant(node: Node<'_>, findings: &mut Findings<'_>) -> Option<Value<'static>> {
    let place = node.place;
    let value = json(node.content, VALUE_DEPTH);
    if value.is_none() {
        let message = format!("the constant is nested deeper than {VALUE_DEPTH} levels");
        findings.add(Finding::new(Code::TooLarge, place, message));
    }
    value
}

/// `content` as JSON; `None` if it is nested deeper than `depth`.
pub(crate) fn json(content: Content<'_>, depth: usize) -> Option<Value<'static>> {
    let inner = depth.checked_sub(1)?;
    Some(match content {
        Content::Null => Value::Null,
        Content::Bool(b) => Value::Bool(b),
        Content::Number(n) => Value::Number(n),
        Content::String(s) => Value::String(Cow::Owned(s.into_owned())),
        Content::List(items) => {
            Value::List(items.into_iter().map(|item| json(item.content, inner)).collect::<Option<_>>()?)
        }
        Content::Map(entries) => {
            let pair = |entry: Entry<'_>| {
                Some((Cow::Owned(entry.key.into_owned()), json(entry.value.content, inner)?))
            };
            // Keys are unique: the YAML tree keeps the first of each.
            Value::Map(Map::from_entries(entries.into_iter().map(pair).collect::<Option<_>>()?).ok()?)
        }
    })
}

/// Reports that `what` should be `wanted`.
pub(super) fn wrong_type(
    what: &str,
    wanted: &str,
    found: &Content<'_>,
    place: Place,
    findings: &mut Findings<'_>,
) {
    let found = match found {
        Content::Null => "nothing",
        Content::Bool(_) => "a boolean",
        Content::Number(_) => "a number",
        Content::String(_) => "text",
        Content::List(_) => "a list",
        Content::Map(_) => "a map",
    };
    let finding = Finding::new(Code::WrongType, place, format!("`{what}` must be {wanted}, found {found}"));
    let quotable = wanted == "text" && matches!(found, "a number" | "a boolean");
    findings.add(if quotable { finding.hint("put the value in quotes") } else { finding });
}
