//! `procura audit query`: who was decided on, newest first.

use std::num::NonZeroUsize;

use procura_core::query::Condition;

use super::lines::lines;
use super::wanted::Wanted;
use super::{Format, Where, as_json};
use crate::cli::exit::Exit;
use crate::cli::policies::counted;
use crate::cli::{print, print_error};
use crate::ports::{DecisionFilter, DecisionPage};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    wanted: Wanted,
    /// Read the log alone, and trust no index
    #[arg(long)]
    scan: bool,
    /// At most this many calls
    #[arg(long, value_name = "N", default_value = "20", value_parser = at_least_one)]
    limit: NonZeroUsize,
}

/// Shows what matches, page after page.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let log = args.place.ask(args.scan)?;
    let mut filter = DecisionFilter { limit: args.limit.get(), ..args.wanted.filter() };
    let condition = filter.whole_condition();
    loop {
        let page = log.find(&filter)?;
        show_page(&page, &condition, args.place.format)?;
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

fn show_page(page: &DecisionPage, condition: &Condition, format: Format) -> anyhow::Result<()> {
    for stored in &page.records {
        match format {
            Format::Json => print(&as_json(stored)?)?,
            Format::Text => {
                let text: String = lines(stored, condition)?.iter().map(|line| format!("{line}\n")).collect();
                print(&text)?;
            }
        }
    }
    Ok(())
}

fn at_least_one(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "must be a number from 1 on")
}
