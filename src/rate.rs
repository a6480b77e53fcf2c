//! How often somebody may do something: a token bucket, kept as the one instant at which it will be full again.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A bucket of `burst` tokens that fills at a steady rate (the generic cell rate algorithm of ITU-T I.371).
#[derive(Debug)]
pub(crate) struct Rate {
    /// Nanoseconds in which one more comes.
    interval: u64,
    /// Nanoseconds by which `full_at` may lie ahead.
    tolerance: u64,
    /// When the bucket is full again, in nanoseconds of the process.
    full_at: AtomicU64,
}

impl Rate {
    /// A full bucket of `burst` that fills at `per_second`.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let interval = 1_000_000_000 / u64::from(per_second.max(1));
        let burst = u64::from(burst.max(1));
        Self {
            interval,
            tolerance: interval.saturating_mul(burst.saturating_sub(1)),
            full_at: AtomicU64::new(0),
        }
    }

    /// Whether there is one in the bucket, which stays there.
    ///
    /// # Errors
    /// How long it takes until there is one, if there is none.
    pub(crate) fn look(&self) -> Result<(), Duration> {
        let ahead = self.full_at.load(Ordering::Relaxed).saturating_sub(now());
        match ahead.saturating_sub(self.tolerance) {
            0 => Ok(()),
            missing => Err(Duration::from_nanos(missing)),
        }
    }

    /// Takes one out of the bucket.
    ///
    /// # Errors
    /// How long it takes until there is one, if there is none.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        self.take_at(now())
    }

    /// Whether the bucket is full.
    pub(crate) fn is_full(&self) -> bool {
        self.full_at.load(Ordering::Relaxed) <= now()
    }

    fn take_at(&self, now: u64) -> Result<(), Duration> {
        let taken = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            let full_at = full_at.max(now);
            (full_at - now <= self.tolerance).then(|| full_at.saturating_add(self.interval))
        });
        let missing = |full_at: u64| full_at.saturating_sub(now).saturating_sub(self.tolerance);
        taken.map(drop).map_err(|full_at| Duration::from_nanos(missing(full_at)))
    }
}

/// Nanoseconds since the first time that anything was counted.
fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn burst_is_taken_at_once_and_then_one_in_each_interval() {
        let rate = Rate::new(10, 3);
        for _ in 0..3 {
            rate.take_at(SECOND).unwrap();
        }
        assert_eq!(rate.take_at(SECOND), Err(Duration::from_millis(100)));
        assert_eq!(rate.take_at(SECOND + 60_000_000), Err(Duration::from_millis(40)));
        rate.take_at(SECOND + 100_000_000).unwrap();
        assert!(rate.take_at(SECOND + 100_000_000).is_err());
    }

    #[test]
    fn what_is_refused_takes_nothing_and_what_is_not_used_is_not_saved() {
        let rate = Rate::new(1000, 2);
        for _ in 0..1000 {
            let _ = rate.take_at(SECOND);
        }
        rate.take_at(SECOND + 1_000_000).unwrap();
        let taken = (0..10).filter(|_| rate.take_at(60 * SECOND).is_ok()).count();
        assert_eq!(taken, 2);
    }

    #[test]
    fn in_the_long_run_it_is_the_rate() {
        let rate = Rate::new(250, 10);
        let taken = (0..40_000).filter(|step| rate.take_at(SECOND + step * 1_000_000).is_ok()).count();
        assert!((10_000..=10_010).contains(&taken), "{taken} in 40 s");
    }
}
