//! A clock that a test owns.

use std::sync::atomic::{AtomicI64, Ordering};

use procura::ports::Clock;
use procura_core::model::Timestamp;

/// Begins on 2026-11-22 and moves on by one millisecond whenever it is read, so that instants tell calls apart.
#[derive(Debug)]
pub struct SteppingClock(AtomicI64);

impl Default for SteppingClock {
    fn default() -> Self {
        Self(AtomicI64::new(1_795_305_600_000))
    }
}

impl Clock for SteppingClock {
    fn now(&self) -> Timestamp {
        let millis = self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}
