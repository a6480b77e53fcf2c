//! Queries over the log with its index: first what the index does not know yet, then block by block.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use procura_core::query::{Condition, Field};

use super::Index;
use super::bits::Bits;
use super::block::{Spot, tag_of};
use super::columns::{Columns, IndexError, evaluate, spot_of};
use crate::audit::error::AuditError;
use crate::audit::filter::Matcher;
use crate::audit::page::Page;
use crate::audit::query::{LogReader, call, unreadable, window_of_id};
use crate::audit::tally::Tally;
use crate::ports::{
    DecisionCounts, DecisionFilter, DecisionPage, DecisionQuery, Follower, LogError, StoredRecord,
};

/// The read side of the log, with its index.
pub struct IndexedLog {
    reader: LogReader,
    index: Arc<Index>,
}

/// Why to go on without the index, from below this record.
struct Without {
    before: u64,
    error: Option<IndexError>,
}

impl IndexedLog {
    /// The log that `reader` reads, which `index` is of.
    #[must_use]
    pub fn new(reader: LogReader, index: Arc<Index>) -> Self {
        Self { reader, index }
    }

    /// Lets `scan` look at the records of the log that the index does not know, and `ask` at those that it does, which
    /// are before the number it is given; at all of them that are left if `ask` fails.
    fn newest_first(
        &self,
        before: Option<u64>,
        mut scan: impl FnMut(Range<u64>) -> Result<Option<u64>, AuditError>,
        ask: impl FnOnce(u64) -> Result<Option<u64>, Without>,
    ) -> Result<Option<u64>, AuditError> {
        let before = before.unwrap_or(u64::MAX).min(self.reader.reach().last + 1);
        let known = self.index.known();
        if known.is_empty() {
            return scan(1..before);
        }
        if before > known.end
            && let Some(next) = scan(known.end..before)?
        {
            return Ok(Some(next));
        }
        match ask(before.min(known.end)) {
            Ok(next) => Ok(next),
            Err(Without { before, error }) => {
                if let Some(error) = error {
                    self.index.give_up(&error);
                }
                scan(1..before)
            }
        }
    }

    /// Adds what matches to the page, block by block.
    fn fill(&self, page: &mut Page<'_>, mut before: u64) -> Result<Option<u64>, Without> {
        while before > self.reader.first_seq() {
            let room = page.room();
            let condition = &page.matcher.condition;
            let asked = self.index.block_with(before - 1, |block, records| {
                let rows = match can_match(condition, block) {
                    true => evaluate(condition, block)?,
                    false => Bits::none(0),
                };
                let spots = if rows.is_empty() { &[] } else { block.spots()? };
                Ok((newest(&rows, spots, before, page.filter, room), records.start))
            });
            let (spots, first) = found(asked, before)?;
            for spot in spots {
                if let Some(record) = self.read(&spot, page)? {
                    page.add(record);
                }
                before = spot.seq;
                if page.is_full() {
                    return Ok(Some(before).filter(|seq| *seq > self.reader.first_seq()));
                }
            }
            before = first;
            if page.is_late() {
                break;
            }
        }
        Ok(Some(before).filter(|seq| *seq > self.reader.first_seq()))
    }

    /// Counts what matches, block by block.
    fn tally(&self, tally: &mut Tally<'_>, mut before: u64) -> Result<Option<u64>, Without> {
        if tally.filter.call_id.is_some() {
            return Err(Without { before, error: None });
        }
        while before > self.reader.first_seq() && !tally.is_over() {
            let asked = self.index.block_with(before - 1, |block, records| {
                if can_match(&tally.matcher.condition, block) {
                    let mut rows = evaluate(&tally.matcher.condition, block)?;
                    if before < records.end {
                        keep_before(&mut rows, block, before)?;
                    }
                    count(&rows, block, tally)?;
                }
                Ok(records.start)
            });
            before = found(asked, before)?;
        }
        Ok(Some(before).filter(|seq| *seq > self.reader.first_seq()))
    }

