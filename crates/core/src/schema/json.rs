//! JSON text to a tree whose values know their place. Strict RFC 8259, bounded in depth and size.

use std::ops::Range;

use crate::limits::{SCHEMA_DEPTH, SCHEMA_VALUES};

/// A parsed text. Values are found by id, so that they can be named without borrowing the tree.
#[derive(Debug)]
pub(super) struct Tree {
    values: Vec<Json>,
}

/// One value of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct JsonId(usize);

/// A value and the bytes of the text it stands in.
#[derive(Debug)]
pub(super) struct Json {
    pub(super) range: Range<usize>,
    pub(super) content: Content,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    String(Box<str>),
    List(Vec<JsonId>),
    /// Sorted by key, each key once.
    Map(Vec<Entry>),
}

/// A number, and how it is written.
#[derive(Debug)]
pub(super) struct Number {
    pub(super) value: f64,
    pub(super) text: Box<str>,
}

/// One entry of a map.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Box<str>,
    pub(super) place: Range<usize>,
    pub(super) value: JsonId,
}

/// Why a text is not JSON, and where.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) range: Range<usize>,
    pub(super) message: String,
}

impl Tree {
    /// Parses the whole of `text`.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut parser = Parser { text, at: 0, values: Vec::new() };
        let root = parser.reserve()?;
        parser.value(root, 0)?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.unexpected("the end"));
        }
        Ok(Self { values: parser.values })
    }

    /// The value that is the whole text.
    pub(super) fn root(&self) -> JsonId {
        JsonId(0)
    }

    /// The value of `id`.
    pub(super) fn get(&self, id: JsonId) -> &Json {
        const NOTHING: Json = Json { range: 0..0, content: Content::Null };
        self.values.get(id.0).unwrap_or(const { &NOTHING })
    }

    /// The value under `key` of the map `id`.
    pub(super) fn member(&self, id: JsonId, key: &str) -> Option<JsonId> {
        let Content::Map(entries) = &self.get(id).content else { return None };
        let at = entries.binary_search_by(|entry| (*entry.key).cmp(key)).ok()?;
        entries.get(at).map(|entry| entry.value)
    }

    /// The text of `id`, if it is a string.
    pub(super) fn text(&self, id: JsonId) -> Option<&str> {
        match &self.get(id).content {
            Content::String(text) => Some(text),
            _ => None,
        }
    }
}

impl Content {
    /// The name of the type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Content::Null => "null",
            Content::Bool(_) => "boolean",
            Content::Number(_) => "number",
            Content::String(_) => "string",
            Content::List(_) => "array",
            Content::Map(_) => "object",
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    values: Vec<Json>,
}

