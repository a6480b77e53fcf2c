//! The JSON Schemas that editors use are in the tree as the reader's own description of files says; `UPDATE=1` writes
//! them anew.
#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "the schemas are files, and a setting asks to write them")]

use std::fs;
use std::path::Path;

use procura_core::policy::{SCHEMAS, json_schema};

#[test]
fn schemas_for_editors_are_current() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    for (kind, _) in SCHEMAS {
        let path = directory.join(format!("{kind}.schema.json"));
        let current = json_schema(kind).unwrap();
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &current).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, current, "{} is stale: run with UPDATE=1", path.display());
    }
    assert_eq!(json_schema("unknown"), None);
}

/// Every shipped file names the schema of its kind in its first line, by a path that leads there.
#[test]
fn shipped_files_name_their_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut open = vec![root.join("policies")];
    let mut checked = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap();
        let named =
            first.strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| panic!("{path:?}"));
        let kind = match path.to_str().unwrap() {
            name if name.ends_with("_test.yaml") => "suite",
            _ if text.contains("apiVersion: procura.dev/v1") => "extension",
            _ => "policy",
        };
        let expected = root.join(format!("schemas/{kind}.schema.json")).canonicalize().unwrap();
        assert_eq!(path.parent().unwrap().join(named).canonicalize().unwrap(), expected, "{path:?}");
        checked += 1;
    }
    assert!(checked > 10);
}
