//! How much of a source is listened to, and how many of its refusals are recorded one by one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use procura_core::model::Timestamp;

/// Refusals that are recorded one by one in a window.
const ALONE: u32 = 10;

/// How long a window is.
const WINDOW: Duration = Duration::from_secs(60);

/// A bucket of as many signals as may come in a second, which it takes a second to fill.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: f64,
    left: f64,
    since: Option<Instant>,
}

/// How many refusals there were in a window beyond those that were recorded one by one, by code.
pub(super) type Counted = BTreeMap<&'static str, u64>;

/// The refusals of a source in the window that is open.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    begun: Option<Timestamp>,
    alone: u32,
    beyond: Counted,
}

impl Rate {
    /// A full bucket.
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, left: per_second, since: None }
    }

    /// Takes one out of it.
    ///
    /// # Errors
    /// How long it takes until there is one, if there is none.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.since = Some(now);
        self.left = self.per_second.min(self.left + passed.as_secs_f64() * self.per_second);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.left) / self.per_second))
    }
}

impl Refusals {
    /// Counts a refusal at `now`: whether it is recorded by itself, and what is recorded of the window before, if that has
    /// ended.
    pub(super) fn count(&mut self, code: &'static str, now: Timestamp) -> (bool, Option<Counted>) {
        let ended = self.ended(now, false);
        self.begun.get_or_insert(now);
        if self.alone < ALONE {
            self.alone += 1;
            return (true, ended);
        }
        *self.beyond.entry(code).or_default() += 1;
        (false, ended)
    }

    /// The same of one that is never recorded by itself: it was not even looked at.
    pub(super) fn count_unseen(&mut self, code: &'static str, now: Timestamp) {
        self.begun.get_or_insert(now);
        *self.beyond.entry(code).or_default() += 1;
    }

    /// What is to be recorded of the window if it has ended at `now`, or in any case; the next one begins then.
    pub(super) fn ended(&mut self, now: Timestamp, anyway: bool) -> Option<Counted> {
        let is_over = |begun: Timestamp| now.duration_since(begun).unsigned_abs() >= WINDOW;
        if !self.begun.is_some_and(|begun| anyway || is_over(begun)) {
            return None;
        }
        let window = std::mem::take(self);
        (!window.beyond.is_empty()).then_some(window.beyond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_305_600 + second).unwrap()
    }

    #[test]
    fn source_may_send_as_many_in_a_second_as_configured_and_a_second_at_once() {
        let start = Instant::now();
        let mut rate = Rate::new(10);
        let taken = (0..100).filter(|_| rate.take(start).is_ok()).count();
        assert_eq!(taken, 10);
        assert_eq!(rate.take(start).unwrap_err().as_millis(), 100);
        let later = start + Duration::from_millis(250);
        assert_eq!((0..100).filter(|_| rate.take(later).is_ok()).count(), 2);
        let much_later = start + Duration::from_secs(60);
        assert_eq!((0..100).filter(|_| rate.take(much_later).is_ok()).count(), 10);
    }

    #[test]
    fn ten_refusals_of_a_window_are_recorded_alone_and_the_rest_is_counted_once() {
        let mut refusals = Refusals::default();
        for _ in 0..10 {
            assert_eq!(refusals.count("invalid_key", at(0)), (true, None));
        }
        for _ in 0..1000 {
            assert_eq!(refusals.count("invalid_key", at(59)), (false, None));
        }
        refusals.count_unseen("rate_limited", at(59));
        assert_eq!(refusals.ended(at(59), false), None);
        let counted = Counted::from([("invalid_key", 1000), ("rate_limited", 1)]);
        assert_eq!(refusals.count("invalid_request", at(60)), (true, Some(counted)));
        assert_eq!(refusals.ended(at(60), true), None, "all of it was recorded alone");
        refusals.count_unseen("rate_limited", at(61));
        assert_eq!(refusals.ended(at(61), true), Some(Counted::from([("rate_limited", 1)])));
        assert_eq!(refusals.ended(at(200), true), None);
    }
}
