//! `procura audit list`: who was decided on, newest first.

use clap::ValueEnum;
use procura_core::model::{Effect, Timestamp};
use procura_core::record::{DecisionEntry, DecisionRecord, sentence};

use super::{Format, Where, as_json, decision_record};
use crate::cli::exit::Exit;
use crate::cli::print;
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

/// Shows what matches, page after page.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let log = args.place.open()?;
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
        let matching = record.decisions.iter().filter(|decision| filter.decision_matches(&record, decision));
        let lines: String = matching.map(|decision| line(&record, decision)).collect();
        print(&lines)?;
    }
    Ok(())
}

fn line(record: &DecisionRecord<'_>, decision: &DecisionEntry<'_>) -> String {
    format!("{} {} {}\n", record.at, decision.id, sentence(record, decision))
}