    /// The call with this id among the records that the index knows before `before`.
    fn get_known(&self, call_id: &str, mut before: u64) -> Result<Option<StoredRecord>, Without> {
        let Some(window) = window_of_id(call_id) else { return Ok(None) };
        let (earliest, latest) = (window.min.saturating_mul(1000), window.max.saturating_mul(1000));
        let (matcher, tag) = (Matcher::new(&call(call_id)), tag_of(call_id));
        while before > self.reader.first_seq() {
            let asked = self.index.block_with(before - 1, |block, records| {
                let (first, last) = block.times();
                let spots = if first <= latest && earliest <= last { block.spots()? } else { &[] };
                let near = |spot: &&Spot| spot.tag == tag && (earliest..=latest).contains(&spot.at);
                Ok((spots.iter().filter(near).copied().collect::<Vec<_>>(), records.start))
            });
            let (spots, first) = found(asked, before)?;
            for spot in spots {
                let without = |_| Without { before, error: None };
                let stored = self.reader.at(spot.place).map_err(without)?;
                if matcher.matches(&stored.payload) {
                    return Ok(Some(stored));
                }
            }
            before = first;
        }
        Ok(None)
    }

    /// The record at `spot`, which matches; but another call may have the tag of the one that is asked for. If it cannot
    /// be read, the log itself tells why.
    fn read(&self, spot: &Spot, page: &Page<'_>) -> Result<Option<StoredRecord>, Without> {
        let before = spot.seq + 1;
        let stored = self.reader.at(spot.place).map_err(|_| Without { before, error: None })?;
        let is_it = stored.seq == spot.seq && page.matcher.matches(&stored.payload);
        if !is_it && page.filter.call_id.is_none() {
            let error = IndexError::Damaged("a record is not what it says");
            return Err(Without { before, error: Some(error) });
        }
        Ok(is_it.then_some(stored))
    }
}

impl DecisionQuery for IndexedLog {
    fn find(&self, filter: &DecisionFilter) -> Result<DecisionPage, LogError> {
        let page = std::cell::RefCell::new(Page::new(filter));
        let next = self.newest_first(
            filter.before_seq,
            |span| self.reader.fill(&mut page.borrow_mut(), span),
            |before| self.fill(&mut page.borrow_mut(), before),
        );
        let next = next.map_err(unreadable)?;
        Ok(page.into_inner().done(next))
    }

    fn get(&self, call_id: &str) -> Result<Option<StoredRecord>, LogError> {
        let known = self.index.known();
        if let Some(found) = self.reader.get_from(call_id, known.end.max(1)).map_err(unreadable)? {
            return Ok(Some(found));
        }
        match self.get_known(call_id, known.end) {
            Ok(Some(found)) => Ok(Some(found)),
            Ok(None) => self.reader.absent(call_id),
            Err(_) => self.reader.get(call_id),
        }
    }

    fn count(&self, filter: &DecisionFilter, by: &[Field]) -> Result<DecisionCounts, LogError> {
        let tally = std::cell::RefCell::new(Tally::new(filter, by));
        let next = self.newest_first(
            filter.before_seq,
            |span| self.reader.tally(&mut tally.borrow_mut(), span),
            |before| self.tally(&mut tally.borrow_mut(), before),
        );
        let next = next.map_err(unreadable)?;
        tally.into_inner().done(next)
    }

    fn follow(&self, filter: &DecisionFilter, after: u64, each: Follower<'_>) -> Result<(), LogError> {
        self.reader.follow(filter, after, each)
    }

    fn last_seq(&self) -> u64 {
        self.reader.reach().last
    }

    fn unindexed(&self) -> u64 {
        let known = self.index.known();
        (self.reader.reach().last + 1).saturating_sub(known.end.max(self.reader.first_seq()))
    }
}

fn found<T>(asked: Result<Option<T>, IndexError>, before: u64) -> Result<T, Without> {
    match asked {
        Ok(Some(found)) => Ok(found),
        // It is being made again.
        Ok(None) => Err(Without { before, error: None }),
        Err(error) => Err(Without { before, error: Some(error) }),
    }
}

