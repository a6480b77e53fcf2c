//! The way from the root of a file to a place in it, as a JSON path.

use super::yaml::{self, Content, Entry, Node, Place};

/// The JSON path to the value or key at `line` and `column`, both from one, such as `$.resourcePolicy.rules[0]`. Where a
/// map in block style begins, that is its first key. `None` where `text` is no YAML.
#[must_use]
pub fn path_at(text: &str, line: u32, column: u32) -> Option<String> {
    let target = (line, column);
    let documents = yaml::parse(text, 0).ok()?.documents;
    let mut node = documents.iter().rev().find(|node| begins(node.place) <= target).or(documents.first())?;
    let mut path = "$".to_owned();
    while begins(node.place) != target || is_key(node, target) {
        let next = match &node.content {
            Content::Map(entries) => in_map(entries, target, &mut path),
            Content::List(items) => in_list(items, target, &mut path),
            Content::Null | Content::Bool(_) | Content::Number(_) | Content::String(_) => None,
        };
        let Some(next) = next else { break };
        node = next;
    }
    Some(path)
}

/// The value that holds the target, if that is not the key itself.
fn in_map<'n, 't>(entries: &'n [Entry<'t>], target: (u32, u32), path: &mut String) -> Option<&'n Node<'t>> {
    let entry =
        entries.iter().filter(|entry| begins(entry.place) <= target).max_by_key(|entry| entry.place)?;
    path.push('.');
    path.push_str(&entry.key);
    (begins(entry.place) != target).then_some(&entry.value)
}

/// Whether `node` is a map whose first key is the target.
fn is_key(node: &Node<'_>, target: (u32, u32)) -> bool {
    matches!(&node.content, Content::Map(entries) if entries.first().is_some_and(|first| begins(first.place) == target))
}

fn in_list<'n, 't>(items: &'n [Node<'t>], target: (u32, u32), path: &mut String) -> Option<&'n Node<'t>> {
    let index = items.iter().rposition(|item| begins(item.place) <= target)?;
    path.push_str(&format!("[{index}]"));
    items.get(index)
}

fn begins(place: Place) -> (u32, u32) {
    (place.line, place.column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn way_leads_to_what_begins_at_the_place() {
        let text = "a: 1\nb:\n  - c: {d: x}\n    e: 2\n  - [y, z]\n";
        for (line, column, path) in [
            (1, 1, "$.a"),
            (1, 4, "$.a"),
            (2, 1, "$.b"),
            (3, 5, "$.b[0].c"),
            (3, 8, "$.b[0].c"),
            (3, 9, "$.b[0].c.d"),
            (3, 12, "$.b[0].c.d"),
            (4, 5, "$.b[0].e"),
            (5, 9, "$.b[1][1]"),
            (9, 1, "$.b[1][1]"),
        ] {
            assert_eq!(path_at(text, line, column).as_deref(), Some(path), "{line}:{column}");
        }
        assert_eq!(path_at("a: [", 1, 1), None);
    }
}
