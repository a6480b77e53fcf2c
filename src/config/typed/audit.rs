//! The decision log.

use std::collections::BTreeMap;

use super::{KIB, MIB, MILLISECOND, MINUTE, Reader, SECOND, YEAR};
use crate::config::Audit;
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
        segment_age: reader.age("audit.segmentAge", SECOND..=YEAR),
        compress: reader.switch("audit.compress"),
        reserved_bytes: reader.number("audit.reservedBytes", 0..=1024 * 1024 * MIB),
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
