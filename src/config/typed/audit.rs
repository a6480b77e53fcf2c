//! The decision log.

use std::path::PathBuf;

use super::{KIB, MIB, MILLISECOND, MINUTE, Reader};
use crate::config::audit::{Audit, Checkpoint, Witness};
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
        checkpoint: checkpoint(reader),
        witness: Witness {
            file: given(reader, "audit.witness.file").map(PathBuf::from),
            url: reader.url("audit.witness.url"),
            key: given(reader, "audit.witness.key"),
        },
    }
}

fn checkpoint(reader: &mut Reader) -> Checkpoint {
    const ORIGIN: &str = "audit.checkpoint.origin";
    let origin = given(reader, ORIGIN);
    if origin
        .as_ref()
        .is_some_and(|name| name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+'))
    {
        reader.reject(ORIGIN, "must be a name without spaces and `+`, such as `pdp.example.com/decisions`");
    }
    Checkpoint {
        interval: reader.duration("audit.checkpoint.interval", 100 * MILLISECOND..=60 * MINUTE),
        origin,
        post_quantum: reader.switch("audit.checkpoint.postQuantum"),
    }
}

fn given(reader: &Reader, key: &str) -> Option<String> {
    Some(reader.text(key)).filter(|text| !text.is_empty())
}
