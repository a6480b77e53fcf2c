//! Records as lines for people: one for each decision that matches, or for the record of another kind.

use procura_core::model::Timestamp;
use procura_core::query::{Condition, Facts};
use procura_core::record::{Record, happening, sentence};

use crate::ports::StoredRecord;

/// One line of a record.
pub(super) struct Line {
    /// The instant.
    pub(super) at: Timestamp,
    /// Decision id, or `#<number of the record>`.
    pub(super) id: String,
    /// What happened, as a sentence.
    pub(super) text: String,
}

/// The lines of `stored`: what `condition` holds for of its decisions, or the record itself if it has none.
pub(super) fn lines(stored: &StoredRecord, condition: &Condition) -> anyhow::Result<Vec<Line>> {
    let facts = Facts::decode(&stored.payload)?;
    let line = |text| Line { at: facts.at(), id: format!("#{}", stored.seq), text };
    let record = match Record::decode(&stored.payload) {
        Ok(Record::Decision(record)) => record,
        Ok(other) => return Ok(vec![line(happening(&other).unwrap_or_default())]),
        Err(_) => return Ok(vec![line(format!("record of kind `{}`", facts.kind().escape_debug()))]),
    };
    let matching: Vec<u32> = facts.rows().filter(|row| condition.holds(row)).map(|row| row.number).collect();
    let decisions = record.decisions().filter(|decision| matching.contains(&decision.id.number));
    let lines = decisions.map(|decision| {
        let text = sentence(&record, &decision);
        Line { at: record.at, id: decision.id.to_string(), text }
    });
    Ok(lines.collect())
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.at, self.id, self.text)
    }
}
