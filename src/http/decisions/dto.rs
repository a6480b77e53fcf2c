//! The JSON shapes of the decision log.

use std::collections::BTreeMap;

use procura_core::query::Field;
use procura_core::record::Record;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::params::cursor_of;
use crate::http::error::Refusal;
use crate::ports::{DecisionCounts, DecisionPage, StoredRecord};

/// Body of `GET /api/decisions`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Page<'p> {
    /// Newest first.
    decisions: Vec<Found<'p>>,
    /// Absent at the end of the log. A page may be empty and still have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl<'p> Page<'p> {
    pub(in crate::http) fn new(page: &'p DecisionPage) -> Result<Self, Refusal> {
        Ok(Self {
            decisions: page.records.iter().map(Found::new).collect::<Result<_, _>>()?,
            next_cursor: page.next_before_seq.map(cursor_of),
        })
    }
}

/// One record as it stands in the chain; also the body of `GET /api/decisions/{id}`.
#[derive(Serialize)]
pub(super) struct Found<'p> {
    seq: u64,
    hash: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<Box<RawValue>>,
    record: &'p RawValue,
}

impl<'p> Found<'p> {
    pub(super) fn new(stored: &'p StoredRecord) -> Result<Self, Refusal> {
        let record = serde_json::from_slice(&stored.payload).map_err(|_| Refusal::Internal)?;
        Ok(Self { seq: stored.seq, hash: &stored.hash, decision: None, record })
    }

    /// The same, with all that is said about decision `number` beside the record.
    pub(super) fn with_decision(self, number: u32) -> Result<Self, Refusal> {
        let Ok(Record::Decision(record)) = Record::decode(self.record.get().as_bytes()) else {
            return Err(Refusal::Internal);
        };
        let found = record.decisions().find(|decision| decision.id.number == number);
        let decision = to_raw_value(&found.ok_or(Refusal::NotFound)?).map_err(|_| Refusal::Internal)?;
        Ok(Self { decision: Some(decision), ..self })
    }
}

/// Body of `GET /api/decisions/stats`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats<'c> {
    /// Decisions that match.
    total: u64,
    /// How many groups there are, shown or not.
    group_count: usize,
    /// Largest first.
    groups: Vec<Group<'c>>,
    /// Present if there are more decisions than could be counted in the time of one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Group<'c> {
    count: u64,
    values: BTreeMap<&'static str, &'c str>,
}

impl<'c> Stats<'c> {
    pub(super) fn new(counts: &'c DecisionCounts, by: &[Field], limit: usize) -> Self {
        let mut groups: Vec<_> = counts.groups.iter().collect();
        groups.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let named = |values: &'c Vec<Box<str>>| {
            by.iter().map(|field| field.name()).zip(values.iter().map(AsRef::as_ref)).collect()
        };
        Self {
            total: counts.total,
            group_count: groups.len(),
            groups: groups
                .into_iter()
                .take(limit)
                .map(|(values, count)| Group { count: *count, values: named(values) })
                .collect(),
            next_cursor: counts.next_before_seq.map(cursor_of),
        }
    }
}
