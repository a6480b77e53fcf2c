//! `procura audit export`: everything that matches, oldest first, as NDJSON for other programs.

use std::ops::ControlFlow;

use procura_core::query::Condition;
use procura_core::record::Record;
use serde::Serialize;

use super::wanted::Wanted;
use super::{Place, Progress, as_json};
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::ports::{DecisionFilter, DecisionQuery, Followed, StoredRecord};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    wanted: Wanted,
    /// One flat line for each decision, as columnar files like it, instead of one for each record
    #[arg(long)]
    flat: bool,
}

/// Writes the records to standard output. Unless decisions are asked for, those of every kind.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut filter = args.wanted.filter();
    if !args.wanted.is_narrow() && !args.flat {
        filter.condition = every_kind();
    }
    let condition = filter.whole_condition();
    each(&args.place.open()?, &filter, |stored| {
        print(&if args.flat { flat(stored, &condition)? } else { as_json(stored)? })?;
        Ok(())
    })?;
    Ok(Exit::Ok)
}

/// A filter that holds for records of every kind.
pub(super) fn every_kind() -> Condition {
    Condition::StartsWith(procura_core::query::Field::Kind, "".into())
}

/// Shows what matches of the log as it is now, oldest first, with a progress line.
pub(super) fn each(
    log: &dyn DecisionQuery,
    filter: &DecisionFilter,
    mut show: impl FnMut(&StoredRecord) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let last = log.last_seq();
    let mut progress = Progress::new(last);
    let mut shown = Ok(());
    log.follow(filter, 0, &mut |followed| match followed {
        Followed::Record(stored) if stored.seq <= last => {
            shown = show(&stored);
            if shown.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        }
        Followed::Reached(seq) if seq < last => {
            progress.at(seq);
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Break(()),
    })?;
    progress.done();
    shown
}

/// One line for each decision of a call that matches.
fn flat(stored: &StoredRecord, condition: &Condition) -> anyhow::Result<String> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Flat<'r> {
        seq: u64,
        hash: &'r str,
        at: String,
        call_id: &'r str,
        number: u32,
        request_id: Option<&'r str>,
        api: &'r str,
        caller_name: Option<&'r str>,
        caller_address: Option<&'r str>,
        policy_revision: &'r str,
        principal: &'r str,
        roles: &'r [std::borrow::Cow<'r, str>],
        resource_kind: &'r str,
        resource_id: &'r str,
        action: &'r str,
        effect: &'static str,
        reason: &'r str,
        policy: &'r str,
        scope: &'r str,
        rule: Option<&'r str>,
        problems: usize,
    }
    let Ok(Record::Decision(record)) = Record::decode(&stored.payload) else { return Ok(String::new()) };
    let facts = procura_core::query::Facts::decode(&stored.payload)?;
    let matching: Vec<u32> = facts.rows().filter(|row| condition.holds(row)).map(|row| row.number).collect();
    let mut text = String::new();
    for decision in record.decisions().filter(|decision| matching.contains(&decision.id.number)) {
        let flat = Flat {
            seq: stored.seq,
            hash: &stored.hash,
            at: record.at.to_string(),
            call_id: &record.call.id,
            number: decision.id.number,
            request_id: record.call.request_id.as_deref(),
            api: &record.call.api,
            caller_name: record.call.caller.name.as_deref(),
            caller_address: record.call.caller.address.as_deref(),
            policy_revision: &record.basis.policy_revision,
            principal: &record.principal.id,
            roles: &record.principal.roles,
            resource_kind: &decision.resource.kind,
            resource_id: &decision.resource.id,
            action: decision.action,
            effect: decision.effect.wire_name(),
            reason: decision.reason,
            policy: decision.policy,
            scope: decision.scope,
            rule: decision.rule,
            problems: decision.problems.len(),
        };
        text.push_str(&serde_json::to_string(&flat)?);
        text.push('\n');
    }
    Ok(text)
}
