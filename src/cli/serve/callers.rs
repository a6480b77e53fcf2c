//! From the configuration to what knows callers.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use crate::callers::KeyFile;
use crate::cli::clock::SystemClock;
use crate::cli::tokens;
use crate::config::{self, Config, ConfigError};
use crate::pap::Disk;
use crate::pdp::{Access, AccessWatch, Anonymous, Callers, TokenCallers, TokenIssuer};
use crate::ports::{ApiKeys, Quarantine, TokenVerifier};
use crate::telemetry::Metrics;

/// What knows callers, and what looks after policies that an operator wrote, for as long as it lives.
pub(super) fn start(
    config: &Config,
    quarantine: Arc<dyn Quarantine>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Callers, Option<Arc<KeyFile>>, Option<AccessWatch>)> {
    let (access, watch) = access(config.callers.policies.as_deref())?;
    let keys = config.callers.keys.as_deref();
    let keys = keys.map(|path| KeyFile::start(path, Arc::clone(metrics))).transpose()?;
    let anonymous = match config.callers.anonymous(can_authenticate(config)) {
        config::Anonymous::Auto | config::Anonymous::Refuse => Anonymous::Refuse,
        config::Anonymous::Local => Anonymous::Local,
        config::Anonymous::Allow => Anonymous::Allow,
    };
    let callers = Callers::new(access, anonymous, Arc::new(SystemClock), Arc::clone(metrics))
        .with_keys(keys.clone().map(|keys| keys as Arc<dyn ApiKeys>))
        .with_tokens(token_callers(config, metrics)?)
        .with_quarantine(quarantine);
    Ok((callers, keys, watch))
}

fn access(policies: Option<&Path>) -> anyhow::Result<(Arc<Access>, Option<AccessWatch>)> {
    let Some(directory) = policies else { return Ok((Arc::new(Access::shipped()?), None)) };
    let (access, watch) = AccessWatch::start(Arc::new(Disk::new(directory))).with_context(|| {
        format!("cannot use the policies of `callers.policies`, `{}`", directory.display())
    })?;
    Ok((access, Some(watch)))
}

fn token_callers(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<Option<TokenCallers>> {
    let issuers = &config.callers.tokens;
    if issuers.is_empty() {
        return Ok(None);
    }
    let skew = config.aux_data.acceptable_time_skew;
    let key_sets = issuers.iter().map(|issuer| &issuer.keys);
    let verifier = tokens::start_for_callers(key_sets, skew, Arc::clone(metrics))?;
    let named = issuers.iter().map(|issuer| {
        let name = issuer.keys.id.clone();
        (name.clone(), token_issuer(name, issuer.grant.clone()))
    });
    Ok(Some(TokenCallers::new(verifier as Arc<dyn TokenVerifier>, named.collect())))
}

fn token_issuer(issuer: String, grant: config::TokenGrant) -> TokenIssuer {
    let config::TokenGrant { name_claim, roles, roles_claim, roles_map, tenants, tenants_claim, agent } =
        grant;
    let name_claim = name_claim.unwrap_or_else(|| "sub".to_owned());
    TokenIssuer { issuer, name_claim, roles, roles_claim, roles_map, tenants, tenants_claim, agent }
}

/// Whether callers can show who they are.
fn can_authenticate(config: &Config) -> bool {
    let by_certificate = config.server.tls.as_ref().is_some_and(|tls| tls.authorities.is_some());
    by_certificate || config.callers.keys.is_some() || !config.callers.tokens.is_empty()
}

/// Whether the network can read the keys and tokens that callers show at `address`.
pub(super) fn shows_credentials_unencrypted(config: &Config, address: SocketAddr) -> bool {
    let has_secrets = config.callers.keys.is_some() || !config.callers.tokens.is_empty();
    has_secrets && config.server.tls.is_none() && !address.ip().to_canonical().is_loopback()
}

/// Refuses a configuration with which anybody or nobody could ask. Before anything is begun: the addresses may be others
/// than those that the server will listen on, see [`require_callers_at`].
pub(super) fn require_callers(config: &Config) -> Result<(), ConfigError> {
    if config.callers.anonymous == config::Anonymous::Refuse && !can_authenticate(config) {
        let problem = "`callers.anonymous` is `refuse`, and callers cannot show who they are: nobody could ask. Set \
                       `callers.keys.file`, `callers.tokens` or `server.tls.caCert`";
        return Err(ConfigError { problems: vec![problem.to_owned()] });
    }
    let resolved = config.server.listen.to_socket_addrs().into_iter().flatten();
    resolved.into_iter().try_for_each(|address| require_callers_at(config, address))
}

/// Refuses to listen at `address` if the network reaches it and callers cannot show who they are, unless that was asked for.
pub(super) fn require_callers_at(config: &Config, address: SocketAddr) -> Result<(), ConfigError> {
    let asked_for = config.callers.anonymous == config::Anonymous::Allow;
    if address.ip().to_canonical().is_loopback() || asked_for || can_authenticate(config) {
        return Ok(());
    }
    let problem = format!(
        "`server.httpListenAddr` is `{}`, which the network reaches, and callers cannot show who they are: set \
         `callers.keys.file`, `callers.tokens` or `server.tls.caCert`, or let whoever reaches it ask with \
         `callers.anonymous=allow`",
        config.server.listen
    );
    Err(ConfigError { problems: vec![problem] })
}
