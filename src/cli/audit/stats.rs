//! `procura audit stats`: how many decisions there are of each kind, and which rules never decided.

use std::collections::BTreeMap;

use anyhow::bail;
use procura_core::query::Field;
use serde::Serialize;

use super::wanted::Wanted;
use super::{Format, Where};
use crate::cli::exit::Exit;
use crate::cli::{policies, print, print_error};
use crate::ports::{DecisionCounts, DecisionFilter, DecisionQuery};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    wanted: Wanted,
    /// Read the log alone, and trust no index
    #[arg(long)]
    scan: bool,
    /// Count by the values of these fields, e.g. principal,action
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', value_parser = field, default_value = "effect")]
    by: Vec<Field>,
    /// At most this many groups, largest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    /// Instead list the rules of the policy directory that decided nothing that matches
    #[arg(long)]
    unused: bool,
}

/// Counts all that matches, or looks for what never decided.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    if args.unused {
        return unused(args);
    }
    let counts = count(&*args.place.ask(args.scan)?, args.wanted.filter(), &args.by)?;
    let mut groups: Vec<_> = counts.groups.iter().collect();
    groups.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let shown = groups.iter().take(args.top);
    let text: String = match args.place.format {
        Format::Json => {
            shown.map(|(values, count)| json(&args.by, values, **count)).collect::<Result<_, _>>()?
        }
        Format::Text => {
            let names = args.by.iter().map(|field| field.name()).collect::<Vec<_>>().join("  ");
            let lines = shown.map(|(values, count)| format!("{count:>10}  {}\n", escaped(values)));
            format!("{:>10}  {names}\n{}", "decisions", lines.collect::<String>())
        }
    };
    print(&text)?;
    let more = groups.len().saturating_sub(args.top);
    if more > 0 {
        print_error(&format!("{more} more of {} groups: raise `--top`\n", groups.len()));
    }
    Ok(Exit::Ok)
}

/// Counts until everything is counted.
fn count(
    log: &dyn DecisionQuery,
    mut filter: DecisionFilter,
    by: &[Field],
) -> anyhow::Result<DecisionCounts> {
    let mut sum = DecisionCounts::default();
    loop {
        let counts = log.count(&filter, by)?;
        sum.total += counts.total;
        for (values, count) in counts.groups {
            *sum.groups.entry(values).or_default() += count;
        }
        match counts.next_before_seq {
            Some(before) => filter.before_seq = Some(before),
            None => return Ok(sum),
        }
    }
}

/// Lists the rules of the policies as they are on disk that never decided.
fn unused(args: &Args) -> anyhow::Result<Exit> {
    let directory = args.place.config()?.storage.directory;
    let (_, compiled) = policies::compile(&directory)?;
    let Some(snapshot) = compiled.snapshot else {
        bail!("the policies in `{}` have errors: `procura check` shows them", directory.display())
    };
    let counts = count(&*args.place.ask(args.scan)?, args.wanted.filter(), &[Field::Policy, Field::Rule])?;
    let mut text = String::new();
    let (mut rules, mut unused) = (0, 0);
    for policy in snapshot.policies() {
        for rule in &policy.rules {
            rules += 1;
            let key = vec![Box::from(&*policy.name), Box::from(&*rule.name)];
            if !counts.groups.contains_key(&key) {
                unused += 1;
                text.push_str(&match args.place.format {
                    Format::Text => format!(
                        "{} {} {} {}\n",
                        rule.effect.wire_name(),
                        policy.name,
                        rule.name,
                        rule.position
                    ),
                    Format::Json => unused_json(&policy.name, &rule.name, rule.effect.wire_name())?,
                });
            }
        }
    }
    print(&text)?;
    print_error(&format!("{unused} of {rules} rules decided none of {} decisions\n", counts.total));
    Ok(Exit::Ok)
}

fn unused_json(policy: &str, rule: &str, effect: &str) -> anyhow::Result<String> {
    let values = BTreeMap::from([("effect", effect), ("policy", policy), ("rule", rule)]);
    Ok(format!("{}\n", serde_json::to_string(&values)?))
}

fn json(by: &[Field], values: &[Box<str>], count: u64) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Group<'g> {
        count: u64,
        values: BTreeMap<&'static str, &'g str>,
    }
    let values = by.iter().map(|field| field.name()).zip(values.iter().map(AsRef::as_ref)).collect();
    Ok(format!("{}\n", serde_json::to_string(&Group { count, values })?))
}

/// The values of a group for people; names come from requests, so control characters are escaped.
fn escaped(values: &[Box<str>]) -> String {
    let shown = values.iter().map(|value| match &**value {
        "" => "-".to_owned(),
        value => value.escape_debug().to_string(),
    });
    shown.collect::<Vec<_>>().join("  ")
}

fn field(name: &str) -> Result<Field, String> {
    let known = || Field::ALL.map(Field::name).join("`, `");
    Field::named(name).ok_or_else(|| format!("expected one of `{}`", known()))
}
