//! `procura check`: every problem of every policy file, before any of it goes live.

use std::path::PathBuf;

use clap::ValueEnum;
use procura_core::policy::Compiled;
use procura_core::suite;
use serde::Serialize;

use super::compare::{Affected, affected_by_on_error};
use super::exit::Exit;
use super::{policies, print, print_error, report};
use crate::http::Finding;

const EXAMPLES: &str = "\
Examples:
  procura check policies
  procura check policies --format json | jq '.diagnostics[] | .file + \": \" + .message'
  procura check policies --deny-warnings      for a pipeline that wants neither errors nor warnings
  procura check policies --compare-on-error   what to look at when coming from Cerbos

Suites of tests and their fixtures are read too, not run: `procura test` runs them.

Exit codes: 0 no errors, 3 errors in policies (or warnings, if denied), 2 wrong usage, 1 the directory cannot be read.";

/// Find every problem of every policy file, before any of it goes live
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Directory of the policies
    directory: PathBuf,
    /// How to show what is found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Also list the rules that decide differently under `engine.onError: cerbos` when a condition errs
    #[arg(long)]
    compare_on_error: bool,
    /// End with 3 if there is any warning
    #[arg(long)]
    deny_warnings: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people, on standard error; standard output has the summary
    Text,
    /// One JSON object on standard output
    Json,
    /// SARIF 2.1.0 on standard output: what code hosts show beside the line
    Sarif,
}

/// Compiles the directory and shows what was found.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let files = policies::read(&args.directory)?;
    let count = policies::warn_if_none(&args.directory, &files);
    let unusable = suite::diagnose(&files);
    let mut compiled = policies::compile_files(files)?;
    compiled.diagnostics.extend(unusable);
    if args.deny_warnings && !compiled.diagnostics.is_empty() {
        compiled.snapshot = None;
    }
    let affected = match &compiled.snapshot {
        Some(snapshot) if args.compare_on_error => Some(affected_by_on_error(snapshot)),
        _ => None,
    };
    match args.format {
        Format::Text => show_text(count, &compiled, affected.as_deref())?,
        Format::Json => show_json(count, &compiled, affected.as_deref())?,
        Format::Sarif => print(&report::diagnostics_as_sarif(&compiled.diagnostics, &args.directory)?)?,
    }
    Ok(if compiled.snapshot.is_some() { Exit::Ok } else { Exit::Policy })
}

fn show_text(files: usize, compiled: &Compiled, affected: Option<&[Affected<'_>]>) -> anyhow::Result<()> {
    if !compiled.diagnostics.is_empty() {
        print_error(&policies::report(&compiled.diagnostics));
    }
    let files = policies::counted(files, "file");
    match &compiled.snapshot {
        Some(snapshot) => {
            let policies = match snapshot.count() {
                1 => "1 policy".to_owned(),
                count => format!("{count} policies"),
            };
            print(&format!("ok: {files}, {policies}, revision {}\n", snapshot.revision))?;
        }
        None => print(&format!("refused: {files}\n"))?,
    }
    let Some(affected) = affected else { return Ok(()) };
    for Affected { policy, rule, position, effect, why } in affected {
        print(&format!("{position}: {} rule `{rule}` of `{policy}`: {why}\n", effect.wire_name()))?;
    }
    let rules = policies::counted(affected.len(), "rule");
    print(&format!("{rules} may decide differently under `engine.onError: cerbos`\n"))?;
    Ok(())
}

/// The JSON that `--format json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    ok: bool,
    files: usize,
    revision: Option<&'a str>,
    diagnostics: Vec<Finding<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    affected_by_on_error: Option<Vec<AffectedRule<'a>>>,
}

#[derive(Serialize)]
struct AffectedRule<'a> {
    policy: &'a str,
    rule: &'a str,
    file: &'a str,
    line: u32,
    column: u32,
    effect: &'static str,
    why: &'static str,
}

impl<'a> From<&'a Affected<'_>> for AffectedRule<'a> {
    fn from(affected: &'a Affected<'_>) -> Self {
        Self {
            policy: affected.policy,
            rule: affected.rule,
            file: &affected.position.file,
            line: affected.position.line,
            column: affected.position.column,
            effect: affected.effect.wire_name(),
            why: affected.why,
        }
    }
}

fn show_json(files: usize, compiled: &Compiled, affected: Option<&[Affected<'_>]>) -> anyhow::Result<()> {
    let report = Report {
        ok: compiled.snapshot.is_some(),
        files,
        revision: compiled.snapshot.as_ref().map(|snapshot| snapshot.revision.as_str()),
        diagnostics: compiled.diagnostics.iter().map(Finding::from).collect(),
        affected_by_on_error: affected.map(|rules| rules.iter().map(AffectedRule::from).collect()),
    };
    print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    Ok(())
}
