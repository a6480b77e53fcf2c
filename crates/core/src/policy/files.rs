//! What a file of the policy directory is for, by its path alone.

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// Holds policies.
    Policy,
    /// A suite of policy tests: `*_test.yaml`, `*_test.yml`, `*_test.json`.
    Test,
    /// Fixtures of policy tests: YAML or JSON below a directory `testdata`.
    TestData,
    /// A JSON schema: a `.json` file below `_schemas` at the root of the set.
    Schema,
    /// Below or itself a name that begins with `.`.
    Hidden,
    /// Anything else; it is not read.
    Other,
}

impl FileKind {
    /// Whether such files belong to the set: its revision counts them.
    #[must_use]
    pub const fn belongs_to_the_set(self) -> bool {
        match self {
            FileKind::Policy | FileKind::Test | FileKind::TestData | FileKind::Schema => true,
            FileKind::Hidden | FileKind::Other => false,
        }
    }
}

/// Classifies `path`, relative to the policy directory, with forward slashes.
#[must_use]
pub fn classify(path: &str) -> FileKind {
    if path.split('/').any(|part| part.starts_with('.')) {
        return FileKind::Hidden;
    }
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    if directory.split('/').next() == Some("_schemas") {
        return if name.ends_with(".json") { FileKind::Schema } else { FileKind::Other };
    }
    let is_fixture = directory.split('/').any(|part| part == "testdata");
    match name.rsplit_once('.') {
        Some((_, "yaml" | "yml" | "json")) if is_fixture => FileKind::TestData,
        Some((stem, "yaml" | "yml" | "json")) if stem.ends_with("_test") => FileKind::Test,
        Some((_, "yaml" | "yml" | "json")) => FileKind::Policy,
        _ => FileKind::Other,
    }
}

/// Whether `path` is below a `_schemas` directory that is not at the root.
pub(super) fn is_misplaced_schema(path: &str) -> bool {
    path.split('/').rev().skip(1).any(|part| part == "_schemas")
}

#[cfg(test)]
mod tests {
    use super::{FileKind, classify};

    #[test]
    fn files_are_told_apart_by_path() {
        let cases = [
            ("a.yaml", FileKind::Policy),
            ("x/y/a.yml", FileKind::Policy),
            ("a.json", FileKind::Policy),
            ("a_test.yaml", FileKind::Test),
            ("x/a_test.json", FileKind::Test),
            ("testdata/a.yaml", FileKind::TestData),
            ("x/testdata/y/a_test.yaml", FileKind::TestData),
            ("testdata/README.md", FileKind::Other),
            ("_schemas/a.json", FileKind::Schema),
            ("_schemas/x/a_test.json", FileKind::Schema),
            ("_schemas/a.yaml", FileKind::Other),
            ("x/_schemas/a.json", FileKind::Policy),
            (".a.yaml", FileKind::Hidden),
            ("..data/a.yaml", FileKind::Hidden),
            ("x/.git/a.yaml", FileKind::Hidden),
            ("README.md", FileKind::Other),
            ("yaml", FileKind::Other),
            ("a.YAML", FileKind::Other),
            ("testdata.yaml", FileKind::Policy),
        ];
        for (path, kind) in cases {
            assert_eq!(classify(path), kind, "{path}");
        }
    }
}
