//! Starts the index of the decision log, beside the log.

use std::sync::Arc;

use anyhow::Context;

use super::log::index_directory;
use crate::audit::{Index, IndexSettings, IndexThread, IndexedLog, Log};
use crate::config::Config;
use crate::ports::DecisionQuery;
use crate::telemetry::Metrics;

/// The read side of the log, and what keeps its index; without an index if that is turned off.
pub(super) fn start(
    config: &Config,
    log: &Arc<Log>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Arc<dyn DecisionQuery>, Option<IndexThread>)> {
    if !config.audit.index_enabled {
        return Ok((Arc::clone(log) as Arc<dyn DecisionQuery>, None));
    }
    let dir = index_directory(&config.server.data_dir);
    let (max_lag, block_rows) = (config.audit.index_max_lag, IndexSettings::BLOCK_ROWS);
    let settings = IndexSettings { dir, max_lag, block_rows, reserved_bytes: config.audit.reserved_bytes };
    let reader = log.reader().clone();
    let started = Index::start(&settings, reader.clone(), Arc::clone(metrics));
    let (index, thread) = started.context("cannot start the index of the decision log")?;
    Ok((Arc::new(IndexedLog::new(reader, index)), Some(thread)))
}
