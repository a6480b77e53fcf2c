//! The quarantines of a server.

use std::sync::Arc;

use anyhow::Context;

use crate::cli::clock::SystemClock;
use crate::config::Config;
use crate::pdp::{QuarantineOffice, QuarantineParts};
use crate::ports::DecisionLog;
use crate::quarantine::QuarantineFile;

/// Those that were kept; without them the server must not start, since it would rely on what it must not.
pub(super) fn open(
    config: &Config,
    log: Option<Arc<dyn DecisionLog>>,
) -> anyhow::Result<Arc<QuarantineOffice>> {
    let store = Arc::new(QuarantineFile::of(&config.server.data_dir));
    let office = QuarantineOffice::open(QuarantineParts { store, log, clock: Arc::new(SystemClock) });
    office.map(Arc::new).context("cannot tell what is under quarantine")
}
