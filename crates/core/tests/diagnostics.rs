//! What authors are told: every file or directory below `diagnostics/` is a set, and beside it lies the text
//! that it must yield. `UPDATE=1` writes the texts anew.
#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "the sets are files, and a setting asks to write the texts")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use procura_core::policy::{Code, Compiled, Severity, SourceFile, compile, render};
use procura_core::suite;

#[test]
fn sets_yield_exactly_the_recorded_diagnostics() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for (path, compiled) in corpus() {
        let rendered: String = compiled.diagnostics.iter().map(render).collect();
        let recorded = path.with_extension("txt");
        if update {
            fs::write(&recorded, &rendered).unwrap();
        } else if fs::read_to_string(&recorded).unwrap_or_default() != rendered {
            wrong.push(format!("{} differs, now:\n{rendered}", recorded.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_occurs() {
    let met: BTreeSet<Code> =
        corpus().iter().flat_map(|(_, compiled)| &compiled.diagnostics).map(|found| found.code).collect();
    let missing: Vec<_> = Code::ALL.into_iter().filter(|code| !met.contains(code)).collect();
    assert!(missing.is_empty(), "no set yields {missing:?}");
}

#[test]
fn a_set_goes_live_unless_a_diagnostic_is_an_error() {
    for (path, compiled) in corpus() {
        let has_error = compiled.diagnostics.iter().any(|found| found.severity == Severity::Error);
        assert_eq!(compiled.snapshot.is_none(), has_error, "{}", path.display());
    }
}

#[test]
fn codes_are_numbered_in_order_and_documented() {
    for (before, code) in Code::ALL.into_iter().zip(Code::ALL.into_iter().skip(1)) {
        assert!(before.as_str() < code.as_str(), "{before:?}, {code:?}");
    }
    for code in Code::ALL {
        let number = code.as_str().strip_prefix('P').unwrap();
        assert!(number.len() == 4 && number.parse::<u16>().is_ok(), "{code:?}");
        assert!(!code.title().is_empty());
    }
}

#[test]
fn diagnostics_page_is_current() {
    const PAGE: &str = "docs/reference/diagnostics.md";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PAGE);
    let current = page();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &current).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, current, "{PAGE} is stale: run with UPDATE=1");
}

/// The reference page, written from the codes.
fn page() -> String {
    let mut page = String::from(
        "# Diagnostics of policies\n\n\
         What `procura check`, the server's start and `GET /admin/policies/status` say about policy files.\n\
         This page is written from the codes themselves: \
         `UPDATE=1 cargo test -p procura-core --test diagnostics` renews it.\n\n\
         An error keeps the whole set from going live; a warning does not. \
         A code never changes its meaning and is never used again for another.\n\
         A diagnostic that knows better help than the advice of this table gives it instead; \
         where the table has none, the message and the marked place say all.\n\n\
         | code | severity | about | advice |\n|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let severity = match code.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let advice = code.advice().unwrap_or_default();
        page.push_str(&format!("| {} | {severity} | {} | {advice} |\n", code.as_str(), code.title()));
    }
    page
}

fn corpus() -> Vec<(PathBuf, Compiled)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics");
    let mut paths: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_none_or(|extension| extension != "txt"));
    paths.sort();
    let check = |path: PathBuf| {
        let files = sources(&path);
        let mut compiled = compile(&files);
        compiled.diagnostics.extend(suite::diagnose(&files));
        (path, compiled)
    };
    paths.into_iter().map(check).collect()
}

/// The files of a set, their paths relative to it.
fn sources(set: &Path) -> Vec<SourceFile> {
    let root = if set.is_dir() { set } else { set.parent().unwrap() };
    let mut files = Vec::new();
    let mut open = vec![set.to_path_buf()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            files.push(SourceFile { path: name.into(), text: fs::read_to_string(&path).unwrap().into() });
        }
    }
    files
}
