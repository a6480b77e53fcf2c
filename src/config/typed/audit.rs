//! The decision log.

use super::{KIB, MIB, MILLISECOND, MINUTE, Reader};
use crate::config::ship::DestinationList;
use crate::config::{Audit, Destination};
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
        ship: ship(reader),
    }
}

fn ship(reader: &mut Reader) -> Vec<Destination> {
    const SHIP: &str = "audit.ship";
    let checked = reader.structure::<DestinationList>(SHIP).map(DestinationList::check);
    checked.unwrap_or(Ok(Vec::new())).unwrap_or_else(|problems| {
        for (member, advice) in problems {
            reader.reject_member(SHIP, &member, advice);
        }
        Vec::new()
    })
}
