//! Puts together what encrypts connections.

use std::sync::Arc;

use anyhow::Context;

use crate::config::{self, Config};
use crate::telemetry::Metrics;
use crate::tls::{CertificateRule, Files, Settings, Tls};

/// TLS as `config` says, which follows its files from now on; `None` if connections are not encrypted.
pub(super) fn start(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<Option<Arc<Tls>>> {
    let Some(tls) = &config.server.tls else { return Ok(None) };
    let loaded = Tls::load(settings(tls), Arc::clone(metrics)).context("cannot serve TLS")?;
    tokio::spawn(Arc::clone(&loaded).watch(tls.watch_interval));
    Ok(Some(loaded))
}

fn settings(tls: &config::Tls) -> Settings {
    let rule = |rule: &config::CertificateRule| CertificateRule {
        names: rule.names.clone(),
        roles: rule.roles.clone(),
        tenants: rule.tenants.clone(),
        agent: rule.agent,
    };
    Settings {
        files: Files {
            certificate: tls.certificate.clone(),
            key: tls.key.clone(),
            authorities: tls.authorities.clone(),
            revocations: tls.revocations.clone(),
        },
        required: tls.required,
        rules: tls.rules.iter().map(rule).collect(),
    }
}
