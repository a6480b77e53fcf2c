//! Everything that is held in memory, of one moment.

use procura_core::model::Timestamp;

use super::changes::Changes;
use super::plan::Event;
use super::table::Table;
use super::taken::Taken;

/// The facts, the names of the events taken, and the last changes.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) table: Table,
    pub(super) taken: Taken,
    pub(super) changes: Changes,
    /// When the newest event was received: the only clock here.
    pub(super) now: Timestamp,
}

impl Held {
    /// Nothing is held; at most so many names of events of one source will be.
    pub(super) fn new(most_names: usize) -> Self {
        Self {
            table: Table::new(),
            taken: Taken::new(most_names),
            changes: Changes::after(0),
            now: Timestamp::MIN,
        }
    }

    /// Drops what is past.
    pub(super) fn sweep(&mut self) {
        (0..Table::parts()).for_each(|part| self.sweep_part(part));
        self.sweep_rest();
    }

    /// Drops what is past of one part of the table.
    pub(super) fn sweep_part(&mut self, part: usize) {
        self.table.sweep(part, self.now);
    }

    /// Drops what is past of everything else.
    pub(super) fn sweep_rest(&mut self) {
        self.table.sweep_beside();
        self.taken.forget(self.now);
    }

    /// Holds what `event` says.
    pub(super) fn apply(&mut self, event: Event) {
        self.taken.insert(&event.source, event.name, event.received);
        self.now = self.now.max(Timestamp::from_second(event.received).unwrap_or(self.now));
        for fact in event.facts {
            self.changes.push(&fact);
            self.table.put(fact);
        }
    }
}
