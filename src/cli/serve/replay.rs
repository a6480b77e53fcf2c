//! What works on the recorded calls beside the server: the gate before a set goes live, and the shadow.

use std::sync::Arc;

use anyhow::Context;

use super::SCAN_INTERVAL;
use crate::audit::Log;
use crate::cli::clock::SystemClock;
use crate::config::{self, Config};
use crate::pap::{Disk, Watch};
use crate::pdp::{ChangeGate, MaxChanged, ReloadTiming, Shadow, ShadowParts};
use crate::ports::Notice;
use crate::telemetry::Metrics;

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

/// The candidate set that decides beside the live one, and the watch over it, if one is configured. Call it within a tokio
/// runtime.
pub(super) fn shadow(
    config: &Config,
    log: Option<&Arc<Log>>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Option<(Arc<Shadow>, Watch)>> {
    let (Some(directory), Some(log)) = (&config.shadow, log) else { return Ok(None) };
    let shadow = Shadow::start(ShadowParts {
        source: Arc::new(Disk::new(directory)),
        records: Arc::new(log.reader().clone()),
        log: Arc::clone(log) as _,
        clock: Arc::new(SystemClock),
        metrics: Arc::clone(metrics),
        quiet: config.storage.quiet_period,
    });
    let shadow = Arc::new(shadow.context("cannot start the shadow")?);
    let noticing = Arc::downgrade(&shadow);
    let report = move |notice: Notice| {
        if let Some(shadow) = noticing.upgrade() {
            shadow.notice(&notice);
        }
    };
    let watch = Watch::start(directory.clone(), SCAN_INTERVAL, report);
    Ok(Some((shadow, watch.context("cannot start the watch over the candidate policies")?)))
}
