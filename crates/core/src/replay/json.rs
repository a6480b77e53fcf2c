//! The JSON shape of a report, the same on the command line and on the admin API.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Aspect, Example, Group, Report, Weight};
use crate::record::Verdict;

/// A report, ready to be written as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportJson<'r> {
    calls: u64,
    decisions: u64,
    changed_calls: u64,
    changed_decisions: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    changed: BTreeMap<&'static str, u64>,
    partial: u64,
    unreplayable: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_unreplayable: Option<FirstUnreplayable<'r>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    missing: &'r BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    other_engines: &'r BTreeMap<String, u64>,
    groups: Vec<GroupJson<'r>>,
    /// Changes that are in none of `groups`.
    not_shown: u64,
}

#[derive(Debug, Serialize)]
struct FirstUnreplayable<'r> {
    seq: u64,
    reason: &'r str,
}

#[derive(Debug, Serialize)]
struct GroupJson<'r> {
    count: u64,
    weight: &'static str,
    differs: Vec<&'static str>,
    from: &'r Verdict,
    to: &'r Verdict,
    examples: Vec<ExampleJson<'r>>,
}

#[derive(Debug, Serialize)]
struct ExampleJson<'r> {
    seq: u64,
    decision: &'r str,
    before: &'r str,
    after: &'r str,
}

impl<'r> ReportJson<'r> {
    /// The form of `report`, with at most so many groups.
    #[must_use]
    pub fn new(report: &'r Report, most_groups: usize) -> Self {
        let groups: Vec<_> = report.ranked().into_iter().take(most_groups).map(GroupJson::of).collect();
        let shown: u64 = groups.iter().map(|group| group.count).sum();
        let first = report.first_unreplayable.as_ref();
        Self {
            calls: report.calls,
            decisions: report.decisions,
            changed_calls: report.changed_calls,
            changed_decisions: report.changed_decisions(),
            changed: report.changed.iter().map(|(weight, count)| (weight.as_str(), *count)).collect(),
            partial: report.partial,
            unreplayable: report.unreplayable,
            first_unreplayable: first.map(|(seq, reason)| FirstUnreplayable { seq: *seq, reason }),
            missing: &report.missing,
            other_engines: &report.other_engines,
            groups,
            not_shown: report.changed_decisions().saturating_sub(shown),
        }
    }
}

impl<'r> GroupJson<'r> {
    fn of((weight, from, to, differs, group): Ranked<'r>) -> Self {
        let example = |example: &'r Example| ExampleJson {
            seq: example.seq,
            decision: &example.decision,
            before: &example.before,
            after: &example.after,
        };
        Self {
            count: group.count,
            weight: weight.as_str(),
            differs: differs.iter().map(|aspect| aspect.as_str()).collect(),
            from,
            to,
            examples: group.examples.iter().map(example).collect(),
        }
    }
}

/// A group of a report with what its decisions have in common: weight, before, after, and in what they differ.
pub type Ranked<'r> = (Weight, &'r Verdict, &'r Verdict, &'r [Aspect], &'r Group);

impl Report {
    /// The groups, those first that weigh most, then those with the most decisions.
    #[must_use]
    pub fn ranked(&self) -> Vec<Ranked<'_>> {
        let groups = self.groups.iter().map(|((from, to, differs), group)| {
            let weight = differs.iter().copied().map(Aspect::weight).max().unwrap_or(Weight::Reason);
            (weight, from, to, &**differs, group)
        });
        let mut ranked: Vec<_> = groups.collect();
        ranked.sort_by_key(|(weight, .., group)| std::cmp::Reverse((*weight, group.count)));
        ranked
    }
}
