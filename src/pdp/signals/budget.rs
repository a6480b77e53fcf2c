//! How many refusals of a source are recorded one by one.

use std::collections::BTreeMap;
use std::time::Duration;

use procura_core::model::Timestamp;

/// Refusals that are recorded one by one in a window.
const ALONE: u32 = 10;

/// How long a window is.
const WINDOW: Duration = Duration::from_secs(60);

/// How many refusals there were in a window beyond those that were recorded one by one, by code.
pub(super) type Counted = BTreeMap<&'static str, u64>;

/// The refusals of a source in the window that is open.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    begun: Option<Timestamp>,
    alone: u32,
    beyond: Counted,
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
