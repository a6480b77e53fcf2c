//! What works beside the decision log: the notary that proves it, and what ships it.

use std::sync::Arc;
use std::time::Duration;

use super::{notary, ship};
use crate::audit::Log;
use crate::audit::proof::Office;
use crate::config::Config;
use crate::ports::{LogProofs, Shipping};
use crate::ship::Ship;
use crate::telemetry::Metrics;

/// How long the last records are shipped at the end.
const SHIP_PATIENCE: Duration = Duration::from_secs(3);

/// What follows a log; each part is there if it has something to do.
pub(super) struct Beside {
    office: Option<Arc<Office>>,
    ship: Option<Arc<Ship>>,
}

impl Beside {
    /// Starts everything that is configured.
    pub(super) fn start(config: &Config, log: Option<&Log>, metrics: &Arc<Metrics>) -> anyhow::Result<Self> {
        let office = log.map(|log| notary::start(config, log, metrics)).transpose()?;
        Ok(Self { office, ship: ship::start(config, log, metrics)? })
    }

    /// What proves the log.
    pub(super) fn proofs(&self) -> Option<Arc<dyn LogProofs>> {
        self.office.clone().map(|office| office as Arc<dyn LogProofs>)
    }

    /// What ships the log.
    pub(super) fn shipping(&self) -> Option<Arc<dyn Shipping>> {
        self.ship.clone().map(|ship| ship as Arc<dyn Shipping>)
    }

    /// Finishes what a log that is closed leaves to do, as far as that takes little time, and ends. Blocking.
    pub(super) fn close(&self) {
        if let Some(office) = &self.office {
            office.close();
        }
        if let Some(ship) = &self.ship {
            ship.stop(SHIP_PATIENCE);
        }
    }
}
