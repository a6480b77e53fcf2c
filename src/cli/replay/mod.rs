//! `procura replay`: recorded calls are decided again, to prove that records suffice, or to see what a change would do.

mod run;
mod sets;
mod show;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use procura_core::model::Timestamp;
use procura_core::policy::{Revision, Snapshot};
use procura_core::query::Condition;
use procura_core::replay::{Report, ReportJson, Weight};

use self::run::{Plan, Window};
use self::sets::Sets;
use super::exit::Exit;
use super::options::Overrides;
use super::{audit, policies, print, print_error, serve};
use crate::audit::{DirFiles, LogReader};
use crate::config::ConfigError;
use crate::pap::Archive;

const EXAMPLES: &str = "\
Examples:
  procura replay                                  every call at the revision that decided it: nothing may change
  procura replay --against candidate --since 2026-11-01
  procura replay --against candidate --where \"resourceKind == 'album' && effect == 'allow'\"
  procura replay --at-revision 4f5a… --format json > changes.json

A call is decided again from its record alone: request, claims, globals, settings and instant are those of its day, only
the policies are others. Calls whose records are masked are counted and not compared. The log is found as the server
finds it, and may be read while a server writes it.

Exit codes: 0 nothing changes, 5 some decision changes, 1 some call could not be decided again or the log cannot be
read, 2 wrong usage or configuration, 3 the candidate policies have errors.";

/// Decide recorded calls again and tell what changes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Decide with the policies of this directory
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Decide with this archived policy set, 64 hexadecimal digits
    #[arg(long, value_name = "REVISION", conflicts_with = "against", value_parser = revision)]
    at_revision: Option<Revision>,
    /// Only calls with a decision for which this filter holds, e.g. `action == "delete" && role == "admin"`
    #[arg(long = "where", value_name = "FILTER", value_parser = audit::condition)]
    condition: Option<Condition>,
    /// Only calls at or after this instant, e.g. 2026-11-22T08:00:00Z; a date is its midnight in UTC
    #[arg(long, value_name = "INSTANT", value_parser = audit::instant)]
    since: Option<Timestamp>,
    /// Only calls before this instant
    #[arg(long, value_name = "INSTANT", value_parser = audit::instant)]
    until: Option<Timestamp>,
    /// What counts as a change
    #[arg(long, value_enum, default_value_t = Changes::Any)]
    changes: Changes,
    /// Most groups of changes to show
    #[arg(long, value_name = "N", default_value = "50")]
    limit: usize,
    #[command(flatten)]
    overrides: Overrides,
    /// Data directory of the server [default: .procura]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Changes {
    /// Everything that a record says of a decision, bit for bit
    Any,
    /// What callers are told: effects, outputs, validation errors
    Answers,
    /// Effects
    Effects,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Sentences for people
    Text,
    /// One JSON object
    Json,
}

/// Replays the log and shows what comes of it.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let data_dir = args.data_dir()?;
    let archive = Archive::new(serve::archive_directory(&data_dir));
    let candidate = match (&args.against, &args.at_revision) {
        (Some(directory), _) => {
            let (_, compiled) = policies::compile(directory)?;
            let Some(snapshot) = compiled.snapshot else {
                print_error(&policies::report(&compiled.diagnostics));
                return Ok(Exit::Policy);
            };
            Some(Arc::new(snapshot))
        }
        (None, Some(revision)) => Some(archived(archive, revision)?),
        (None, None) => None,
    };
    let files = DirFiles::open_to_read(&serve::log_directory(&data_dir)).with_context(|| {
        let data_dir = data_dir.display();
        format!("`{data_dir}` holds no decision log: name the server's data directory with `--data-dir`")
    })?;
    let log = LogReader::open(Arc::new(files))?;
    let sets = Sets::new(Archive::new(serve::archive_directory(&data_dir)), candidate);
    let plan = Plan {
        sets: &sets,
        window: Window { since: args.since, until: args.until },
        condition: args.condition.as_ref(),
        least: args.changes.least(),
    };
    let report = run::replay(&log, &plan)?;
    for (revision, reason) in sets.failures() {
        print_error(&format!("warning: calls of revision {revision} are not compared: {reason}\n"));
    }
    print(&args.shown(&report)?)?;
    Ok(ended(&report))
}

fn archived(archive: Archive, revision: &Revision) -> anyhow::Result<Arc<Snapshot>> {
    let sets = Sets::new(archive, None);
    let compiled = std::thread::scope(|scope| {
        let thread = run::thread().spawn_scoped(scope, || sets.of_revision(revision.as_str()));
        thread.map(std::thread::ScopedJoinHandle::join)
    });
    let compiled = compiled.context("cannot start a thread")?;
    compiled
        .map_err(|_| anyhow!("compiling the policies failed: this is a defect, please report it"))?
        .ok_or_else(|| {
            let reasons: Vec<_> = sets.failures().into_values().collect();
            anyhow!("{}", reasons.join("; "))
        })
}

/// Exit code 5 is for scripts that ask whether something changes; what could not be compared is no proof of that.
fn ended(report: &Report) -> Exit {
    if report.changed_decisions() > 0 {
        Exit::Changed
    } else if report.unreplayable > 0
        || !report.missing.is_empty()
        || (report.calls == 0 && report.partial > 0)
    {
        Exit::Failure
    } else {
        Exit::Ok
    }
}

impl Args {
    fn data_dir(&self) -> Result<PathBuf, ConfigError> {
        let flag = self.data_dir.clone().map(|value| ("--data-dir", "server.dataDir", value));
        Ok(self.overrides.load(flag.into_iter().collect())?.server.data_dir)
    }

    fn shown(&self, report: &Report) -> anyhow::Result<String> {
        match self.format {
            Format::Text => Ok(show::text(report, self.limit)),
            Format::Json => Ok(format!("{}\n", serde_json::to_string(&ReportJson::new(report, self.limit))?)),
        }
    }
}

impl Changes {
    const fn least(self) -> Weight {
        match self {
            Changes::Any => Weight::Reason,
            Changes::Answers => Weight::Answer,
            Changes::Effects => Weight::Effect,
        }
    }
}

fn revision(text: &str) -> Result<Revision, &'static str> {
    Revision::parse(text).ok_or("expected a revision, 64 hexadecimal digits")
}
