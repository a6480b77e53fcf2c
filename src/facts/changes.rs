//! The last changes, by their numbers.

use std::collections::VecDeque;

use procura_core::model::Fact;

use crate::ports::Change;

/// How many changes are remembered.
const REMEMBERED: usize = 16_384;

/// The changes that are remembered, and the number of the last.
#[derive(Debug)]
pub(super) struct Changes {
    ring: VecDeque<Change>,
    last: u64,
}

impl Changes {
    /// None are remembered; the last one had this number.
    pub(super) fn after(last: u64) -> Self {
        Self { ring: VecDeque::new(), last }
    }

    /// The number of the last change; 0 before the first.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Adds the change that made `fact` what is held.
    pub(super) fn push(&mut self, fact: &Fact) {
        self.last += 1;
        if self.ring.len() >= REMEMBERED {
            self.ring.pop_front();
        }
        self.ring.push_back(Change {
            seq: self.last,
            subject: fact.subject.clone(),
            name: fact.name.clone(),
            source: fact.source.clone(),
            at: fact.at,
        });
    }

    /// At most `most` changes after number `after`; `None` if some of them are not remembered, or if there never was a
    /// change of that number.
    pub(super) fn after_number(&self, after: u64, most: usize) -> Option<Vec<Change>> {
        let wanted = usize::try_from(self.last.checked_sub(after)?).ok()?;
        let skipped = self.ring.len().checked_sub(wanted)?;
        Some(self.ring.iter().skip(skipped).take(most).cloned().collect())
    }
}
