//! How long is waited after failures.

use std::time::Duration;

use super::failure::Failure;
use super::settings::StreamTiming;
use crate::outgoing::jittered;

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    failures: u32,
}

impl Pauses {
    /// All is well again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure: twice as long as before, and at least as long as the transmitter asks for.
    pub(super) fn after(&mut self, failure: &Failure, timing: &StreamTiming) -> Duration {
        let first = if failure.is_lasting() { timing.refused_pause } else { timing.shortest_pause };
        let own = self.doubled(first, timing.longest_pause);
        failure.retry_after().map_or(own, |asked| asked.max(own))
    }

    /// How long to wait since nothing can be taken at present.
    pub(super) fn not_now(&mut self, timing: &StreamTiming) -> Duration {
        self.doubled(timing.shortest_pause, timing.longest_pause)
    }

    fn doubled(&mut self, first: Duration, longest: Duration) -> Duration {
        let pause = first.saturating_mul(2_u32.saturating_pow(self.failures)).min(longest);
        self.failures = self.failures.saturating_add(1);
        jittered(pause)
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;

    fn refused(status: u16, retry_after: Option<u64>) -> Failure {
        let status = StatusCode::from_u16(status).unwrap();
        Failure::Refused { status, retry_after: retry_after.map(Duration::from_secs) }
    }

    fn seconds(pause: Duration, expected: f64) {
        let pause = pause.as_secs_f64();
        assert!((expected * 0.9..=expected * 1.1).contains(&pause), "{pause} is not about {expected}");
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_when_all_is_well() {
        let (mut pauses, timing) = (Pauses::default(), StreamTiming::default());
        for expected in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0] {
            seconds(pauses.after(&refused(503, None), &timing), expected);
        }
        pauses.reset();
        seconds(pauses.not_now(&timing), 1.0);
    }

    #[test]
    fn what_will_hardly_change_by_itself_is_tried_slowly() {
        for (status, expected) in [(401, 60.0), (403, 60.0), (404, 60.0), (408, 1.0), (429, 1.0), (500, 1.0)]
        {
            seconds(Pauses::default().after(&refused(status, None), &StreamTiming::default()), expected);
        }
    }

    #[test]
    fn transmitters_are_left_alone_as_long_as_they_ask_but_not_for_ever() {
        for (asked, expected) in [(0, 1.0), (30, 30.0), (u64::MAX, 3600.0)] {
            let pause = Pauses::default().after(&refused(503, Some(asked)), &StreamTiming::default());
            seconds(pause, expected);
        }
    }
}
