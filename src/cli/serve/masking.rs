//! Masking of records as it is configured, and the keys for it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::audit::{KeyStore, Keyring, Log};
use crate::cli::clock::SystemClock;
use crate::config::Config;
use crate::pdp::Masking;
use crate::ports::{Clock, DecisionLog};

/// How often it is looked whether keys were destroyed.
const LOOK: Duration = Duration::from_secs(5);

/// Masking, if there is a log; keys that were destroyed are recorded from now on, also if nothing is masked any more.
pub(super) async fn start(config: &Config, log: Option<&Arc<Log>>) -> anyhow::Result<Option<Masking>> {
    let Some(log) = log else { return Ok(None) };
    let (masks, writer) = (config.audit.mask.clone(), Arc::clone(log) as Arc<dyn DecisionLog>);
    let store = KeyStore::of(&config.server.data_dir);
    let keys = Keyring::open(store, &masks, config.audit.pseudonym_period, writer)
        .context("cannot use the keys of `audit.mask`")?;
    let keys = Arc::new(keys);
    keys.record_forgotten(SystemClock.now()).await.context("cannot record which keys were destroyed")?;
    tokio::spawn(record_forgotten(Arc::clone(&keys)));
    Ok((!masks.is_empty()).then_some(Masking { masks, keys }))
}

/// Records keys as soon as they are destroyed; what does not succeed is tried again.
async fn record_forgotten(keys: Arc<Keyring>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let _ = keys.record_forgotten(SystemClock.now()).await;
    }
}
