//! The clock of this machine.

use procura_core::model::Timestamp;

use crate::ports::Clock;

/// Tells the time of this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
