//! The decision log.

use super::{KIB, MIB, MILLISECOND, MINUTE, Reader};
use crate::config::Audit;
use crate::ports::Durability;

/// Types the keys below `audit`.
pub(super) fn audit(reader: &mut Reader) -> Audit {
    let modes = [Durability::Durable, Durability::Os, Durability::Async].map(|mode| (mode.as_str(), mode));
    Audit {
        enabled: reader.switch("audit.enabled"),
        durability: reader.choice("audit.durability", &modes).unwrap_or_default(),
        deadline: reader.duration("audit.deadline", MILLISECOND..=MINUTE),
        queue_length: reader.count("audit.queueLength", 1..=1_000_000),
        segment_bytes: reader.number("audit.segmentBytes", 64 * KIB..=4096 * MIB),
        index_enabled: reader.switch("audit.index.enabled"),
        index_max_lag: reader.number("audit.index.maxLag", 1..=1_000_000_000_000),
    }
}
