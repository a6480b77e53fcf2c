//! The tables as a whole, and the reference page written from them: a test fails when it is stale.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{Function, LIBRARIES, Overload, Ty};
use crate::expr::{Names, compile};

const PAGE: &str = "docs/reference/functions.md";

const HEAD: &str = "# Functions in expressions\n\n\
    Conditions, variables and outputs are [CEL](https://github.com/google/cel-spec) with these functions and macros.\n\
    This page is written from the tables that the checker uses: `UPDATE=1 cargo test -p procura-core functions_page` \
    renews it.\n\n\
    `receiver.name(arguments)` is a method. A letter such as `T` stands for any type, the same within one line; \
    `...` means that the last argument may be repeated.\n\
    Attributes have the type `dyn`: a function takes them where it takes a value of the type that they turn out to \
    have, and otherwise errs.\n\
    Numbers in attributes are doubles; `int(R.attr.n)` makes an integer of one.\n";

/// The titles of [`LIBRARIES`], in their order.
const TITLES: [&str; 16] = [
    "Instant of the call",
    "Encodings",
    "Hierarchies",
    "Lists",
    "Mathematics",
    "Networks",
    "Paths",
    "Regular expressions",
    "Sets",
    "Signals",
    "SPIFFE",
    "Standard functions",
    "Strings",
    "Parts of timestamps and durations",
    "Conversions",
    "Optional values",
];

/// Macros by example, and what they yield.
const MACROS: [(&str, &str); 19] = [
    ("has(R.attr.owner)", "whether the field is there; it may be `null`"),
    ("R.attr.tags.all(x, x != \"\")", "whether the condition holds for every item of a list or key of a map"),
    ("R.attr.tags.all(i, x, i < 3)", "the same with index and item, or key and value"),
    ("R.attr.tags.exists(x, x == \"a\")", "whether it holds for at least one"),
    ("R.attr.tags.exists(i, x, x == \"a\")", "the same with index and item, or key and value"),
    ("R.attr.tags.exists_one(x, x == \"a\")", "whether it holds for exactly one; also `existsOne`"),
    ("R.attr.tags.existsOne(i, x, x == \"a\")", "the same with index and item, or key and value"),
    ("R.attr.tags.filter(x, x != \"a\")", "the list of those for which it holds"),
    ("R.attr.tags.map(x, x + \"!\")", "the list of what the expression yields for each"),
    ("R.attr.tags.map(x, x != \"a\", x + \"!\")", "the same for those for which the condition holds"),
    ("R.attr.tags.transformList(i, x, x + \"!\")", "a list, made with index and item, or key and value"),
    ("R.attr.tags.transformList(i, x, i > 0, x)", "the same for those for which the condition holds"),
    ("R.attr.limits.transformMap(k, v, v * 2.0)", "a map with the same keys and new values"),
    ("R.attr.limits.transformMap(k, v, v > 1.0, v)", "the same for those for which the condition holds"),
    ("R.attr.limits.transformMapEntry(k, v, {v: k})", "a map of the entries that the expression yields"),
    ("R.attr.items.sortBy(x, x.rank)", "the list in the order of what the expression yields for each item"),
    ("cel.bind(x, R.attr.owner, x == P.id || x == \"\")", "the last expression, with a name for the value"),
    (
        "R.attr.?owner.optMap(x, x + \"!\")",
        "an optional of what the expression yields, empty if there is no value",
    ),
    (
        "R.attr.?owner.optFlatMap(x, P.attr.?name)",
        "the same for an expression that yields an optional itself",
    ),
];

#[test]
fn every_function_name_has_one_entry() {
    let mut names: Vec<_> = LIBRARIES.iter().flat_map(|library| library.iter()).map(|f| f.name).collect();
    names.sort_unstable();
    let total = names.len();
    names.dedup();
    assert_eq!(names.len(), total);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the page is a file, and a setting asks to write it")]
fn functions_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PAGE);
    let current = page();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &current).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, current, "{PAGE} is stale: run with UPDATE=1");
}

#[test]
fn every_example_of_a_macro_compiles() {
    for (example, _) in MACROS {
        assert!(compile(example, Names::default()).is_ok(), "{example}");
    }
}

fn page() -> String {
    assert_eq!(LIBRARIES.len(), TITLES.len());
    let mut page = String::from(HEAD);
    page.push_str("\n## Macros\n\n| example | yields |\n|---|---|\n");
    for (example, meaning) in MACROS {
        writeln!(page, "| `{}` | {meaning} |", example.replace('|', "\\|")).unwrap();
    }
    for (title, library) in TITLES.iter().zip(LIBRARIES) {
        write!(page, "\n## {title}\n\n| call | result |\n|---|---|\n").unwrap();
        // What macros expand to has a name that no expression can write.
        for function in library.iter().filter(|function| !function.name.contains('@')) {
            lines(function).into_iter().for_each(|line| page.push_str(&line));
        }
    }
    page
}

fn lines(function: &Function) -> BTreeSet<String> {
    let line = |overload: &Overload| {
        let mut params: Vec<_> = overload.params.iter().map(|ty| shown(*ty)).collect();
        if overload.variadic {
            params.push("...".to_owned());
        }
        let receiver = if overload.member { params.remove(0) + "." } else { String::new() };
        let result = shown(overload.result);
        format!("| `{receiver}{}({})` | `{result}` |\n", function.name, params.join(", "))
    };
    function.overloads.iter().map(line).collect()
}

fn shown(ty: Ty) -> String {
    match ty {
        Ty::Param(letter) => letter.to_string(),
        Ty::Opaque(name) => name.to_owned(),
        Ty::List(item) => format!("list({})", shown(*item)),
        Ty::Map(key, value) => format!("map({}, {})", shown(*key), shown(*value)),
        Ty::Optional(inner) => format!("optional_type({})", shown(*inner)),
        plain => format!("{plain:?}").to_lowercase(),
    }
}
