//! What keeps suites from being run, without running them.

use std::collections::BTreeMap;

use super::plan::Steps;
use super::report::{SuiteReport, Summary};
use super::spec::{Known, Test};
use super::{Shelf, each};
use crate::policy::hint::similar;
use crate::policy::yaml::Place;
use crate::policy::{Code, Diagnostic, FileKind, Position, SourceFile, classify, frame, printable};

/// A warning about each suite among `files` that cannot be run: its form, its fixtures and what it refers to.
#[must_use]
pub fn diagnose(files: &[SourceFile]) -> Vec<Diagnostic> {
    let mut shelf = Shelf { files, directories: BTreeMap::new() };
    let mut steps = Steps::new();
    let suites = files.iter().filter(|file| classify(&file.path) == FileKind::Test);
    let mut found: Vec<Diagnostic> = suites
        .filter_map(|file| {
            let report = each(file, &mut shelf, &mut steps, &mut |suite, _| {
                SuiteReport::of(&file.path, &suite.name, Summary::default(), Vec::new())
            });
            diagnostic(files, report)
        })
        .collect();
    found.sort_by(|a, b| (&a.position, &a.message).cmp(&(&b.position, &b.message)));
    // Suites that share fixtures share what is wrong with them.
    found.dedup();
    found
}

/// Which fixtures `test` names that do not exist, and which were meant; empty if all exist.
pub(super) fn help(test: &Test, known: Known<'_>) -> String {
    let (own, beside) = (known.own, known.beside);
    let input = &test.input;
    let aux_data: &[String] =
        if input.aux_data.is_empty() { &[] } else { std::slice::from_ref(&input.aux_data) };
    let lines = [
        missing("principals", &input.principals.names, own.principals.keys().chain(beside.principals.keys())),
        missing("resources", &input.resources.names, own.resources.keys().chain(beside.resources.keys())),
        missing("auxData", aux_data, own.aux_data.keys().chain(beside.aux_data.keys())),
    ];
    lines.concat().join("\n")
}

/// One line for each of `names` that is not `known`.
fn missing<'k>(field: &str, names: &[String], known: impl Iterator<Item = &'k String>) -> Vec<String> {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let unknown = names.iter().filter(|name| !known.contains(&name.as_str()));
    let line = |name: &String| {
        let meant = similar(name, known.iter().copied());
        let meant = meant.unwrap_or_else(|| match known.is_empty() {
            true => "there is none, neither here nor in `testdata`".to_owned(),
            false => format!("there are `{}`", known.join("`, `")),
        });
        printable(&format!("`{name}` in `input.{field}`: {meant}"))
    };
    unknown.map(line).collect()
}

fn diagnostic(files: &[SourceFile], report: SuiteReport) -> Option<Diagnostic> {
    let error = report.error?;
    let position = report.position;
    let at = files.iter().find(|file| file.path == position.file);
    let frame = at.map_or_else(String::new, |file| marked(&position, &file.text));
    Some(Diagnostic {
        code: Code::UnusableTests,
        severity: Code::UnusableTests.severity(),
        message: error.lines().map(printable).collect::<Vec<_>>().join(" "),
        hint: Some(report.help.replace('\n', "; ")).filter(|help| !help.is_empty()),
        frame,
        subject: None,
        position,
    })
}

fn marked(position: &Position, text: &str) -> String {
    let place = Place { line: position.line, column: position.column, ..Place::start_of(0) };
    frame(position, text, place)
}
