//! The configuration file: YAML (and so JSON) to a list of leaves, each with its dotted key and its place.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// Largest configuration file, in bytes.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// Deepest nesting of a configuration file; ours needs 4, the peer's 7.
const MAX_DEPTH: usize = 32;

/// One value of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Dotted key.
    pub(super) key: String,
    /// The scalar as text; `None` for a list.
    pub(super) text: Option<String>,
    /// Line of the key, from 1.
    pub(super) line: u64,
    /// Column of the key, from 1.
    pub(super) column: u64,
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
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_documents: 1 },
    };
    let root: Option<Node> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location();
        let (line, column) = place.map_or((1, 1), |place| (place.line(), place.column()));
        FileError { line, column, message: error.without_snippet().to_string() }
    })?;
    let mut leaves = Vec::new();
    match root {
        None | Some(Node::Null) => {}
        Some(Node::Map(entries)) => flatten("", entries, &mut leaves),
        Some(Node::Scalar(_) | Node::List) => {
            return Err(FileError {
                line: 1,
                column: 1,
                message: "the file must hold a map of settings".into(),
            });
        }
    }
    Ok(leaves)
}

fn flatten(prefix: &str, entries: Vec<(Spanned<String>, Node)>, leaves: &mut Vec<Leaf>) {
    for (name, node) in entries {
        let key = if prefix.is_empty() { name.value } else { format!("{prefix}.{}", name.value) };
        let text = match node {
            Node::Null => continue,
            Node::Map(entries) => {
                flatten(&key, entries, leaves);
                continue;
            }
            Node::Scalar(text) => Some(text),
            Node::List => None,
        };
        leaves.push(Leaf { key, text, line: name.referenced.line(), column: name.referenced.column() });
    }
}

/// A node of the file, as far as configuration cares: the items of lists belong to keys without effect.
enum Node {
    Null,
    Scalar(String),
    List,
    Map(Vec<(Spanned<String>, Node)>),
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
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        while items.next_element::<Node>()?.is_some() {}
        Ok(Node::List)
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

    fn keys(text: &str) -> Vec<(String, Option<String>, u64, u64)> {
        read(text).unwrap().into_iter().map(|leaf| (leaf.key, leaf.text, leaf.line, leaf.column)).collect()
    }

    #[test]
    fn leaves_have_dotted_keys_and_places() {
        let text = "server:\n  httpListenAddr: \":3592\"\n  cors: {allowedOrigins: [a, b]}\naudit:\n  enabled: false\n";
        assert_eq!(
            keys(text),
            [
                ("server.httpListenAddr".into(), Some(":3592".into()), 2, 3),
                ("server.cors.allowedOrigins".into(), None, 3, 10),
                ("audit.enabled".into(), Some("false".into()), 5, 3),
            ]
        );
    }

    #[test]
    fn json_is_read_too_and_empty_files_set_nothing() {
        assert_eq!(
            keys("{\n \"engine\": {\"globals\": {\"n\": 1.5}},\n \"telemetry\": null}"),
            [("engine.globals.n".into(), Some("1.5".into()), 2, 25)]
        );
        assert_eq!(keys(""), []);
        assert_eq!(keys("# nothing\n"), []);
        assert_eq!(keys("server:\n"), []);
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
