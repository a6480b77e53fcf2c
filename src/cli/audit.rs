//! `procura audit`: who was decided on, and why, read from the decision log of a data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use clap::{Subcommand, ValueEnum};
use procura_core::model::{Effect, Timestamp};
use procura_core::record::{DecisionEntry, DecisionId, DecisionRecord, Record, sentence};
use serde::Serialize;
use serde_json::value::RawValue;

use super::exit::Exit;
use super::{print, print_error, serve};
use crate::audit::{DirFiles, LogReader, Verified, verify};
use crate::ports::{DecisionFilter, DecisionPage, DecisionQuery, StoredRecord};

const EXAMPLES: &str = "\
Examples:
  procura audit list --principal alice --effect deny
  procura audit list --resource-kind leave_request --since 2026-11-01T00:00:00Z --format json
  procura audit show 019ab3f2-6c1e-7d3a-9b52-0f4e1c2d3a4b
  procura audit verify

A log can be read and verified while a server writes it.

Exit codes: 0 ok, 1 not found, damaged or unreadable, 2 wrong usage.";

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
    List(List),
    /// Show one call, or one decision of it, with everything that went into it
    Show(Show),
    /// Check every record of the log: that none was changed, moved, inserted or removed
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
struct Where {
    /// Data directory of the server
    #[arg(long, value_name = "DIR", default_value = ".procura")]
    data_dir: PathBuf,
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

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    place: Where,
    /// Only this principal
    #[arg(long, value_name = "ID")]
    principal: Option<String>,
    /// Only resources of this kind
    #[arg(long, value_name = "KIND")]
    resource_kind: Option<String>,
    /// Only resources with this id
    #[arg(long, value_name = "ID")]
    resource_id: Option<String>,
    /// Only this action
    #[arg(long)]
    action: Option<String>,
    /// Only this effect
    #[arg(long, value_enum)]
    effect: Option<EffectArg>,
    /// Only calls at or after this instant, e.g. 2026-11-22T08:00:00Z
    #[arg(long, value_name = "INSTANT")]
    since: Option<Timestamp>,
    /// Only calls before this instant
    #[arg(long, value_name = "INSTANT")]
    until: Option<Timestamp>,
    /// At most this many calls
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EffectArg {
    Allow,
    Deny,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// Call id, or decision id `<call id>/<n>`
    id: String,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, clap::Args)]
struct Verify {
    #[command(flatten)]
    place: Where,
}

/// Runs one of the subcommands.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List(list) => run_list(list),
        Command::Show(show) => run_show(show),
        Command::Verify(verify) => run_verify(verify),
    }
}

// === list ===

fn run_list(args: &List) -> anyhow::Result<Exit> {
    let log = open(&args.place.data_dir)?;
    let mut filter = args.filter();
    while filter.limit > 0 {
        let page = log.find(&filter)?;
        show_page(&page, &filter, args.place.format)?;
        filter.limit -= page.records.len().min(filter.limit);
        filter.before_seq = page.next_before_seq;
        if page.next_before_seq.is_none() {
            break;
        }
    }
    Ok(Exit::Ok)
}

impl List {
    fn filter(&self) -> DecisionFilter {
        DecisionFilter {
            principal: self.principal.clone(),
            resource_kind: self.resource_kind.clone(),
            resource_id: self.resource_id.clone(),
            action: self.action.clone(),
            effect: self.effect.map(|effect| match effect {
                EffectArg::Allow => Effect::Allow,
                EffectArg::Deny => Effect::Deny,
            }),
            since: self.since,
            until: self.until,
            limit: self.limit,
            ..DecisionFilter::default()
        }
    }
}

fn show_page(page: &DecisionPage, filter: &DecisionFilter, format: Format) -> anyhow::Result<()> {
    for stored in &page.records {
        if format == Format::Json {
            print(&as_json(stored)?)?;
            continue;
        }
        let record = decision_record(stored)?;
        let matching = record
            .decisions
            .iter()
            .filter(|decision| filter.decision_matches(&record, decision));
        let lines: String = matching.map(|decision| line(&record, decision)).collect();
        print(&lines)?;
    }
    Ok(())
}

fn line(record: &DecisionRecord<'_>, decision: &DecisionEntry<'_>) -> String {
    format!("{} {} {}\n", record.at, decision.id, sentence(record, decision))
}

// === show ===

fn run_show(args: &Show) -> anyhow::Result<Exit> {
    let id = DecisionId::parse(&args.id);
    let call_id = id.as_ref().map_or(args.id.as_str(), |id| &id.call);
    let found = open(&args.place.data_dir)?.get(call_id)?;
    let Some(stored) = found else {
        bail!("there is no call `{call_id}` in this log")
    };
    let record = decision_record(&stored)?;
    let number = id.as_ref().map(|id| id.number);
    let asked = || {
        record
            .decisions
            .iter()
            .filter(|decision| number.is_none_or(|number| decision.id.number == number))
    };
    if asked().next().is_none() {
        bail!("the call `{call_id}` has no decision `{}`", args.id);
    }
    if args.place.format == Format::Json {
        print(&as_json(&stored)?)?;
        return Ok(Exit::Ok);
    }
    let decisions: String = asked().map(|decision| explanation(&record, decision)).collect();
    print(&format!("{}{decisions}", heading(&stored, &record)?))?;
    Ok(Exit::Ok)
}

