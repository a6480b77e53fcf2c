//! The record of what the server is told to do, written at every start before anything is decided.

use procura_core::record::{Configuration, Record, SettingRecord};

use crate::config::{Config, Setting};
use crate::ports::{Clock, DecisionLog, NewRecord};
use anyhow::Context;

/// What the keys begin with that can change a decision or what is recorded of it.
const MATTER: &[&str] = &[
    "audit.",
    "auxData.",
    "callers.",
    "engine.",
    "reload.",
    "schema.",
    "server.requestLimits.",
    "shadow.",
    "storage.",
];

/// Records the settings of `config`, as durably as `log` usually does.
pub(super) async fn record(config: &Config, log: &dyn DecisionLog, clock: &dyn Clock) -> anyhow::Result<()> {
    let at = clock.now();
    let matters = |setting: &&Setting| MATTER.iter().any(|prefix| setting.key.starts_with(prefix));
    let settings = config.settings.iter().filter(matters).map(|setting| SettingRecord {
        key: setting.key.into(),
        value: setting.shown(),
        origin: setting.origin.to_string().into(),
    });
    let engine = env!("CARGO_PKG_VERSION").into();
    let record = Record::Configuration(Configuration { at, engine, settings: settings.collect() });
    let payload = record.encode().context("cannot record the configuration")?;
    log.append(NewRecord { at, payload }).await.context("cannot record the configuration")
}
