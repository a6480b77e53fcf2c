//! What running policy tests found, in the forms that people and programs read.

mod coverage;
mod junit;
mod sarif;
mod tree;

use std::io::IsTerminal;
use std::path::Path;

use clap::ValueEnum;
use procura_core::policy::Diagnostic;
use procura_core::suite::{Coverage, Report};
use serde::Serialize;

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Tree,
    /// For people, without lines
    List,
    /// One JSON object
    Json,
    /// `JUnit` XML
    Junit,
    /// SARIF 2.1.0: what code hosts show beside the line
    Sarif,
}

/// How much to show to people, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Whether results have colours.
    pub(super) colour: bool,
    /// Whether what passed is shown too.
    pub(super) verbose: bool,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// No colours
    Never,
    /// Colours
    Always,
    /// Colours
    #[value(name = "256")]
    Indexed,
    /// Colours
    #[value(name = "16m")]
    True,
}

impl Colour {
    /// Whether to use them on standard output.
    pub(super) fn on_stdout(self) -> bool {
        match self {
            Colour::Never => false,
            Colour::Always | Colour::Indexed | Colour::True => true,
            Colour::Auto => std::env::var_os("NO_COLOR").is_none() && std::io::stdout().is_terminal(),
        }
    }
}

/// `report` about files of `directory`, and what the tests cover if that is known, as text of `format`.
pub(super) fn text(
    report: &Report,
    coverage: Option<&Coverage>,
    directory: &Path,
    format: Format,
    style: Style,
) -> anyhow::Result<String> {
    let covered = coverage.map(coverage::text).unwrap_or_default();
    Ok(match format {
        Format::Tree => tree::text(report, tree::Lines::Drawn, style) + &covered,
        Format::List => tree::text(report, tree::Lines::Indented, style) + &covered,
        Format::Json => serde_json::to_string_pretty(&Whole { report, coverage })? + "\n",
        Format::Junit => junit::text(report),
        Format::Sarif => {
            let mut findings = sarif::of_tests(report);
            findings.extend(coverage.into_iter().flat_map(sarif::of_coverage));
            sarif::text(&findings, directory)?
        }
    })
}

/// What tests cover, for people.
pub(super) fn coverage(coverage: &Coverage) -> String {
    coverage::text(coverage)
}

/// The report as JSON, in the form of the peer, and beside it what the peer does not know.
#[derive(Serialize)]
struct Whole<'r> {
    #[serde(flatten)]
    report: &'r Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<&'r Coverage>,
}

/// `diagnostics` as `JUnit`: one suite that could not be run.
pub(super) fn diagnostics_as_junit(diagnostics: &[Diagnostic]) -> String {
    junit::refused(diagnostics)
}

/// `diagnostics` about files of `directory` as SARIF.
pub(super) fn diagnostics_as_sarif(diagnostics: &[Diagnostic], directory: &Path) -> anyhow::Result<String> {
    sarif::text(&sarif::of_diagnostics(diagnostics), directory)
}
