//! `procura audit`: the decision log of a data directory, read and verified. One file per subcommand.

mod export;
mod forget;
mod key;
mod lines;
mod prove;
mod pseudonym;
mod query;
mod report;
mod show;
mod stats;
mod tail;
mod verify;
mod wanted;

pub(super) use self::wanted::{condition, instant};

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::{Subcommand, ValueEnum};
use procura_core::record::{DecisionRecord, Record};
use serde::Serialize;
use serde_json::value::RawValue;

use super::exit::Exit;
use super::options::Overrides;
use super::{print_error, serve};
use crate::audit::{DirFiles, Index, IndexedLog, LogReader};
use crate::config::{Config, ConfigError};
use crate::ports::{DecisionQuery, StoredRecord};

const EXAMPLES: &str = "\
Examples:
  procura audit query --principal alice --effect deny
  procura audit query --where \"role == 'admin' && reason != 'deny_rule'\" --format json
  procura audit tail --follow --where \"effect == 'deny'\"
  procura audit stats --by principal,action --where \"effect == 'deny'\" --top 10
  procura audit stats --unused
  procura audit export --since 2026-11-01 --flat > november.ndjson
  procura audit report --principal alice --html > alice.html
  procura audit show 019ab3f2-6c1e-7d3a-9b52-0f4e1c2d3a4b
  procura audit verify --witness /mnt/elsewhere/checkpoints
  procura audit prove 019ab3f2-6c1e-7d3a-9b52-0f4e1c2d3a4b > proof.json
  procura audit verify --proof proof.json --key log.pub
  procura audit list --principal \"$(procura audit pseudonym alice --at 2026-11-21)\"
  procura audit forget --before 2026-01-01

A log can be read and verified while a server writes it. It is found as the server finds it: by `--data-dir`, `--set`,
environment and `--config`. `docs/reference/audit-queries.md` describes the filters.

Exit codes: 0 ok, 1 not found, damaged or unreadable, 2 wrong usage or configuration.";

/// Read and verify the decision log
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List decisions, newest first
    #[command(visible_alias = "list")]
    Query(query::Args),
    /// Show the newest decisions, and those that come in
    Tail(tail::Args),
    /// Count decisions by the values of fields, or find rules that never decided
    Stats(stats::Args),
    /// Write records as NDJSON, oldest first
    Export(export::Args),
    /// Write a timeline of everything about somebody or something, with its proof
    Report(report::Args),
    /// Show one call, or one decision of it, with everything that went into it
    Show(show::Args),
    /// Check the log, a part of it or one exported record: that nothing was changed, moved, inserted or removed
    Verify(verify::Args),
    /// Write one record with its proof, for somebody who has only the program and the public key
    Prove(prove::Args),
    /// Print the public keys that checkpoints of the log are verified with
    Key(key::Args),
    /// Show what stands in the log for a value that is masked
    Pseudonym(pseudonym::Args),
    /// Destroy keys of pseudonyms: afterwards nobody can tell who was behind them
    Forget(forget::Args),
}

/// Runs one of the subcommands.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Query(args) => query::run(args),
        Command::Tail(args) => tail::run(args),
        Command::Stats(args) => stats::run(args),
        Command::Export(args) => export::run(args),
        Command::Report(args) => report::run(args),
        Command::Show(args) => show::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Prove(args) => prove::run(args),
        Command::Key(args) => key::run(args),
        Command::Pseudonym(args) => pseudonym::run(args),
        Command::Forget(args) => forget::run(args),
    }
}

/// Whose log.
#[derive(Debug, clap::Args)]
struct Place {
    #[command(flatten)]
    overrides: Overrides,
    /// Data directory of the server [default: .procura]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

/// Whose log, and how to show it.
#[derive(Debug, clap::Args)]
struct Where {
    #[command(flatten)]
    place: Place,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Sentences for people
    Text,
    /// JSON, one object per line
    Json,
}

impl Place {
    /// The log of the server that this configuration is of.
    fn open(&self) -> anyhow::Result<LogReader> {
        Ok(LogReader::open(Arc::new(open_files(&self.data_dir()?)?))?)
    }

    fn data_dir(&self) -> Result<PathBuf, ConfigError> {
        Ok(self.config()?.server.data_dir)
    }

    fn config(&self) -> Result<Config, ConfigError> {
        let flag = self.data_dir.clone().map(|value| ("--data-dir", "server.dataDir", value));
        self.overrides.load(flag.into_iter().collect())
    }
}

impl Where {
    fn open(&self) -> anyhow::Result<LogReader> {
        self.place.open()
    }

    fn data_dir(&self) -> Result<PathBuf, ConfigError> {
        self.place.data_dir()
    }

    fn config(&self) -> Result<Config, ConfigError> {
        self.place.config()
    }

    /// The same log, with the index that the server keeps, if there is one and it is not to be `scanned`.
    fn ask(&self, scanned: bool) -> anyhow::Result<Box<dyn DecisionQuery>> {
        let reader = self.open()?;
        if scanned {
            return Ok(Box::new(reader));
        }
        let index = Index::open_to_read(&serve::index_directory(&self.data_dir()?), &reader);
        Ok(match index {
            Some(index) => Box::new(IndexedLog::new(reader, Arc::new(index))),
            None => Box::new(reader),
        })
    }
}

/// A progress line on the terminal, for work that takes a while.
struct Progress {
    of: u64,
    /// When it was shown last, if somebody looks.
    shown: Option<Instant>,
    any: bool,
}

impl Progress {
    fn new(of: u64) -> Self {
        Self { of, shown: io::stderr().is_terminal().then(Instant::now), any: false }
    }

    /// So far.
    fn at(&mut self, seq: u64) {
        if self.shown.is_some_and(|shown| shown.elapsed() > Duration::from_millis(200)) {
            print_error(&format!("\rrecord {seq} of {}", self.of));
            (self.shown, self.any) = (Some(Instant::now()), true);
        }
    }

    fn done(&self) {
        if self.any {
            print_error("\r\x1b[K");
        }
    }
}

fn open_files(data_dir: &Path) -> anyhow::Result<DirFiles> {
    DirFiles::open_to_read(&serve::log_directory(data_dir)).with_context(|| {
        format!(
            "`{}` holds no decision log: name the server's data directory with `--data-dir`",
            data_dir.display()
        )
    })
}

fn decision_record(stored: &StoredRecord) -> anyhow::Result<DecisionRecord<'_>> {
    match Record::decode(&stored.payload)? {
        Record::Decision(record) => Ok(*record),
        _ => Err(anyhow!("record {} is not a decision", stored.seq)),
    }
}

/// The record as it stands in the log, with its place in the chain.
fn as_json(stored: &StoredRecord) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Json<'s> {
        seq: u64,
        hash: &'s str,
        record: &'s RawValue,
    }
    let record = serde_json::from_slice(&stored.payload)?;
    Ok(format!("{}\n", serde_json::to_string(&Json { seq: stored.seq, hash: &stored.hash, record })?))
}
