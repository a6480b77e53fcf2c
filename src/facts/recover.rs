//! What the files say at the start: the last snapshot, and the journals from then on.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use super::compact::Texts;
use super::error::FactsError;
use super::form::{Batch, EventForm, Head, Piece, VERSION};
use super::frame::{Frames, Next};
use super::held::Held;
use super::journal::{JOURNAL, Journal, SNAPSHOT, UNFINISHED, file_name, generation};
use super::plan::Event;
use super::snapshot::remove_before;
use super::taken::{Name, name};
use crate::ports::LogFiles;

/// What was found.
pub(super) struct Found {
    pub(super) held: Held,
    pub(super) texts: Texts,
    pub(super) journal: Journal,
    /// Bytes of the snapshot.
    pub(super) snapshot_bytes: u64,
    /// Bytes of a write that was interrupted; they are gone now.
    pub(super) cut: u64,
}

/// Where the journals go on, and how long the good part of the last is.
struct End {
    generation: u64,
    /// `None` if it was never begun as a whole.
    good: Option<u64>,
    cut: u64,
}

/// Reads everything, and makes the directory ready to go on.
pub(super) fn recover(files: &Arc<dyn LogFiles>, most_names: usize) -> Result<Found, FactsError> {
    let mut reader = Reader { files: &**files, held: Held::new(most_names), texts: Texts::default() };
    let (snapshot, journals) = reader.list()?;
    let mut snapshot_bytes = 0;
    if let Some(snapshot) = snapshot {
        snapshot_bytes = reader.snapshot(snapshot)?;
    }
    let end = reader.journals(snapshot.unwrap_or(1), snapshot.is_some(), &journals)?;
    remove_before(&**files, snapshot.unwrap_or(1)).map_err(FactsError::io("remove", "old files"))?;

    let Reader { mut held, texts, .. } = reader;
    held.sweep();
    let of = file_name(end.generation, JOURNAL);
    let journal = match end.good {
        Some(len) => Journal::resume(Arc::clone(files), end.generation, len),
        None => Journal::begin(Arc::clone(files), end.generation, held.changes.last()),
    };
    let journal = journal.map_err(FactsError::io("open", &of))?;
    Ok(Found { held, texts, journal, snapshot_bytes, cut: end.cut })
}

pub(super) struct Reader<'a> {
    pub(super) files: &'a dyn LogFiles,
    pub(super) held: Held,
    pub(super) texts: Texts,
}