fn heading(stored: &StoredRecord, record: &DecisionRecord<'_>) -> anyhow::Result<String> {
    let basis = &record.basis;
    let caller = [&record.call.caller.name, &record.call.caller.address];
    let caller: Vec<_> = caller
        .into_iter()
        .flatten()
        .map(|text| text.escape_debug().to_string())
        .collect();
    Ok(format!(
        "call       {}\nat         {}\nthrough    {}\nfrom       {}\nrecord     {} of the chain, hash {}\n\
         policies   revision {}, generation {}\nsettings   engine {}, on error `{}`, log `{}`\n\
         principal  {}\ncontext    {}\n",
        record.call.id,
        record.at,
        record.call.api,
        if caller.is_empty() {
            "unknown".to_owned()
        } else {
            caller.join(" at ")
        },
        stored.seq,
        stored.hash,
        basis.policy_revision,
        basis.policy_generation,
        basis.engine,
        basis.on_error,
        basis.durability,
        serde_json::to_string(&record.principal)?,
        serde_json::to_string(&record.context)?,
    ))
}

fn explanation(record: &DecisionRecord<'_>, decision: &DecisionEntry<'_>) -> String {
    let mut text = format!("\n{}\n  {}\n", decision.id, sentence(record, decision));
    let resource = record
        .resource_of(decision)
        .and_then(|resource| serde_json::to_string(resource).ok());
    text.push_str(&format!("  resource {}\n", resource.unwrap_or_default()));
    if !decision.derived_roles.is_empty() {
        text.push_str(&format!(
            "  derived roles {}\n",
            decision.derived_roles.join(", ")
        ));
    }
    for output in &decision.outputs {
        text.push_str(&format!(
            "  output {}\n",
            serde_json::to_string(output).unwrap_or_default()
        ));
    }
    for problem in &decision.problems {
        text.push_str(&format!(
            "  problem {}\n",
            serde_json::to_string(problem).unwrap_or_default()
        ));
    }
    text
}

// === verify ===

fn run_verify(args: &Verify) -> anyhow::Result<Exit> {
    let files = open_files(&args.place.data_dir)?;
    let verified = verify(&files, |done, segments| {
        // Long work on large logs only.
        if segments > 4 {
            print_error(&format!("\rsegment {} of {segments}", done + 1));
        }
    })?;
    let text = match args.place.format {
        Format::Text => verified_text(&verified),
        Format::Json => format!("{}\n", serde_json::to_string(&VerifiedJson::of(&verified))?),
    };
    print(&text)?;
    Ok(Exit::Ok)
}

fn verified_text(verified: &Verified) -> String {
    let kinds: Vec<_> = verified
        .kinds
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let mut text = format!(
        "verified: {} in {} ({})\nlast record {}, hash {}\n",
        counted(verified.last_seq, "record"),
        counted(verified.segments as u64, "segment"),
        if kinds.is_empty() {
            "none".to_owned()
        } else {
            kinds.join(", ")
        },
        verified.last_seq,
        verified.last_hash,
    );
    text.push_str(
        "completeness is proven up to this record: keep its number and hash elsewhere to notice a later truncation\n",
    );
    if verified.torn_bytes > 0 {
        text.push_str(&format!(
            "{} bytes after it belong to a write that was interrupted or is under way; no acknowledged record is in them\n",
            verified.torn_bytes
        ));
    }
    text
}

fn counted(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// What `verify --format json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerifiedJson<'v> {
    segments: usize,
    records: u64,
    last_hash: &'v str,
    kinds: &'v std::collections::BTreeMap<String, u64>,
    torn_bytes: u64,
}

impl<'v> VerifiedJson<'v> {
    fn of(verified: &'v Verified) -> Self {
        Self {
            segments: verified.segments,
            records: verified.last_seq,
            last_hash: &verified.last_hash,
            kinds: &verified.kinds,
            torn_bytes: verified.torn_bytes,
        }
    }
}

// === common ===

fn open(data_dir: &Path) -> anyhow::Result<LogReader> {
    Ok(LogReader::open(Arc::new(open_files(data_dir)?))?)
}

fn open_files(data_dir: &Path) -> anyhow::Result<DirFiles> {
    DirFiles::open_to_read(&serve::log_directory(data_dir)).with_context(|| {
        format!(
            "`{}` holds no decision log: name the server's with `--data-dir`",
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
    Ok(format!(
        "{}\n",
        serde_json::to_string(&Json {
            seq: stored.seq,
            hash: &stored.hash,
            record
        })?
    ))
}
