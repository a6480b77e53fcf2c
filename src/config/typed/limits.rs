//! What callers may take of the server.

use std::num::NonZeroU32;

use super::{MINUTE, Reader, SECOND};
use crate::config::Limits;

/// Types the keys below `server.limits`.
pub(super) fn limits(reader: &mut Reader) -> Limits {
    const MILLION: u64 = 1_000_000;
    const CALLS: u64 = 65_536;
    let mut units = |key: &str, least: u64, most: u64| {
        u32::try_from(reader.number(key, least..=most)).unwrap_or(u32::MAX)
    };
    let requests_per_second = NonZeroU32::new(units("server.limits.requestsPerSecond", 0, MILLION));
    let burst = units("server.limits.burst", 1, MILLION);
    let concurrent_per_caller = units("server.limits.concurrentPerCaller", 1, CALLS);
    let concurrent = units("server.limits.concurrent", 1, CALLS);
    Limits {
        requests_per_second,
        burst,
        concurrent_per_caller,
        concurrent,
        connections: reader.count("server.limits.connections", 1..=CALLS),
        connections_per_address: reader.count("server.limits.connectionsPerAddress", 1..=CALLS),
        head_timeout: reader.duration("server.limits.headTimeout", SECOND / 10..=60 * MINUTE),
        body_timeout: reader.duration("server.limits.bodyTimeout", SECOND / 10..=60 * MINUTE),
        answer_timeout: reader.duration("server.limits.answerTimeout", SECOND / 10..=60 * MINUTE),
    }
}
