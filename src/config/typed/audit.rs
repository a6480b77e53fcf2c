//! The decision log.

mod mask;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{KIB, MIB, MILLISECOND, MINUTE, Reader, SECOND, YEAR};
use crate::config::audit::{Audit, Checkpoint, Witness};
use crate::config::ship::DestinationList;
use crate::ports::Durability;
use crate::telemetry::Api;

/// Types the keys below `audit`.
pub(super) fn audit(reader: &mut Reader) -> Audit {
    let modes = Durability::ALL.map(|mode| (mode.as_str(), mode));
    Audit {
        enabled: reader.switch("audit.enabled"),
        durability: reader.choice("audit.durability", &modes).unwrap_or_default(),
        routes: routes(reader),
        deadline: reader.duration("audit.deadline", MILLISECOND..=MINUTE),
        queue_length: reader.count("audit.queueLength", 1..=1_000_000),
        segment_bytes: reader.number("audit.segmentBytes", 64 * KIB..=4096 * MIB),
        index_enabled: reader.switch("audit.index.enabled"),
        index_max_lag: reader.number("audit.index.maxLag", 1..=1_000_000_000_000),
        segment_age: reader.age("audit.segmentAge", SECOND..=YEAR),
        compress: reader.switch("audit.compress"),
        retention_age: reader.age("audit.retention.age", SECOND..=100 * YEAR),
        retention_bytes: reader.size("audit.retention.bytes", MIB..=1024 * 1024 * 1024 * MIB),
        retention_hold: reader.switch("audit.retention.hold"),
        mask: mask::masks(reader),
        pseudonym_period: reader.duration("audit.pseudonyms.period", SECOND..=10 * YEAR),
        reserved_bytes: reader.number("audit.reservedBytes", 0..=1024 * 1024 * MIB),
        checkpoint: checkpoint(reader),
        witness: Witness {
            file: reader.given("audit.witness.file").map(PathBuf::from),
            url: reader.url("audit.witness.url"),
            key: reader.given("audit.witness.key"),
        },
        ship: reader.checked("audit.ship", DestinationList::check),
    }
}

fn checkpoint(reader: &mut Reader) -> Checkpoint {
    const ORIGIN: &str = "audit.checkpoint.origin";
    let origin = reader.given(ORIGIN);
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

fn routes(reader: &mut Reader) -> Vec<(Api, Durability)> {
    const ROUTES: &str = "audit.routes";
    let named: BTreeMap<String, String> = reader.structure(ROUTES).unwrap_or_default();
    let mut routes = Vec::new();
    for (name, mode) in named {
        let api = Api::every().find(|api| api.as_str() == name);
        let durability = Durability::ALL.into_iter().find(|durability| durability.as_str() == mode);
        match (api, durability) {
            (Some(api), Some(durability)) => routes.push((api, durability)),
            (None, _) => {
                let names: Vec<_> = Api::every().map(|api| format!("`{}`", api.as_str())).collect();
                let advice = format!("is no API: choose {}", names.join(" or "));
                reader.reject_member(ROUTES, &format!(".{name}"), advice);
            }
            (_, None) => {
                let advice = format!("must be `durable` or `os` or `async`, not `{mode}`");
                reader.reject_member(ROUTES, &format!(".{name}"), advice);
            }
        }
    }
    routes
}