impl Reader<'_> {
    /// The number of the last snapshot, and those of the journals from then on.
    fn list(&self) -> Result<(Option<u64>, BTreeSet<u64>), FactsError> {
        let names = self.files.list().map_err(FactsError::io("list", "directory"))?;
        for name in names.iter().filter(|name| name.ends_with(UNFINISHED)) {
            self.files.remove(name).map_err(FactsError::io("remove", name))?;
        }
        let snapshot = names.iter().filter_map(|name| generation(name, SNAPSHOT)).max();
        let journals = names.iter().filter_map(|name| generation(name, JOURNAL));
        Ok((snapshot, journals.filter(|number| snapshot.is_none_or(|first| *number >= first)).collect()))
    }

    /// Reads the snapshot of this number; its length in bytes.
    fn snapshot(&mut self, number: u64) -> Result<u64, FactsError> {
        let name = file_name(number, SNAPSHOT);
        let mut file = File::open(self.files, &name)?;
        let head = file.head(number)?.ok_or_else(|| file.damaged("it has no beginning"))?;
        let mut counted = (0, 0);
        loop {
            let Next::Frame(payload) = file.frames.next().map_err(FactsError::io("read", &name))? else {
                return Err(file.damaged("it is not whole"));
            };
            let Some(piece) = parse(payload) else { return Err(file.damaged(NOT_OURS)) };
            match piece {
                Piece::End { facts, taken } if (facts, taken) == counted => break,
                Piece::End { .. } => return Err(file.damaged("something is missing")),
                piece => {
                    if self.piece(piece, &mut counted).is_none() {
                        return Err(file.damaged(NOT_OURS));
                    }
                }
            }
        }
        if file.frames.left() > 0 {
            return Err(file.damaged("something stands behind its end"));
        }
        self.held.changes = super::changes::Changes::after(head.seq);
        Ok(file.frames.offset())
    }

    /// Holds what a piece of a snapshot says.
    fn piece(&mut self, piece: Piece<'_>, counted: &mut (u64, u64)) -> Option<()> {
        match piece {
            Piece::Facts(facts) => {
                for form in facts {
                    let fact = form.into_fact(&mut self.texts)?;
                    self.held.now = self.held.now.max(fact.received);
                    self.held.table.put(Arc::new(fact));
                    counted.0 += 1;
                }
            }
            Piece::Taken(taken) => {
                let source = self.texts.one(&taken.source);
                for (high, low, received) in taken.names {
                    self.held.taken.insert(&source, Name::from(high) << 64 | Name::from(low), received);
                    counted.1 += 1;
                }
            }
            Piece::End { .. } => {}
        }
        Some(())
    }

    /// Reads the journals from number `first` on.
    fn journals(&mut self, first: u64, must_be: bool, journals: &BTreeSet<u64>) -> Result<End, FactsError> {
        let last = journals.last().copied().unwrap_or(first);
        if journals.is_empty() && !must_be {
            return Ok(End { generation: first, good: None, cut: 0 });
        }
        let mut end = None;
        for number in first..=last {
            if !journals.contains(&number) {
                return Err(FactsError::Missing { name: file_name(number, JOURNAL) });
            }
            end = Some(self.journal(number, number == last)?);
        }
        Ok(end.unwrap_or(End { generation: first, good: None, cut: 0 }))
    }

    /// Reads the journal of this number; only the last one may end with a part of a frame.
    fn journal(&mut self, number: u64, is_last: bool) -> Result<End, FactsError> {
        let name = file_name(number, JOURNAL);
        let mut file = File::open(self.files, &name)?;
        let torn = |file: &File<'_>, good| {
            let cut = file.frames.left();
            let is_followed = file.frames.is_followed().map_err(FactsError::io("read", &name))?;
            if is_last && !is_followed {
                Ok(End { generation: number, good, cut })
            } else {
                Err(file.damaged("what stands there is not what was written"))
            }
        };
        let Some(head) = file.head(number)? else { return torn(&file, None) };
        if head.seq != self.held.changes.last() {
            return Err(file.damaged("it does not follow what is before"));
        }
        loop {
            match file.frames.next().map_err(FactsError::io("read", &name))? {
                Next::End => return Ok(End { generation: number, good: Some(file.frames.offset()), cut: 0 }),
                Next::Frame([]) => {}
                Next::Frame(payload) => {
                    let taken = parse(payload).and_then(|batch| self.batch(batch));
                    if taken.is_none() {
                        return Err(file.damaged(NOT_OURS));
                    }
                }
                Next::Broken => {
                    let good = Some(file.frames.offset());
                    return torn(&file, good);
                }
            }
        }
    }

    fn batch(&mut self, batch: Batch<'_>) -> Option<()> {
        if batch.after != self.held.changes.last() {
            return None;
        }
        batch.events.into_iter().try_for_each(|form| {
            let event = self.event(form)?;
            self.held.apply(event);
            Some(())
        })
    }

    fn event(&mut self, form: EventForm<'_>) -> Option<Event> {
        let facts = form.facts.into_iter().map(|form| Some(Arc::new(form.into_fact(&mut self.texts)?)));
        Some(Event {
            facts: facts.collect::<Option<_>>()?,
            name: name(&form.id),
            received: form.received.get()?.as_second(),
            source: self.texts.one(&form.source),
        })
    }
}

const NOT_OURS: &str = "it says what this version does not write";

fn parse<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Option<T> {
    serde_json::from_slice(payload).ok()
}

/// A file that is read.
struct File<'a> {
    name: &'a str,
    frames: Frames<'a>,
}

impl<'a> File<'a> {
    fn open(files: &'a dyn LogFiles, name: &'a str) -> Result<Self, FactsError> {
        Ok(Self { name, frames: Frames::open(files, name).map_err(FactsError::io("read", name))? })
    }

    /// Its first frame; `None` if there is none that is whole.
    fn head(&mut self, number: u64) -> Result<Option<Head>, FactsError> {
        let head = match self.frames.next().map_err(FactsError::io("read", self.name))? {
            Next::Frame(payload) => parse::<Head>(payload),
            Next::End | Next::Broken => return Ok(None),
        };
        match head {
            Some(head) if head.v == VERSION && head.generation == number => Ok(Some(head)),
            _ => Err(self.damaged(NOT_OURS)),
        }
    }

    fn damaged(&self, what: &'static str) -> FactsError {
        FactsError::Damaged { name: self.name.to_owned(), offset: self.frames.offset(), what }
    }
}
