//! `procura audit list`: who was decided on, newest first.

use std::num::NonZeroUsize;

use clap::ValueEnum;
use procura_core::model::{Effect, Timestamp};
use procura_core::record::{Decision, DecisionRecord, sentence};

use super::{Format, Where, as_json, decision_record};
use crate::cli::exit::Exit;
use crate::cli::policies::counted;
use crate::cli::{print, print_error};
use crate::ports::{DecisionFilter, DecisionPage, DecisionQuery};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
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
    /// Only calls at or after this instant, e.g. 2026-11-22T08:00:00Z; a date is its midnight in UTC
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    since: Option<Timestamp>,
    /// Only calls before this instant
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    until: Option<Timestamp>,
    /// At most this many calls
    #[arg(long, value_name = "N", default_value = "20")]
    limit: NonZeroUsize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EffectArg {
    #[value(alias = "EFFECT_ALLOW")]
    Allow,
    #[value(alias = "EFFECT_DENY")]
    Deny,
}

/// Shows what matches, page after page.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let log = args.place.open()?;
    let mut filter = args.filter();
    loop {
        let page = log.find(&filter)?;
        show_page(&page, &filter, args.place.format)?;
        filter.limit -= page.records.len().min(filter.limit);
        filter.before_seq = page.next_before_seq;
        if filter.limit == 0 || filter.before_seq.is_none() {
            break;
        }
    }
    let shown = args.limit.get() - filter.limit;
    if shown == 0 {
        print_error("no decision matches\n");
    } else if filter.before_seq.is_some() {
        print_error(&format!("{} shown; there may be more: raise `--limit`\n", counted(shown, "call")));
    }
    Ok(Exit::Ok)
}

impl Args {
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
            limit: self.limit.get(),
            ..DecisionFilter::default()
        }
    }
}

pub(in crate::cli) fn instant(text: &str) -> Result<Timestamp, &'static str> {
    let midnight = || format!("{text}T00:00:00Z").parse();
    let parsed = text.parse().or_else(|_| midnight());
    parsed.map_err(|_: jiff::Error| "expected an instant such as `2026-11-21T00:00:00Z` or a date")
}

fn show_page(page: &DecisionPage, filter: &DecisionFilter, format: Format) -> anyhow::Result<()> {
    for stored in &page.records {
        if format == Format::Json {
            print(&as_json(stored)?)?;
            continue;
        }
        let record = decision_record(stored)?;
        let matching = record.decisions().filter(|decision| filter.decision_matches(decision));
        let lines: String = matching.map(|decision| line(&record, &decision)).collect();
        print(&lines)?;
    }
    Ok(())
}

fn line(record: &DecisionRecord<'_>, decision: &Decision<'_, '_>) -> String {
    format!("{} {} {}\n", record.at, decision.id, sentence(record, decision))
}
