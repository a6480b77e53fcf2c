//! Rules about the tree that no compiler checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Most lines of code in one file; tests, comments and blank lines are not counted.
const MAX_CODE_LINES: usize = 400;

/// What each module of the server may import from its siblings.
const SERVER_EDGES: &[(&str, &[&str])] = &[
    ("ports", &[]),
    ("telemetry", &[]),
    ("durable", &[]),
    ("background", &[]),
    ("rate", &[]),
    ("secret", &[]),
    ("outgoing", &["telemetry"]),
    ("otel", &["outgoing", "telemetry"]),
    ("discovery", &["outgoing"]),
    ("config", &["ports", "secret", "telemetry"]),
    ("pap", &["background", "durable", "ports", "telemetry"]),
    ("audit", &["background", "durable", "outgoing", "ports", "telemetry"]),
    ("facts", &["background", "ports", "telemetry"]),
    ("quarantine", &["durable", "ports"]),
    ("pip", &["discovery", "outgoing", "ports", "telemetry"]),
    ("tls", &["ports", "telemetry"]),
    ("ship", &["audit", "background", "durable", "outgoing", "ports", "secret", "telemetry"]),
    ("callers", &["durable", "ports", "telemetry"]),
    ("streams", &["discovery", "outgoing", "ports", "secret", "telemetry"]),
    ("pdp", &["background", "ports", "rate", "telemetry"]),
    ("http", &["pdp", "ports", "rate", "telemetry"]),
    // What fuzz targets reach beyond all doors.
    ("fuzzing", &["audit", "discovery", "facts", "http", "pip", "quarantine", "streams", "tls"]),
    (
        "cli",
        &[
            "audit",
            "background",
            "callers",
            "config",
            "discovery",
            "facts",
            "http",
            "outgoing",
            "otel",
            "pap",
            "pdp",
            "pip",
            "ports",
            "quarantine",
            "secret",
            "ship",
            "streams",
            "telemetry",
            "tls",
        ],
    ),
];

/// What each module of the core may import from its siblings.
const CORE_EDGES: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("value", &["limits"]),
    ("model", &["value", "limits"]),
    ("expr", &["value", "limits", "model"]),
    ("schema", &["value", "limits", "expr"]),
    ("policy", &["value", "limits", "model", "expr", "schema"]),
    ("signal", &["value", "limits", "model", "policy"]),
    ("engine", &["value", "limits", "model", "expr", "schema", "policy"]),
    ("record", &["value", "limits", "model"]),
    ("query", &["limits", "model", "record"]),
    ("proof", &[]),
    ("suite", &["value", "limits", "model", "expr", "policy", "engine"]),
    ("replay", &["model", "policy", "engine", "record"]),
];

/// Each risky dependency and the only files that may name it.
const SOLE_IMPORTERS: &[(&str, &[&str])] = &[
    (
        "serde_saphyr",
        &[
            "crates/core/src/policy/yaml.rs",
            "src/config/file.rs",
            "src/callers/entry.rs",
            "crates/samples/src/yaml.rs",
        ],
    ),
    (
        "prometheus",
        &["src/telemetry/metrics.rs", "src/telemetry/metrics/signals.rs", "src/telemetry/samples.rs"],
    ),
    ("opentelemetry", &["src/otel/mod.rs", "src/telemetry/spans.rs"]),
    ("opentelemetry_http", &["src/otel/client.rs", "src/otel/metrics.rs"]),
    ("opentelemetry_otlp", &["src/otel/mod.rs"]),
    ("opentelemetry_sdk", &["src/otel/mod.rs", "src/otel/metrics.rs"]),
    ("notify", &["src/pap/watch.rs"]),
    (
        "aws_lc_rs",
        &[
            "src/pip/signature.rs",
            "src/audit/proof/keys.rs",
            "src/audit/masking/store.rs",
            "src/callers/key.rs",
            "src/pdp/webhooks/signature.rs",
            "crates/testkit/src/issuer.rs",
            "crates/testkit/src/witness.rs",
        ],
    ),
    ("rusqlite", &["src/audit/index/store.rs"]),
    ("hyper_rustls", &["src/outgoing.rs"]),
    (
        "rustls",
        &[
            "src/outgoing.rs",
            "src/tls/files.rs",
            "src/tls/live.rs",
            "src/tls/mod.rs",
            "src/tls/probe.rs",
            "src/tls/shown.rs",
            "src/tls/trust.rs",
        ],
    ),
    ("tokio_rustls", &["src/tls/mod.rs", "crates/testkit/src/certificates.rs"]),
    ("rcgen", &["crates/testkit/src/certificates.rs"]),
    ("rustls_pki_types", &["src/pip/pem.rs"]),
    ("webpki", &["src/pip/pem.rs"]),
    ("zstd", &["src/audit/compressed.rs"]),
];

