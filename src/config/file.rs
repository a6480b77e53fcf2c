//! The configuration file: YAML (and so JSON) to a list of leaves, each with its dotted key and its place.
//!
//! A leaf is a single value, or the whole structure below a key that takes one.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use super::keys::is_structure;

/// Largest configuration file, in bytes.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// Deepest nesting of a configuration file; ours needs 4, the peer's 7.
const MAX_DEPTH: usize = 32;

/// One value of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Dotted key.
    pub(super) key: String,
    /// What the key is set to.
    pub(super) content: Content,
    /// Line of the key, from 1.
    pub(super) line: u64,
    /// Column of the key, from 1.
    pub(super) column: u64,
}

/// What a leaf holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A scalar as text.
    Text(String),
    /// A list where none is known: nothing of it is read.
    List,
    /// Whatever a key that takes a structure was given.
    Structure(Value),
}

/// Why the file is not understood, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileError {
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) message: String,
}

/// Every leaf of the file, in source order. Empty maps and `null` set nothing.
pub(super) fn read(text: &str) -> Result<Vec<Leaf>, FileError> {
    let mut leaves = Vec::new();
    match parse::<Option<Node>>(text)? {
        None | Some(Node::Null) => {}
        Some(Node::Map(entries)) => flatten("", entries, &mut leaves),
        Some(Node::Scalar(_) | Node::List(_)) => {
            return Err(FileError {
                line: 1,
                column: 1,
                message: "the file must hold a map of settings".into(),
            });
        }
    }
    Ok(leaves)
}

/// A structure written as YAML or JSON in one line, outside the file.
pub(super) fn structure(text: &str) -> Result<Value, FileError> {
    parse::<Node>(text).map(Node::into_value)
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, FileError> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_documents: 1 },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location();
        let (line, column) = place.map_or((1, 1), |place| (place.line(), place.column()));
        FileError { line, column, message: error.without_snippet().to_string() }
    })
}

fn flatten(prefix: &str, entries: Vec<(Spanned<String>, Node)>, leaves: &mut Vec<Leaf>) {
    for (name, node) in entries {
        let key = if prefix.is_empty() { name.value } else { format!("{prefix}.{}", name.value) };
        let content = match node {
            Node::Null => continue,
            node if is_structure(&key) => Content::Structure(node.into_value()),
            Node::Map(entries) => {
                flatten(&key, entries, leaves);
                continue;
            }
            Node::Scalar(scalar) => Content::Text(text_of(scalar)),
            Node::List(_) => Content::List,
        };
        leaves.push(Leaf { key, content, line: name.referenced.line(), column: name.referenced.column() });
    }
}

/// A scalar as it would be written for a key that takes text.
fn text_of(scalar: Value) -> String {
    match scalar {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A node of the file.
enum Node {
    Null,
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
}

impl Node {
    fn into_value(self) -> Value {
        match self {
            Node::Null => Value::Null,
            Node::Scalar(scalar) => scalar,
            Node::List(items) => items.into_iter().map(Node::into_value).collect(),
            Node::Map(entries) => {
                let members = entries.into_iter().map(|(name, node)| (name.value, node.into_value()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map, a list or a single value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number must be finite"))?;
        Ok(Node::Scalar(Value::Number(number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(name) = entries.next_key::<Spanned<String>>()? {
            if name.value.is_empty() {
                return Err(A::Error::custom("a key is empty"));
            }
            map.push((name, entries.next_value()?));
        }
        Ok(Node::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<(String, Content, u64, u64)> {
        read(text).unwrap().into_iter().map(|leaf| (leaf.key, leaf.content, leaf.line, leaf.column)).collect()
    }

    fn content(text: &str) -> Content {
        Content::Text(text.into())
    }

    #[test]
    fn leaves_have_dotted_keys_and_places() {
        let text = "server:\n  httpListenAddr: \":3592\"\n  cors: {allowedOrigins: [a, b]}\naudit:\n  enabled: false\n";
        assert_eq!(
            keys(text),
            [
                ("server.httpListenAddr".into(), content(":3592"), 2, 3),
                ("server.cors.allowedOrigins".into(), Content::List, 3, 10),
                ("audit.enabled".into(), content("false"), 5, 3),
            ]
        );
    }

    #[test]
    fn json_is_read_too_and_empty_files_set_nothing() {
        assert_eq!(
            keys("{\n \"server\": {\"advanced\": {\"n\": 1.5}},\n \"telemetry\": null}"),
            [("server.advanced.n".into(), content("1.5"), 2, 26)]
        );
        assert_eq!(keys(""), []);
        assert_eq!(keys("# nothing\n"), []);
        assert_eq!(keys("server:\n"), []);
    }

    #[test]
    fn structures_are_leaves_with_their_types() {
        let text = "auxData:\n  jwt:\n    keySets:\n      - id: \"1\"\n        local: {pem: true, data: ~}\n";
        let list = serde_json::json!([{"id": "1", "local": {"pem": true, "data": null}}]);
        assert_eq!(keys(text), [("auxData.jwt.keySets".into(), Content::Structure(list.clone()), 3, 5)]);
        assert_eq!(structure("[{id: '1', local: {pem: true, data: null}}]"), Ok(list));
        assert!(structure("[{id: 1}").is_err());
    }

    #[test]
    fn bad_files_are_errors_with_a_place() {
        for (text, line) in [
            ("a: 1\na: 2\n", 2),
            ("a: [1\n", 2),
            ("- a\n", 1),
            ("a: 1\n---\nb: 2\n", 2),
            (&format!("a: {}1{}", "[".repeat(100), "]".repeat(100)), 1),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.line.abs_diff(line) <= 1, "{text}: {error:?}");
            assert!(!error.message.is_empty());
        }
    }
}