/// Whether the instants of the block leave that open.
fn can_match(condition: &Condition, block: &dyn Columns) -> bool {
    let (earliest, latest) = block.times();
    let at = super::block::nanoseconds;
    condition.earliest().is_none_or(|since| at(since) <= latest)
        && condition.end().is_none_or(|until| earliest <= at(until))
}

/// The records of the rows, newest first, at most `room`.
fn newest(rows: &Bits, spots: &[Spot], before: u64, filter: &DecisionFilter, room: usize) -> Vec<Spot> {
    let tag = filter.call_id.as_deref().map(tag_of);
    let found = rows.rows().rev().filter_map(|row| spot_of(spots, row));
    let asked = found.filter(|spot| spot.seq < before && tag.is_none_or(|tag| tag == spot.tag));
    let mut chosen: Vec<Spot> = Vec::new();
    for spot in asked {
        if chosen.last().is_some_and(|last| last.seq == spot.seq) {
            continue;
        }
        if chosen.len() == room {
            break;
        }
        chosen.push(spot);
    }
    chosen
}

/// Takes the rows of record `before` and later ones out.
fn keep_before(rows: &mut Bits, block: &dyn Columns, before: u64) -> Result<(), IndexError> {
    let later = block.spots()?.iter().find(|spot| spot.seq >= before);
    let mut earlier = Bits::none(block.rows());
    (0..later.map_or(block.rows(), |spot| spot.first_row)).for_each(|row| earlier.set(row));
    rows.and(&earlier);
    Ok(())
}

/// Counts the rows by the values that they have.
fn count(rows: &Bits, block: &dyn Columns, tally: &mut Tally<'_>) -> Result<(), IndexError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut keys: Vec<Vec<Box<str>>> = vec![Vec::new()];
    // Each row with the number of a key, by row.
    let mut groups: Vec<(u32, usize)> = rows.rows().map(|row| (row, 0)).collect();
    for field in tally.by {
        let (values, valued) = values_of(*field, rows, block)?;
        let mut numbers = HashMap::new();
        let (mut longer, mut refined) = (Vec::new(), Vec::with_capacity(valued.len()));
        for (row, key) in groups {
            let from = valued.partition_point(|(valued, _)| *valued < row);
            for (_, value) in valued.iter().skip(from).take_while(|(valued, _)| *valued == row) {
                let number = *numbers.entry((key, *value)).or_insert_with(|| {
                    longer.push((key, *value));
                    longer.len() - 1
                });
                refined.push((row, number));
            }
            if tally.is_beyond(longer.len(), refined.len()) {
                return Ok(());
            }
        }
        let text = |at: &usize| values.get(*at).cloned().unwrap_or_default();
        let key = |at: &usize| keys.get(*at).cloned().unwrap_or_default();
        keys = longer.iter().map(|(k, value)| [key(k), vec![text(value)]].concat()).collect();
        groups = refined;
    }
    let mut counts = vec![0; keys.len()];
    for (_, key) in groups {
        if let Some(count) = counts.get_mut(key) {
            *count += 1;
        }
    }
    tally.total += rows.count();
    keys.into_iter().zip(counts).for_each(|(key, count)| tally.add_group(key, count));
    Ok(())
}

/// The values of a field, and which of them each of `rows` has, by row.
#[expect(clippy::type_complexity, reason = "two lists that belong together, used once")]
fn values_of(
    field: Field,
    rows: &Bits,
    block: &dyn Columns,
) -> Result<(Vec<Box<str>>, Vec<(u32, usize)>), IndexError> {
    let (mut values, mut valued): (Vec<Box<str>>, Vec<_>) = (Vec::new(), Vec::new());
    block.each_value(field, &mut |value, having| {
        let number = values.len();
        let before = valued.len();
        valued.extend(having.iter().filter(|row| rows.has(**row)).map(|row| (*row, number)));
        if valued.len() > before {
            values.push(value.into());
        }
    })?;
    valued.sort_unstable();
    Ok((values, valued))
}
