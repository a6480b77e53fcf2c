//! One file of tests or fixtures, read field by field. What is wrong with it is said in the peer's words, which are
//! part of the JSON form; `line:column` stands before each problem that has a place.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::limits::{POLICY_FILE_BYTES, VALUE_DEPTH};
use crate::policy::yaml::{self, Content, Entry, Node, Place};
use crate::policy::{self, hint};
use crate::value::{Map, Value};

/// Why a file cannot be used: one line per problem, and the place of the first that has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) lines: String,
    pub(super) place: Place,
    /// Which fields were meant, in our own words; empty if no field is unknown.
    pub(super) help: String,
}

/// Reads the one document of `text` with `read`. Unless every part has the right form, nothing is said about values.
pub(super) fn read<'t, T>(
    text: &'t str,
    read: impl FnOnce(&mut Object<'t>, &mut Reader<'t>) -> T,
) -> Result<T, Broken> {
    let mut reader = Reader { text, malformed: Vec::new(), invalid: Vec::new(), help: Vec::new() };
    let Some(mut root) = reader.root() else {
        return Err(Broken::of(reader.malformed));
    };
    root.take("$schema");
    let value = read(&mut root, &mut reader);
    root.finish(&mut reader);
    match (reader.malformed, reader.invalid) {
        (malformed, invalid) if malformed.is_empty() && invalid.is_empty() => Ok(value),
        (malformed, invalid) if malformed.is_empty() => Err(Broken::of(invalid)),
        (malformed, _) => Err(Broken { help: reader.help.join("\n"), ..Broken::of(malformed) }),
    }
}

/// A file that is being read.
pub(super) struct Reader<'t> {
    text: &'t str,
    /// Parts that have not the right form.
    malformed: Vec<Problem>,
    /// Values that are not allowed.
    invalid: Vec<Problem>,
    /// What unknown fields may have been meant to be.
    help: Vec<String>,
}

/// A map whose fields are read one by one.
pub(super) struct Object<'t> {
    place: Place,
    path: String,
    entries: Vec<Entry<'t>>,
    /// The fields that were asked for: those that exist here.
    known: Vec<String>,
}

/// A value with its path, such as `tests[0].input`, and the place that problems with its value are reported at.
pub(super) struct Field<'t> {
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) node: Node<'t>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    /// Without a place the field is not there; such problems come last.
    place: Option<(u32, u32)>,
    message: String,
}

impl Broken {
    fn of(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.place.is_none(), problem.place));
        problems.dedup();
        let (line, column) = problems.iter().find_map(|problem| problem.place).unwrap_or((1, 1));
        let place = Place { line, column, ..Place::start_of(0) };
        let lines: Vec<String> = problems.into_iter().map(Problem::line).collect();
        Self { lines: lines.join("\n"), place, help: String::new() }
    }
}

impl Problem {
    fn line(self) -> String {
        match self.place {
            Some((line, column)) => format!("{line}:{column} {}", self.message),
            None => self.message,
        }
    }
}

