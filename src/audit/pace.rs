//! How long the writer waits for more records before it writes those that it has: what is written together shares one
//! write, one sync and one wake-up of the thread.

use std::time::Duration;

use super::queue::{Patience, Since};
use crate::ports::Durability;

/// What records wait for that nobody waits for: so many that the wake-up and the look at the files cost each of them
/// nearly nothing, and so few that all are still in the processor's cache.
const ASYNC: Patience = Patience { records: 128, time: Duration::from_millis(10), since: Since::Now };

/// Most that a caller waits for others, and most that one of a crowd does.
const MOST: Duration = Duration::from_micros(500);
const MOST_OF_CROWD: Duration = Duration::from_millis(1);

/// More callers than this are a crowd: a processor has enough to do for the others while some of them wait.
const CROWD: usize = 64;

/// Syncs over which their time is averaged.
const SYNCS: u32 = 8;

const NONE: Patience = Patience { records: 1, time: Duration::ZERO, since: Since::First };

/// What the writer knows about its callers and its disk.
#[derive(Debug)]
pub(super) struct Pace {
    durability: Durability,
    /// How many callers seem to be at work: those just answered and those that wait already.
    callers: usize,
    /// Time that the disk takes to sync, on average.
    sync: Duration,
}

impl Pace {
    /// The pace of a log that has not written yet.
    pub(super) fn new(durability: Durability) -> Self {
        Self { durability, callers: 1, sync: Duration::ZERO }
    }

    /// What to wait for now.
    ///
    /// In `durable` mode a sync covers whoever waits for it, and callers that were just answered come again soon. To wait
    /// for them as long as half a sync takes costs less than the next sync would; for a single caller there is no wait. In a
    /// crowd it is the processor that is short, of which each sync takes a share, so it is waited for twice as long.
    pub(super) fn patience(&self) -> Patience {
        match self.durability {
            Durability::Async => ASYNC,
            Durability::Durable if self.callers > 1 => {
                let is_crowd = self.callers > CROWD;
                let time = if is_crowd { self.sync.min(MOST_OF_CROWD) } else { (self.sync / 2).min(MOST) };
                Patience { records: self.callers, time, since: Since::First }
            }
            Durability::Durable | Durability::Os => NONE,
        }
    }

    /// Notes that a batch of `records` was written, how long its sync took if there was one, and how many wait already.
    pub(super) fn wrote(&mut self, records: usize, sync: Option<Duration>, waiting: usize) {
        self.callers = records + waiting;
        if let Some(took) = sync {
            self.sync = (self.sync * (SYNCS - 1) + took) / SYNCS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_callers_that_share_a_sync_wait_for_each_other_and_only_a_crowd_longer_than_half_a_sync() {
        let sync = Duration::from_micros(160);
        let after = |durability, records, waiting, sync| {
            let mut pace = Pace::new(durability);
            (0..100).for_each(|_| pace.wrote(records, Some(sync), waiting));
            pace.patience()
        };
        assert_eq!(Pace::new(Durability::Durable).patience(), NONE);
        assert_eq!(after(Durability::Durable, 1, 0, sync), NONE);
        assert_eq!(after(Durability::Os, 9, 9, sync), NONE);
        let shared = after(Durability::Durable, 3, 29, sync);
        assert_eq!(shared.records, 32);
        assert!(shared.time <= sync / 2 && shared.time > sync / 3, "{shared:?}");
        assert_eq!(after(Durability::Durable, 3, 29, sync * 1000).time, MOST);
        assert!(after(Durability::Durable, 40, 60, sync).time > sync * 9 / 10);
        assert_eq!(after(Durability::Durable, 40, 60, sync * 1000).time, MOST_OF_CROWD);
        assert_eq!(after(Durability::Async, 1, 0, sync), ASYNC);
    }
}
