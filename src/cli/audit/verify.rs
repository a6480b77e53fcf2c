//! `procura audit verify`: whether the log, a part of it or one record is what was written.

mod against;
mod report;

pub(super) use self::against::Against;
pub(super) use self::report::facts;

use std::fs::File;
use std::io::{IsTerminal, Read, stderr, stdin};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};

use self::against::{is_url, kept_in_file};
use super::{Where, open_files};
use crate::audit::LogReader;
use crate::audit::proof::{BUNDLE_BYTES, Bundle, SignedCheckpoint, inspect, inspect_range};
use crate::cli::exit::Exit;
use crate::cli::{print, print_error, serve};
use crate::config::ConfigError;

const EXAMPLES: &str = "\
Examples:
  procura audit verify
  procura audit verify --witness /mnt/elsewhere/checkpoints
  procura audit verify --from 1000 --to 2000 --witness https://witness.example.com
  procura audit verify --proof proof.json --key log.pub

Exit codes: 0 everything fits, 1 something does not or cannot be read, 2 wrong usage or configuration.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    against: Against,
    /// Only from this record on
    #[arg(long, value_name = "SEQ", conflicts_with = "proof")]
    from: Option<u64>,
    /// Only up to this record
    #[arg(long, value_name = "SEQ", conflicts_with = "proof")]
    to: Option<u64>,
    /// Only the record in this file, which `procura audit prove` wrote; `-` is standard input
    #[arg(long, value_name = "FILE")]
    proof: Option<String>,
}

/// Verifies what is asked for, and says up to where it is proven.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    if let Some(path) = &args.proof {
        return one_record(args, path);
    }
    let data_dir = args.place.data_dir()?;
    let files = open_files(&data_dir)?;
    let trust = args.against.trust(&args.place.place, false)?;
    let witnessed = args.against.witnessed(&args.place.place, (&files, &trust))?;
    let checkpoints = witnessed.as_ref().map(|witnessed| &witnessed.checkpoints[..]);
    if args.from.is_some() || args.to.is_some() {
        let reader = LogReader::open(Arc::new(files)).with_context(|| unverifiable(&data_dir))?;
        let range = range(args, &reader)?;
        let found =
            inspect_range(&reader, range, &trust, checkpoints).with_context(|| unverifiable(&data_dir))?;
        print(&report::range(args.place.format, &found)?)?;
        return Ok(Exit::Ok);
    }
    let found = inspect(&files, &trust, checkpoints, |done, segments| {
        // Long work on large logs only.
        if segments > 4 && stderr().is_terminal() {
            print_error(&format!("\rsegment {} of {segments}", done + 1));
        }
    });
    let found = found.with_context(|| unverifiable(&data_dir))?;
    print(&report::whole(args.place.format, &found, witnessed.as_ref())?)?;
    if found.findings.is_empty() {
        return Ok(Exit::Ok);
    }
    let findings: String = found.findings.iter().map(|finding| format!("\n  {finding}")).collect();
    bail!("{}:{findings}", unverifiable(&data_dir));
}

/// Which records are asked for: some that there are.
fn range(args: &Args, log: &LogReader) -> anyhow::Result<(u64, u64)> {
    let (first, last) = (log.first_seq(), log.reach().last);
    let (from, to) = (args.from.unwrap_or(first), args.to.unwrap_or(u64::MAX));
    if from > to {
        let problems = vec![format!("`--from {from}` is behind `--to {to}`")];
        return Err(ConfigError { problems }.into());
    }
    if from < first {
        bail!("the records before {first} were deleted by retention: begin there, or verify the whole log");
    }
    if from > last {
        bail!("the log ends with record {last}, before the record {from} that is asked for");
    }
    Ok((from, to))
}

fn one_record(args: &Args, path: &str) -> anyhow::Result<Exit> {
    let mut bytes = Vec::new();
    let limit = BUNDLE_BYTES as u64 + 1;
    let read = match path {
        "-" => stdin().take(limit).read_to_end(&mut bytes),
        path => File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    read.with_context(|| format!("cannot read `{path}`"))?;
    let bundle = Bundle::parse(&bytes).with_context(|| format!("`{path}`"))?;
    let trust = args.against.trust(&args.place.place, true)?;
    let proven = bundle.verify(&trust).with_context(|| format!("`{path}` proves nothing"))?;
    if let Some(place) = args.against.witness.as_deref() {
        is_witnessed(place, &proven.signed)?;
    }
    print(&report::record(args.place.format, &bundle, &proven, args.against.witness.is_some())?)?;
    Ok(Exit::Ok)
}

/// Without the log it can only be seen whether the witness keeps the very checkpoint.
fn is_witnessed(place: &str, signed: &SignedCheckpoint) -> anyhow::Result<()> {
    if is_url(place) {
        bail!(
            "a witness server does not say whether it kept a certain checkpoint: verify the log itself against it"
        );
    }
    let kept = kept_in_file(place)?;
    if kept.checkpoints.iter().any(|kept| kept.checkpoint == signed.checkpoint) {
        return Ok(());
    }
    bail!(
        "`{place}` does not keep the checkpoint over {} records that the proof ends in: have the proof made again, or \
         verify the log itself",
        signed.checkpoint.size
    )
}

fn unverifiable(data_dir: &Path) -> String {
    let log = serve::log_directory(data_dir);
    format!("the log in `{}` cannot be verified, see `docs/reference/log-format.md`", log.display())
}
