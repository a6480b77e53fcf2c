//! From the configuration to what ships the records of the log.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::audit::Log;
use crate::cli::clock::SystemClock;
use crate::config::{self, Config, ShipTarget};
use crate::ports::Clock;
use crate::ship::{
    BatchLimits, DestinationSettings, EndpointSettings, FileSettings, Retry, Ship, ShipError, TargetSettings,
};
use crate::telemetry::Metrics;
use crate::telemetry::events::ConfigurationNotice;

/// The first pause after a failure.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);

/// Starts to ship, if there are destinations.
pub(super) fn start(
    config: &Config,
    log: Option<&Log>,
    metrics: &Metrics,
) -> Result<Option<Arc<Ship>>, ShipError> {
    let destinations = &config.audit.ship;
    match log {
        _ if destinations.is_empty() => Ok(None),
        None => {
            let message = "`audit.ship` sends nothing: `audit.enabled` is false";
            ConfigurationNotice { message }.emit();
            Ok(None)
        }
        Some(log) => {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let directory = directory(&config.server.data_dir);
            let settings = destinations.iter().map(settings).collect();
            Ship::start(settings, &directory, log.reader(), &clock, metrics).map(Arc::new).map(Some)
        }
    }
}

/// Where the bookmarks are kept within the data directory.
fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join("ship")
}

fn settings(destination: &config::Destination) -> DestinationSettings {
    let config::Destination { name, kinds, batch_records, batch_bytes, interval, longest_pause, target } =
        destination.clone();
    DestinationSettings {
        name,
        kinds,
        batch: BatchLimits { records: batch_records, bytes: batch_bytes },
        interval,
        retry: Retry { shortest: SHORTEST_PAUSE.min(longest_pause), longest: longest_pause },
        target: match target {
            ShipTarget::File { path, max_bytes, keep } => {
                TargetSettings::File(FileSettings { path, max_bytes, keep })
            }
            ShipTarget::Http(server) => TargetSettings::Http(endpoint(server)),
            ShipTarget::Otlp { endpoint: server, resource } => {
                TargetSettings::Otlp { endpoint: endpoint(server), resource }
            }
        },
    }
}

fn endpoint(endpoint: config::Endpoint) -> EndpointSettings {
    let config::Endpoint { url, headers, gzip, timeout, ca_file } = endpoint;
    EndpointSettings { url, headers, gzip, timeout, ca_file }
}