impl Parser<'_> {
    /// An id for a value that is not read yet: a value has a lower id than what it holds.
    fn reserve(&mut self) -> Result<JsonId, Malformed> {
        if self.values.len() >= SCHEMA_VALUES {
            return Err(self.fault(0, format!("the file holds more than {SCHEMA_VALUES} values")));
        }
        self.values.push(Json { range: 0..0, content: Content::Null });
        Ok(JsonId(self.values.len() - 1))
    }

    fn value(&mut self, id: JsonId, depth: usize) -> Result<(), Malformed> {
        if depth > SCHEMA_DEPTH {
            return Err(self.fault(1, format!("nested deeper than {SCHEMA_DEPTH} levels")));
        }
        self.skip_space();
        let start = self.at;
        let content = match self.peek() {
            Some(b'{') => Content::Map(self.map(depth)?),
            Some(b'[') => Content::List(self.list(depth)?),
            Some(b'"') => Content::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Content::Number(self.number()?),
            _ => self.word()?,
        };
        if let Some(value) = self.values.get_mut(id.0) {
            *value = Json { range: start..self.at, content };
        }
        Ok(())
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Malformed> {
        let mut entries = Vec::new();
        self.at += 1;
        if self.take(b'}') {
            return Ok(entries);
        }
        loop {
            self.skip_space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in quotes"));
            }
            let key = self.string()?;
            let place = start..self.at;
            if !self.take(b':') {
                return Err(self.unexpected("`:`"));
            }
            let value = self.reserve()?;
            self.value(value, depth + 1)?;
            entries.push(Entry { key, place, value });
            if self.take(b'}') {
                break;
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
        entries.sort_by(|a, b| (&a.key, a.place.start).cmp(&(&b.key, b.place.start)));
        match entries
            .windows(2)
            .find_map(|pair| matches!(pair, [a, b] if a.key == b.key).then(|| pair.last()))
        {
            Some(Some(twice)) => {
                let message = format!("key `{}` occurs twice in one object", twice.key);
                Err(Malformed { range: twice.place.clone(), message })
            }
            _ => Ok(entries),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<JsonId>, Malformed> {
        let mut items = Vec::new();
        self.at += 1;
        if self.take(b']') {
            return Ok(items);
        }
        loop {
            let item = self.reserve()?;
            self.value(item, depth + 1)?;
            items.push(item);
            if self.take(b']') {
                return Ok(items);
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `]`"));
            }
        }
    }

    fn string(&mut self) -> Result<Box<str>, Malformed> {
        let start = self.at;
        let rest = self.text.get(start + 1..).unwrap_or_default();
        let mut escaped = false;
        let end = rest.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let Some(end) = end else {
            return Err(self.fault(1, "the text has no closing quote".to_owned()));
        };
        self.at = start + end + 2;
        let literal = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(literal).map_err(|_| {
            let message =
                "the text holds a control character or an escape that JSON does not have".to_owned();
            Malformed { range: start..start + literal.len(), message }
        })
    }

    fn number(&mut self) -> Result<Number, Malformed> {
        let start = self.at;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        match serde_json::from_str(text) {
            Ok(value) => Ok(Number { value, text: text.into() }),
            Err(_) => Err(Malformed { range: start..self.at, message: format!("`{text}` is no number") }),
        }
    }

    fn word(&mut self) -> Result<Content, Malformed> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let words = [("null", Content::Null), ("true", Content::Bool(true)), ("false", Content::Bool(false))];
        for (word, content) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(content);
            }
        }
        Err(self.unexpected("a value"))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes `byte`, with the space before it.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, wanted: &str) -> Malformed {
        let found = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        match found {
            Some(c) => self.fault(c.len_utf8(), format!("expected {wanted}, found `{}`", c.escape_debug())),
            None => self.fault(0, format!("expected {wanted}, found the end of the file")),
        }
    }

    fn fault(&self, length: usize, message: String) -> Malformed {
        Malformed { range: self.at..self.at + length, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_place() {
        let text = r#" {"b": [1, "x\n"], "a": null} "#;
        let tree = Tree::parse(text).unwrap();
        let list = tree.member(tree.root(), "b").unwrap();
        assert_eq!(text.get(tree.get(list).range.clone()), Some(r#"[1, "x\n"]"#));
        let Content::List(items) = &tree.get(list).content else { panic!("a list") };
        assert_eq!(tree.text(items[1]), Some("x\n"));
    }

    #[test]
    fn what_is_not_json_is_refused_at_its_place() {
        let deep = "[".repeat(SCHEMA_DEPTH + 2);
        let cases = [
            ("", 0, "found the end"),
            ("{\"a\":1,}", 7, "a key in quotes"),
            ("{} {}", 3, "expected the end"),
            ("a: 1", 0, "expected a value"),
            ("[01]", 1, "is no number"),
            ("\"a\nb\"", 0, "control character"),
            ("\"a", 0, "no closing quote"),
            ("{\"a\": 1, \"a\": 2}", 9, "occurs twice"),
            ("[1 2]", 3, "`,` or `]`"),
            (&deep, SCHEMA_DEPTH + 1, "nested deeper"),
        ];
        for (text, at, message) in cases {
            let fault = Tree::parse(text).unwrap_err();
            assert!(fault.message.contains(message), "{text}: {}", fault.message);
            assert_eq!(fault.range.start, at, "{text}");
        }
    }
}
