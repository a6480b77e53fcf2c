//! `procura audit`: the decision log of a data directory, read and verified. One file per subcommand.

mod forget;
mod key;
mod list;
mod prove;
mod pseudonym;
mod show;
mod verify;

pub(super) use self::list::instant;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::{Subcommand, ValueEnum};
use procura_core::record::{DecisionRecord, Record};
use serde::Serialize;
use serde_json::value::RawValue;

use super::exit::Exit;
use super::options::Overrides;
use super::serve;
use crate::audit::{DirFiles, LogReader};
use crate::config::{Config, ConfigError};
use crate::ports::StoredRecord;

const EXAMPLES: &str = "\
Examples:
  procura audit list --principal alice --effect deny
  procura audit list --resource-kind leave_request --since 2026-11-01T00:00:00Z --format json
  procura audit show 019ab3f2-6c1e-7d3a-9b52-0f4e1c2d3a4b
  procura audit verify --witness /mnt/elsewhere/checkpoints
  procura audit prove 019ab3f2-6c1e-7d3a-9b52-0f4e1c2d3a4b > proof.json
  procura audit verify --proof proof.json --key log.pub
  procura audit list --principal \"$(procura audit pseudonym alice --at 2026-11-21)\"
  procura audit forget --before 2026-01-01

A log can be read and verified while a server writes it. It is found as the server finds it: by `--data-dir`, `--set`,
environment and `--config`.

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
    List(list::Args),
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
        Command::List(args) => list::run(args),
        Command::Show(args) => show::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Prove(args) => prove::run(args),
        Command::Key(args) => key::run(args),
        Command::Pseudonym(args) => pseudonym::run(args),
        Command::Forget(args) => forget::run(args),
    }
}

#[derive(Debug, clap::Args)]
struct Where {
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
enum Format {
    /// Sentences for people
    Text,
    /// JSON, one object per line
    Json,
}

impl Where {
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
