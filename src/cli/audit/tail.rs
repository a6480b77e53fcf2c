//! `procura audit tail`: the newest records, and those that come in.

use std::ops::ControlFlow;

use super::lines::lines;
use super::wanted::Wanted;
use super::{Format, Where, as_json};
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::ports::{DecisionFilter, DecisionQuery, Followed, StoredRecord};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    wanted: Wanted,
    /// How many of the newest calls to begin with
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    limit: usize,
    /// Go on with what a running server writes, until interrupted
    #[arg(long, short)]
    follow: bool,
}

/// Shows the newest records, oldest of them first, and then what comes in.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let log = args.place.open()?;
    let mut filter = DecisionFilter { limit: args.limit, ..args.wanted.filter() };
    let condition = filter.whole_condition();
    let last = log.last_seq();
    let show = |stored: &StoredRecord| -> anyhow::Result<()> {
        match args.place.format {
            Format::Json => print(&as_json(stored)?)?,
            Format::Text => {
                let text: String =
                    lines(stored, &condition)?.iter().map(|line| format!("{line}\n")).collect();
                print(&text)?;
            }
        }
        Ok(())
    };
    let mut newest = Vec::new();
    while filter.limit > 0 {
        let page = log.find(&filter)?;
        filter.limit -= page.records.len().min(filter.limit);
        newest.extend(page.records);
        match page.next_before_seq {
            Some(before) => filter.before_seq = Some(before),
            None => break,
        }
    }
    newest.iter().rev().try_for_each(show)?;
    if !args.follow {
        return Ok(Exit::Ok);
    }
    let mut outcome = Ok(());
    filter.before_seq = None;
    log.follow(&filter, last, &mut |followed| {
        outcome = match followed {
            Followed::Record(stored) => show(&stored),
            Followed::Reached(_) => log.refresh().map_err(Into::into),
        };
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome.map(|()| Exit::Ok)
}
