//! Which records the destinations still need: the log deletes nothing from the oldest of them on.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::audit::{Dependent, LogReader};

/// What all destinations need together.
pub(super) struct Needs {
    reader: LogReader,
    /// The last record that each destination is known to have, also after a restart; 0 before the first.
    kept: Mutex<Vec<u64>>,
}

impl Needs {
    /// So many destinations, of which nothing is known yet.
    pub(super) fn new(reader: LogReader, destinations: usize) -> Self {
        let needs = Self { reader, kept: Mutex::new(vec![0; destinations]) };
        needs.tell(&needs.lock());
        needs
    }

    /// The destination at `place` has everything up to record `seq`.
    pub(super) fn kept(&self, place: usize, seq: u64) {
        let mut kept = self.lock();
        if let Some(known) = kept.get_mut(place) {
            *known = seq;
        }
        self.tell(&kept);
    }

    /// The oldest record that is needed: the last one that a destination has, by which the log is recognised after a
    /// restart, or the first one of the log. `None` if there are no destinations.
    pub(super) fn lowest(&self) -> Option<u64> {
        lowest(&self.lock())
    }

    fn tell(&self, kept: &[u64]) {
        self.reader.need_from(Dependent::Shipping, lowest(kept));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lowest(kept: &[u64]) -> Option<u64> {
    kept.iter().min().map(|seq| (*seq).max(1))
}