impl<'t> Reader<'t> {
    /// The one document of the file.
    fn root(&mut self) -> Option<Object<'t>> {
        let start = Place::start_of(0);
        if self.text.len() > POLICY_FILE_BYTES {
            self.malformed(start, format!("the file is larger than {POLICY_FILE_BYTES} bytes"));
            return None;
        }
        if self.text.contains(char::REPLACEMENT_CHARACTER) {
            self.malformed(start, "invalid document: the text is not UTF-8".to_owned());
            return None;
        }
        let parsed = match yaml::parse(self.text, 0) {
            Ok(parsed) => parsed,
            Err(fault) => {
                self.malformed(fault.place, fault.message);
                return None;
            }
        };
        for (key, again, first) in parsed.repeated {
            let message = format!("mapping key {key:?} already defined at [{}:{}]", first.line, first.column);
            self.malformed(again, message);
        }
        let mut documents = parsed.documents.into_iter();
        let Some(document) = documents.next() else {
            self.malformed(start, "invalid document: the file is empty".to_owned());
            return None;
        };
        if documents.next().is_some() {
            let message = "more than one YAML document detected".to_owned();
            self.malformed.push(Problem { place: None, message });
            return None;
        }
        let place = document.place;
        let Content::Map(entries) = document.content else {
            self.malformed(place, "invalid document: contents are not valid YAML or JSON".to_owned());
            return None;
        };
        Some(Object { place, path: String::new(), entries, known: Vec::new() })
    }

    /// Reports that what stands at `place` has not the right form.
    pub(super) fn malformed(&mut self, place: Place, message: String) {
        self.malformed.push(Problem { place: Some((place.line, place.column)), message });
    }

    /// Reports that the value of `path` is not allowed; without a place it is not there.
    pub(super) fn invalid(&mut self, place: Option<Place>, path: &str, message: &str) {
        let place = place.map(|place| (place.line, place.column));
        self.invalid.push(Problem { place, message: format!("{path}: {message}") });
    }

    fn unexpected(&mut self, node: &Node<'_>, wanted: &str) {
        let message = format!("expected {wanted} got {}", kind(&node.content));
        self.malformed(self.anchor(node), message);
    }

    /// Where the peer says that `node` begins: a block map at the first colon.
    fn anchor(&self, node: &Node<'_>) -> Place {
        let Content::Map(entries) = &node.content else {
            return node.place;
        };
        let begin = node.place.start as usize;
        let text = self.text.get(begin..).unwrap_or_default();
        if text.starts_with('{') {
            return node.place;
        }
        let key = entries.first().map(|entry| entry.place).filter(|place| place.start == node.place.start);
        let key = key.map_or(0, |place| (place.end as usize).saturating_sub(begin));
        let after_key = text.get(key..).unwrap_or_default();
        let colon = key + after_key.find(':').unwrap_or_default();
        let width = text.get(..colon).map_or(0, |before| before.chars().count());
        Place { column: node.place.column.saturating_add(u32::try_from(width).unwrap_or(0)), ..node.place }
    }

    /// The fields of `field`, which must be a map of known fields.
    pub(super) fn object(&mut self, field: Field<'t>) -> Option<Object<'t>> {
        let Field { path, place, node } = field;
        match node.content {
            Content::Map(entries) => Some(Object { place, path, entries, known: Vec::new() }),
            _ => {
                self.unexpected(&node, "object");
                None
            }
        }
    }

    /// The items of a list; none if it is absent.
    pub(super) fn items(&mut self, field: Option<Field<'t>>) -> Vec<Field<'t>> {
        let Some(Field { path, node, .. }) = field else {
            return Vec::new();
        };
        let Content::List(items) = node.content else {
            self.unexpected(&node, "sequence");
            return Vec::new();
        };
        let item = |(index, node): (usize, Node<'t>)| {
            let place = self.anchor(&node);
            Field { path: format!("{path}[{index}]"), place, node }
        };
        items.into_iter().enumerate().map(item).collect()
    }

    /// The entries of a map with free keys; none if it is absent.
    pub(super) fn entries(&mut self, field: Option<Field<'t>>) -> Vec<(Cow<'t, str>, Field<'t>)> {
        let Some(Field { path, node, .. }) = field else {
            return Vec::new();
        };
        let Content::Map(entries) = node.content else {
            self.unexpected(&node, "map");
            return Vec::new();
        };
        let entry = |Entry { key, value, .. }: Entry<'t>| {
            let place = self.anchor(&value);
            let path = format!("{path}[{:?}]", camel_case(&key));
            (key, Field { path, place, node: value })
        };
        entries.into_iter().map(entry).collect()
    }

    /// `field` as text; whole numbers and booleans are taken as written, null is empty.
    pub(super) fn text(&mut self, field: &Field<'t>) -> String {
        match &field.node.content {
            Content::String(text) => text.clone().into_owned(),
            Content::Bool(flag) => flag.to_string(),
            Content::Number(number) if number.fract() == 0.0 => self.whole_number(&field.node, *number),
            Content::Null => String::new(),
            _ => {
                self.unexpected(&field.node, "string value");
                String::new()
            }
        }
    }

    /// A version may have more digits than a double holds.
    fn whole_number(&self, node: &Node<'_>, number: f64) -> String {
        let written = self.text.get(node.place.start as usize..node.place.end as usize).unwrap_or_default();
        if written.bytes().all(|b| b.is_ascii_digit()) && !written.is_empty() {
            return written.to_owned();
        }
        number.to_string()
    }

    /// `field` as text that is written as text.
    pub(super) fn strict_text(&mut self, field: &Field<'t>) -> Option<String> {
        let Content::String(text) = &field.node.content else {
            self.unexpected(&field.node, "string");
            return None;
        };
        Some(text.clone().into_owned())
    }

    /// `field` as a boolean, false if absent.
    pub(super) fn flag(&mut self, field: Option<Field<'t>>) -> Option<bool> {
        let node = field?.node;
        let Content::Bool(flag) = node.content else {
            self.unexpected(&node, "boolean value");
            return None;
        };
        Some(flag)
    }

    /// `field` as any JSON value.
    pub(super) fn value(&mut self, field: Field<'t>) -> Value<'static> {
        let place = field.node.place;
        policy::json(field.node.content, VALUE_DEPTH).unwrap_or_else(|| {
            self.malformed(place, format!("the value is nested deeper than {VALUE_DEPTH} levels"));
            Value::Null
        })
    }

    /// `field` as a map of any JSON values, empty if absent.
    pub(super) fn map(&mut self, field: Option<Field<'t>>) -> Map<'static> {
        let Some(field) = field else {
            return Map::default();
        };
        if !matches!(field.node.content, Content::Map(_)) {
            self.unexpected(&field.node, "map");
            return Map::default();
        }
        match self.value(field) {
            Value::Map(map) => map,
            _ => Map::default(),
        }
    }
}

impl<'t> Object<'t> {
    /// Takes field `name` out, which may also be written with underscores.
    pub(super) fn take(&mut self, name: &str) -> Option<Field<'t>> {
        self.known.push(name.to_owned());
        let index = self.entries.iter().position(|entry| is_named(&entry.key, name))?;
        let Entry { place, value, .. } = self.entries.remove(index);
        Some(Field { path: self.path_of(name), place, node: value })
    }

    /// Takes field `name` out, which has to be there.
    pub(super) fn required(&mut self, name: &str, reader: &mut Reader<'t>) -> Option<Field<'t>> {
        let field = self.take(name);
        if field.is_none() {
            reader.invalid(None, &self.path_of(name), "value is required");
        }
        field
    }

    /// Field `name` as text, empty if absent.
    pub(super) fn text(&mut self, name: &str, reader: &mut Reader<'t>) -> String {
        self.take(name).map(|field| reader.text(&field)).unwrap_or_default()
    }

    /// Field `name` as text that must not be empty, and the place of its name.
    pub(super) fn some_text(&mut self, name: &str, reader: &mut Reader<'t>) -> (String, Place) {
        let Some(field) = self.required(name, reader) else {
            return (String::new(), self.place);
        };
        let text = reader.text(&field);
        if text.is_empty() {
            reader.invalid(Some(field.place), &field.path, "value is required");
        }
        (text, field.place)
    }

    /// Field `name` as a list of different names.
    pub(super) fn names(&mut self, name: &str, reader: &mut Reader<'t>) -> Vec<String> {
        self.take(name).map(|field| names(field, reader)).unwrap_or_default()
    }

    /// Field `name` as a list of at least one name.
    pub(super) fn some_names(&mut self, name: &str, reader: &mut Reader<'t>) -> Vec<String> {
        let Some(field) = self.required(name, reader) else {
            return Vec::new();
        };
        let (path, place) = (field.path.clone(), field.place);
        let names = names(field, reader);
        if names.is_empty() {
            reader.invalid(Some(place), &path, "value is required");
        }
        names
    }

    /// Field `name` as a list of at least one item.
    pub(super) fn some_items(&mut self, name: &str, reader: &mut Reader<'t>) -> Vec<Field<'t>> {
        let Some(field) = self.required(name, reader) else {
            return Vec::new();
        };
        let (path, place) = (field.path.clone(), field.place);
        let items = reader.items(Some(field));
        if items.is_empty() {
            reader.invalid(Some(place), &path, "value is required");
        }
        items
    }

    /// Reports that the fields of this object do not go together.
    pub(super) fn invalid(&self, message: &str, reader: &mut Reader<'t>) {
        reader.invalid(Some(self.place), &self.path, message);
    }

    /// Ends the reading: what was not asked for is unknown.
    pub(super) fn finish(&mut self, reader: &mut Reader<'t>) {
        let known: Vec<&str> =
            self.known.iter().map(String::as_str).filter(|name| !name.starts_with('$')).collect();
        for entry in self.entries.drain(..) {
            let (line, key) = (entry.place.line, policy::printable(&entry.key));
            reader.help.push(format!("`{key}` in line {line}: {}", hint::fields(&entry.key, &known)));
            reader.malformed(entry.place, format!("unknown field {:?}", entry.key));
        }
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

fn names<'t>(field: Field<'t>, reader: &mut Reader<'t>) -> Vec<String> {
    let (path, place) = (field.path.clone(), field.place);
    let items = reader.items(Some(field));
    let names: Vec<String> = items.iter().map(|item| reader.text(item)).collect();
    if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
        reader.invalid(Some(place), &path, "repeated value must contain unique items");
    }
    for (item, _) in items.iter().zip(&names).filter(|(_, name)| name.is_empty()) {
        reader.invalid(Some(item.place), &item.path, "must be at least 1 characters");
    }
    names
}

/// Whether `key` is `name`, written as it is or with underscores.
fn is_named(key: &str, name: &str) -> bool {
    let underscored = name.chars().flat_map(|c| {
        let parts =
            if c.is_ascii_uppercase() { [Some('_'), Some(c.to_ascii_lowercase())] } else { [Some(c), None] };
        parts.into_iter().flatten()
    });
    key == name || key.chars().eq(underscored)
}

/// `key` as the peer writes it in paths: `my_key` and `MyKey` become `myKey`.
fn camel_case(key: &str) -> String {
    let mut written = String::with_capacity(key.len());
    let mut raise = false;
    let mut previous = ' ';
    let mut rest = key.chars().peekable();
    while let Some(c) = rest.next() {
        let ends_acronym = previous.is_uppercase() && rest.peek().is_some_and(|next| next.is_lowercase());
        if matches!(c, '_' | '-' | ' ') {
            raise = true;
        } else if raise || (c.is_uppercase() && (previous.is_lowercase() || ends_acronym)) {
            written.extend(c.to_uppercase());
            raise = false;
        } else {
            written.extend(c.to_lowercase());
        }
        previous = c;
    }
    written
}

fn kind(content: &Content<'_>) -> &'static str {
    match content {
        Content::Null => "Null",
        Content::Bool(_) => "Bool",
        Content::Number(number) if number.fract() == 0.0 => "Integer",
        Content::Number(_) => "Float",
        Content::String(_) => "String",
        Content::List(_) => "Sequence",
        Content::Map(_) => "Mapping",
    }
}

#[cfg(test)]
mod tests {
    use super::camel_case;

    #[test]
    fn keys_in_paths_are_written_as_the_peer_writes_them() {
        let cases = [
            ("john_leave_request", "johnLeaveRequest"),
            ("HTTPServer", "httpServer"),
            ("AbC", "abC"),
            ("aBC", "aBc"),
            ("AB_CD", "abCd"),
            ("a_bC", "aBC"),
            ("my_ID_x", "myIdX"),
            ("UserID2", "userId2"),
            ("john.leave_request", "john.leaveRequest"),
            ("a-b c", "aBC"),
            ("_ab", "Ab"),
            ("aB_", "aB"),
            ("é_b", "éB"),
            ("x_1_y", "x1Y"),
        ];
        for (key, written) in cases {
            assert_eq!(camel_case(key), written, "{key}");
        }
    }
}
