//! Opens the decision log as it is configured, and what works beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::{Dependent, DirFiles, Log, LogSettings, Retention};
use crate::cli::clock::SystemClock;
use crate::config::Config;
use crate::telemetry::Metrics;
use crate::telemetry::events::LogDisabled;

/// The decision log; `None` if it is turned off.
pub(super) fn open(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<Option<Arc<Log>>> {
    if !config.audit.enabled {
        LogDisabled.emit();
        return Ok(None);
    }
    let settings = LogSettings {
        durability: config.audit.durability,
        deadline: config.audit.deadline,
        queue_records: config.audit.queue_length,
        segment_bytes: config.audit.segment_bytes,
        segment_age: config.audit.segment_age,
        compress: config.audit.compress,
        retention: Retention {
            age: config.audit.retention_age,
            bytes: config.audit.retention_bytes,
            hold: config.audit.retention_hold,
        },
        reserved_bytes: config.audit.reserved_bytes,
        dependents: dependents(config),
        has_past: has_archive(&config.server.data_dir),
        ..LogSettings::default()
    };
    let files = Arc::new(DirFiles::open(&log_directory(&config.server.data_dir))?);
    let (log, _) = Log::open(files, &settings, Arc::new(SystemClock), Arc::clone(metrics))?;
    Ok(Some(log))
}

/// Who must have met a record before it may be deleted.
fn dependents(config: &Config) -> Vec<Dependent> {
    let ships = !config.audit.ship.is_empty();
    std::iter::once(Dependent::Notary).chain(ships.then_some(Dependent::Shipping)).collect()
}

/// Where the policy sets that went live are kept within the data directory.
pub(in crate::cli) fn archive_directory(data_dir: &Path) -> PathBuf {
    data_dir.join("policies")
}

/// Whether some policy set went live already: a log would have recorded it.
fn has_archive(data_dir: &Path) -> bool {
    fs::read_dir(archive_directory(data_dir)).is_ok_and(|mut entries| entries.next().is_some())
}

/// Where the decision log is within the data directory.
pub(in crate::cli) fn log_directory(data_dir: &Path) -> PathBuf {
    data_dir.join("log")
}

/// Where the index of the log is within the data directory.
pub(in crate::cli) fn index_directory(data_dir: &Path) -> PathBuf {
    data_dir.join("index")
}
