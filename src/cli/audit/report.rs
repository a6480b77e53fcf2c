//! `procura audit report`: one timeline of everything that the log holds about somebody or something, with its proof.

use std::collections::BTreeMap;

use procura_core::model::Timestamp;
use procura_core::query::{Condition, Field};

use super::export::each;
use super::lines::{Line, lines};
use super::verify::{Against, facts};
use super::wanted::Wanted;
use super::{Place, open_files};
use crate::audit::proof::inspect;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::ports::{DecisionFilter, DecisionQuery};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    against: Against,
    /// Write a page of HTML that needs nothing else, instead of Markdown
    #[arg(long)]
    html: bool,
}

/// Writes the report to standard output. It ends with failure if the log cannot be verified, and says so.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let files = open_files(&args.place.data_dir()?)?;
    let trust = args.against.trust(&args.place, false)?;
    let witnessed = args.against.witnessed(&args.place, (&files, &trust))?;
    let checkpoints = witnessed.as_ref().map(|witnessed| &witnessed.checkpoints[..]);
    let found = inspect(&files, &trust, checkpoints, |_, _| {})?;
    let proof = facts(&found, witnessed.is_some());
    let log = args.place.open()?;
    let page = Page { html: args.html };
    let decisions = args.wanted.filter();
    let timeline = DecisionFilter { condition: with_other_kinds(&decisions), ..decisions.clone() };
    let condition = timeline.whole_condition();
    print(&page.begin(&heading(args, proof)))?;
    let mut counts = BTreeMap::new();
    each(&log, &timeline, |stored| {
        for line in lines(stored, &condition)? {
            print(&page.line(&line))?;
        }
        Ok(())
    })?;
    count(&log, &decisions, &mut counts)?;
    print(&page.end(&counts))?;
    Ok(if found.findings.is_empty() { Exit::Ok } else { Exit::Failure })
}

/// What is asked of decisions, and everything else that happened.
fn with_other_kinds(decisions: &DecisionFilter) -> Condition {
    let is_decision = Condition::Is(Field::Kind, "decision".into());
    let asked = is_decision.clone().and(decisions.condition.clone());
    Condition::Any(vec![Condition::Not(Box::new(is_decision)), asked])
}

/// What the report is about, by name.
fn heading(args: &Args, proof: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    let instant =
        |at: Option<Timestamp>, otherwise: &str| at.map_or(otherwise.to_owned(), |at| at.to_string());
    let mut heading = vec![
        ("about", args.wanted.to_string()),
        ("from", instant(args.wanted.since, "the beginning")),
        ("until", instant(args.wanted.until, "the end")),
        ("made at", Timestamp::now().to_string()),
        ("made by", format!("procura {}", env!("CARGO_PKG_VERSION"))),
    ];
    heading.extend(proof);
    heading
}

fn count(
    log: &dyn DecisionQuery,
    filter: &DecisionFilter,
    counts: &mut BTreeMap<Vec<Box<str>>, u64>,
) -> anyhow::Result<()> {
    let mut filter = filter.clone();
    loop {
        let found = log.count(&filter, &[Field::Effect, Field::Reason])?;
        found.groups.into_iter().for_each(|(values, count)| *counts.entry(values).or_default() += count);
        match found.next_before_seq {
            Some(before) => filter.before_seq = Some(before),
            None => return Ok(()),
        }
    }
}

/// Markdown, or HTML.
struct Page {
    html: bool,
}

const STYLE: &str = "body{font-family:sans-serif;margin:2em;max-width:80em}table{border-collapse:collapse}\
td,th{border:1px solid #bbb;padding:.3em .6em;text-align:left;vertical-align:top}";

impl Page {
    fn begin(&self, heading: &[(&str, String)]) -> String {
        let facts: String = heading.iter().map(|(name, value)| self.fact(name, value)).collect();
        if self.html {
            format!(
                "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Decision log report</title>\n\
                 <style>{STYLE}</style>\n<h1>Decision log report</h1>\n<table>\n{facts}</table>\n<h2>Timeline</h2>\n\
                 <table>\n<tr><th>instant<th>decision or record<th>what happened\n"
            )
        } else {
            format!(
                "# Decision log report\n\n| | |\n|---|---|\n{facts}\n## Timeline\n\n\
                 | instant | decision or record | what happened |\n|---|---|---|\n"
            )
        }
    }

    fn line(&self, line: &Line) -> String {
        self.row(&[&line.at.to_string(), &line.id, &line.text])
    }

    fn end(&self, counts: &BTreeMap<Vec<Box<str>>, u64>) -> String {
        let rows: String = counts
            .iter()
            .map(|(values, count)| {
                let mut cells: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
                let count = count.to_string();
                cells.push(&count);
                self.row(&cells)
            })
            .collect();
        if self.html {
            format!(
                "</table>\n<h2>Decisions</h2>\n<table>\n<tr><th>effect<th>reason<th>decisions\n{rows}</table>\n</html>\n"
            )
        } else {
            format!("\n## Decisions\n\n| effect | reason | decisions |\n|---|---|---|\n{rows}")
        }
    }

    fn fact(&self, name: &str, value: &str) -> String {
        self.row(&[name, value])
    }

    fn row(&self, cells: &[&str]) -> String {
        let cells = cells.iter().map(|cell| self.escaped(cell));
        if self.html {
            let cells: String = cells.map(|cell| format!("<td>{cell}")).collect();
            format!("<tr>{cells}\n")
        } else {
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        }
    }

    /// `text` as text: what stands in a record cannot become part of the page. Line breaks would end a row.
    fn escaped(&self, text: &str) -> String {
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '|' | '[' | ']' | '!' | '\\' if !self.html => escaped.extend(['\\', c]),
                c if c.is_control() => escaped.extend(c.escape_debug()),
                c => escaped.push(c),
            }
        }
        escaped
    }
}
