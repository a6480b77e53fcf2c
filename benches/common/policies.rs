//! Policy sets of any size, in which no two conditions have the same text.

use std::fs;
use std::path::Path;

use procura_core::policy::SourceFile;

/// Words of `benches/store` that get a number in each copy: names, and a literal of every condition.
const NUMBERED: [&str; 12] = [
    "leave_request",
    "leave_roles",
    "auditor",
    "everywhere",
    "elsewhere",
    "LR-gone",
    "LR-audit",
    "closed",
    "desk",
    "HELD",
    "legal",
    "ARCHIVED",
];

/// Copies of the policies in `benches/store` until there are `count` files.
pub(crate) fn policies(count: usize) -> Vec<SourceFile> {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/store");
    let mut paths: Vec<_> = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let unit: Vec<_> = paths
        .iter()
        .map(|path| (path.file_name().unwrap().to_str().unwrap(), fs::read_to_string(path).unwrap()))
        .collect();
    (0..count)
        .map(|n| {
            let (name, text) = &unit[n % unit.len()];
            let copy = n / unit.len();
            let number = |text: String, word: &&str| text.replace(word, &format!("{word}_{copy}"));
            SourceFile {
                path: format!("{copy}/{name}").into(),
                text: NUMBERED.iter().fold(text.clone(), number).into(),
            }
        })
        .collect()
}
