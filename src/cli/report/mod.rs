//! What running policy tests found, in the forms that people and programs read.

mod junit;
mod sarif;
mod tree;

use std::io::IsTerminal;
use std::path::Path;

use clap::ValueEnum;
use procura_core::policy::Diagnostic;
use procura_core::suite::Report;

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

/// `report` about files of `directory` as text of `format`.
pub(super) fn text(
    report: &Report,
    directory: &Path,
    format: Format,
    style: Style,
) -> anyhow::Result<String> {
    Ok(match format {
        Format::Tree => tree::text(report, tree::Lines::Drawn, style),
        Format::List => tree::text(report, tree::Lines::Indented, style),
        Format::Json => serde_json::to_string_pretty(report)? + "\n",
        Format::Junit => junit::text(report),
        Format::Sarif => sarif::text(&sarif::of_tests(report), directory)?,
    })
}

/// `diagnostics` about files of `directory` as SARIF.
pub(super) fn diagnostics_as_sarif(diagnostics: &[Diagnostic], directory: &Path) -> anyhow::Result<String> {
    sarif::text(&sarif::of_diagnostics(diagnostics), directory)
}