/// Crates that would give the core a runtime, files, a network, a clock or randomness.
const BANNED_IN_CORE: &[&str] = &[
    "tokio",
    "axum",
    "hyper",
    "mio",
    "notify",
    "socket2",
    "getrandom",
    "rand",
    "fastrand",
    "chrono",
    "time",
    "uuid",
    "tracing",
    "tempfile",
    "reqwest",
    "rusqlite",
];

/// What production code of the core never names; addresses are fine, sockets are not.
/// `crates/core/clippy.toml` bans the same, function by function, in tests too.
const UNSPOKEN_IN_CORE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::os",
    "std::process",
    "std::thread",
    "TcpListener",
    "TcpStream",
    "ToSocketAddrs",
    "UdpSocket",
    "std::time::Instant",
    "SystemTime",
    "::now(",
];

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn rust_files(dir: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![root().join(dir)];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn all_rust_files() -> Vec<PathBuf> {
    ["src", "crates", "tests", "benches", "examples"].into_iter().flat_map(rust_files).collect()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

/// The file without what is compiled for tests only, and without comments.
///
/// Relies on rustfmt: an item ends with the first line that is indented as it begins and closes something.
fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut lines = text.lines();
    let mut code = Vec::new();
    while let Some(line) = lines.next() {
        let start = line.trim_start();
        if start == "#[cfg(test)]" {
            let indent = line.len() - start.len();
            let ends = |line: &&str| {
                let is_outermost = line.len() - line.trim_start().len() == indent;
                is_outermost && !line.trim_start().starts_with('#') && line.ends_with([';', '}', ','])
            };
            lines.by_ref().find(ends);
        } else if !start.is_empty() && !start.starts_with("//") {
            code.push(line);
        }
    }
    code.into_iter()
}

#[test]
fn code_goes_on_behind_an_item_for_tests() {
    let text = "
use a;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
#[expect(dead_code)]
use b::{
    c,
};
fn one() {
    // a remark
    two();
}
#[cfg(test)]
mod tests {
    use super::*;

    fn three() {}
}
fn four() {}
";
    let code: Vec<&str> = code_lines(text).collect();
    assert_eq!(code, ["use a;", "fn one() {", "    two();", "}", "fn four() {}"]);
}

fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

#[test]
fn arrows_point_inwards() {
    let mut wrong = Vec::new();
    for (dir, edges) in [("src", SERVER_EDGES), ("crates/core/src", CORE_EDGES)] {
        for file in rust_files(dir) {
            let path = relative(&file);
            let inner = path.strip_prefix(dir).unwrap().trim_start_matches('/');
            let place = module_path(inner);
            let module = place.first().unwrap_or(&"lib").to_string();
            let Some((_, allowed)) = edges.iter().find(|(name, _)| *name == module) else {
                assert!(
                    ["lib", "main"].contains(&module.as_str()),
                    "`{path}`: add `{module}` to the table of edges"
                );
                continue;
            };
            if is_test_file(&path) {
                continue;
            }
            for target in imported_modules(&fs::read_to_string(&file).unwrap(), &place) {
                let known = edges.iter().any(|(name, _)| *name == target);
                if known && target != module && !allowed.contains(&target.as_str()) {
                    wrong.push(format!("{path} imports `{target}`"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "against the direction of the arrows:\n{}", wrong.join("\n"));
}

/// The module that `file`, relative to the root of its crate, holds: `["a", "b"]` for `a/b.rs` and for `a/b/mod.rs`.
fn module_path(file: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    if matches!(parts.last(), Some(&("mod" | "lib" | "main"))) {
        parts.pop();
    }
    parts
}

/// The modules at the root of the crate that the code of the module at `place` names by `crate::` or by a chain of
/// `super::`, also inside `use crate::{a, b::c}`.
fn imported_modules(text: &str, place: &[&str]) -> BTreeSet<String> {
    let code = code_lines(text).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for (start, word) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let (before, path) = code.split_at(start);
        if before.ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c)) {
            continue;
        }
        let mut after = path.strip_prefix(word).unwrap();
        let mut depth = if word == "crate::" { 0 } else { place.len().saturating_sub(1) };
        while let Some(rest) = after.strip_prefix("super::") {
            after = rest;
            depth = depth.saturating_sub(1);
        }
        if depth == 0 {
            found.extend(first_names(after));
        }
    }
    found
}

/// The first name of each path in `a::b`, or in `{a, b::{c, d}}`.
fn first_names(text: &str) -> BTreeSet<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = text.strip_prefix('{') else { return BTreeSet::from([name(text)]) };
    let (mut outermost, mut depth) = (String::new(), 1);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            c if depth == 1 => outermost.push(c),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    outermost.split(',').map(|path| name(path.trim_start())).filter(|name| !name.is_empty()).collect()
}

#[test]
fn imports_are_seen_however_they_are_written() {
    let cases: [(&str, &str, &[&str]); 8] = [
        ("use crate::pdp::Pdp;", "http/mod.rs", &["pdp"]),
        ("use crate::{pap, audit::{Log, files}, http::{self}};", "cli/mod.rs", &["audit", "http", "pap"]),
        ("use super::pdp::Pdp;", "http.rs", &["pdp"]),
        ("use super::super::{\n    pdp::Pdp,\n    ports,\n};", "http/edge.rs", &["pdp", "ports"]),
        ("let x = super::super::super::audit::open();", "http/cerbos/request.rs", &["audit"]),
        ("use super::edge;", "http/cerbos/mod.rs", &[]),
        ("#[cfg(test)]\nmod tests {\n    use crate::audit;\n}\nuse crate::pap;", "http/mod.rs", &["pap"]),
        ("use mycrate::audit; use a::super_::b;", "http/mod.rs", &[]),
    ];
    for (text, file, expected) in cases {
        let found = imported_modules(text, &module_path(file));
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{text} in {file}");
    }
}

#[test]
fn files_are_short() {
    let long: Vec<String> = all_rust_files()
        .iter()
        .filter(|path| !is_test_file(&relative(path)))
        .map(|path| (code_lines(&fs::read_to_string(path).unwrap()).count(), relative(path)))
        .filter(|(lines, _)| *lines > MAX_CODE_LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines of code"))
        .collect();
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}

#[test]
fn nothing_is_left_over() {
    let markers =
        ["TO", "FIX", "XX", "HA"].into_iter().zip(["DO", "ME", "X", "CK"]).map(|(a, b)| format!("{a}{b}"));
    let markers: Vec<String> =
        markers.chain([format!("#[ig{}", "nore"), format!("#[should_{}", "panic")]).collect();
    for path in all_rust_files() {
        let text = fs::read_to_string(&path).unwrap();
        for marker in &markers {
            assert!(!text.contains(marker.as_str()), "`{}` contains `{marker}`", relative(&path));
        }
    }
}

#[test]
fn risky_dependencies_are_imported_in_one_place() {
    for path in all_rust_files() {
        let name = relative(&path);
        let text = fs::read_to_string(&path).unwrap();
        for (dependency, owners) in SOLE_IMPORTERS {
            let names_it = code_lines(&text).any(|l| {
                l.contains(&format!("use {dependency}::"))
                    || l.contains(&format!(" {dependency}::"))
                    || l.contains(&format!("<{dependency}::"))
            });
            let owned = owners.contains(&name.as_str()) || name == "tests/it/tidy.rs";
            assert!(!names_it || owned, "`{name}` names `{dependency}`, which only {owners:?} may do");
        }
    }
}

#[test]
fn the_core_depends_on_no_runtime_file_network_clock_or_random_crate() {
    let out = Command::new(env!("CARGO"))
        .args(["tree", "-p", "procura-core", "-e", "normal", "--prefix", "none", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let tree = String::from_utf8(out.stdout).unwrap();
    let names: BTreeSet<&str> = tree.lines().filter_map(|l| l.split_whitespace().next()).collect();
    assert!(names.contains("procura-core"), "{tree}");
    let banned: Vec<_> = BANNED_IN_CORE.iter().filter(|b| names.contains(**b)).collect();
    assert!(banned.is_empty(), "the core must not depend on {banned:?}");
}

#[test]
fn the_core_names_no_file_network_thread_environment_or_clock() {
    for path in rust_files("crates/core/src") {
        let name = relative(&path);
        let text = fs::read_to_string(&path).unwrap();
        for line in code_lines(&text).filter(|_| !is_test_file(&name)) {
            let spoken = UNSPOKEN_IN_CORE.iter().find(|word| line.contains(**word));
            assert!(spoken.is_none(), "`{name}` names `{}`: {line}", spoken.unwrap());
        }
    }
}

#[test]
fn no_path_is_reached_but_through_the_table_of_places() {
    let adds_paths = |line: &str| {
        let line = line.replace("self.route(", "");
        [".route(", ".route_service(", ".nest(", ".fallback("].iter().any(|call| line.contains(call))
    };
    let routers = rust_files("src/http").into_iter().filter(|path| {
        let text = fs::read_to_string(path).unwrap();
        code_lines(&text).any(adds_paths)
    });
    let routers: Vec<String> = routers.map(|path| relative(&path)).collect();
    assert_eq!(routers, ["src/http/mod.rs", "src/http/routes.rs"]);
}
