//! What works on the recorded calls beside the server: the gate before a set goes live.

use std::sync::Arc;

use crate::audit::Log;
use crate::config::{self, Config};
use crate::pdp::{ChangeGate, MaxChanged, ReloadTiming};

/// The gate of recorded calls, if one is configured.
pub(super) fn gate(config: &Config, log: &Arc<Log>) -> Option<ChangeGate> {
    let replay = config.reload.replay?;
    let most = match replay.most {
        config::MaxChanged::Any => return None,
        config::MaxChanged::Decisions(most) => MaxChanged::Decisions(most),
        config::MaxChanged::Percent(most) => MaxChanged::Percent(most),
    };
    let (records, limit) = (Arc::new(log.reader().clone()), ReloadTiming::default().tests);
    Some(ChangeGate { records, most, newest: replay.calls, age: replay.since, limit })
}
