//! `procura serve`: puts the parts together, runs the server, and takes it down in order.
//!
//! Up: log and what works beside it, policies, watch, listener. Down: listener, requests in flight, watch, log, runtime,
//! what works beside the log; so no request is answered without a record, and none is taken before there is a policy set.

mod beside;
mod callers;
mod configuration;
mod connections;
mod index;
mod limits;
mod log;
mod masking;
mod notary;
mod quarantine;
mod replay;
mod secret;
mod ship;
mod signals;
mod tls;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use self::beside::Beside;
pub(super) use self::connections::place;
pub(super) use self::limits::request_limits;
pub(super) use self::log::{archive_directory, index_directory, log_directory};
pub(super) use self::notary::key_directory;
use self::signals::{SignalParts, Signals};
use super::clock::SystemClock;
use super::exit::Exit;
use super::options::Options;
use super::signals::{ReloadSignal, StopSignals};
use super::{policies, print, print_error, tokens};
use crate::audit::Log;
use crate::config::{Anonymous, Config, ConfigError};
use crate::http::{self, Budget, Services};
#[cfg(feature = "otel")]
use crate::otel::Export;
use crate::pap::{Archive, Disk, Watch};
use crate::pdp::{
    Active, Cause, Health, LagLimit, Pdp, ReloadHandle, ReloadOutcome, ReloadParts, ReloadTiming,
};
use crate::ports::{DecisionLog, Encryption};
use crate::telemetry::events::{
    ConfigurationNotice, CredentialsUnencrypted, OpenToNetwork, ServerStarted, ServerStopped, ServerStopping,
};
use crate::telemetry::{self, Metrics};
use anyhow::{Context, bail};
use arc_swap::ArcSwapOption;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

const EXAMPLES: &str = "\
Examples:
  procura serve
  procura serve --set storage.disk.directory=/etc/procura/policies --data-dir /var/lib/procura
  procura serve --config procura.yaml --listen 0.0.0.0:3592
  PROCURA_LOG__LEVEL=debug procura serve

Without configuration: policies from `policies/`, decisions recorded below `.procura/`, http://127.0.0.1:3592.

Signals: SIGHUP reloads the policies and the certificates; SIGTERM and SIGINT finish the requests in flight and stop, a second one stops
at once.

Exit codes: 0 stopped when asked to, 1 failure, 2 wrong configuration, 3 errors in policies.";

/// How to mend a policy directory that is not there.
const NO_DIRECTORY: &str =
    ": create it and put policies there, or name another with `--set storage.disk.directory=DIR`";

/// How often the policy directory is looked at besides the events of the file system.
const SCAN_INTERVAL: Duration = Duration::from_secs(1);

/// Run the server (alias: server)
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    options: Options,
}

/// Runs the server until it is told to stop.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let config = args.options.load()?;
    telemetry::init(&config.log.level, config.log.format)
        .map_err(|error| ConfigError { problems: vec![format!("`log.level`: {error}")] })?;
    for message in &config.notices {
        ConfigurationNotice { message }.emit();
    }
    callers::require_callers(&config)?;
    policies::require_directory(&config.storage.directory, NO_DIRECTORY)?;

    let runtime = Runtime::new().context("cannot start the runtime")?;
    let metrics = Arc::new(Metrics::new()?);
    let log = log::open(&config, &metrics)?;
    let beside = Beside::start(&config, log.as_deref(), &metrics)?;
    #[cfg(feature = "otel")]
    let export = Export::start(&metrics, runtime.handle()).context("cannot start OpenTelemetry")?;
    let ended = runtime.block_on(serve(&config, metrics, log.clone(), &beside));
    #[cfg(feature = "otel")]
    export.into_iter().for_each(|export| export.stop(runtime.handle()));
    take_down(runtime, log.as_deref());
    beside.close();
    ended
}

/// Ends what still runs. The log goes first: closing it resolves every receipt, and a thread that waits for one on a
/// runtime that is gone would panic. After that nothing is worth waiting for.
fn take_down(runtime: Runtime, log: Option<&Log>) {
    if let Some(log) = log {
        log.close();
    }
    runtime.shutdown_timeout(Duration::ZERO);
}

async fn serve(
    config: &Config,
    metrics: Arc<Metrics>,
    log: Option<Arc<Log>>,
    beside: &Beside,
) -> anyhow::Result<Exit> {
    let mut stop = StopSignals::listen().context("cannot listen for signals")?;
    let hangup = ReloadSignal::listen().context("cannot listen for signals")?;
    let active = Arc::new(ArcSwapOption::empty());
    let writer = log.clone().map(|log| log as Arc<dyn DecisionLog>);

    if let Some(log) = &writer {
        configuration::record(config, &**log, &SystemClock).await?;
    }
    let reload = start_reload(config, &active, log.as_ref(), &metrics)?;
    let loaded = tokio::select! {
        loaded = reload.reload(Cause::Start) => loaded,
        signal = stop.next() => {
            ServerStopping { signal }.emit();
            ServerStopped { drained: true }.emit();
            return Ok(Exit::Ok);
        }
    };
    match loaded {
        ReloadOutcome::Activated { .. } | ReloadOutcome::Unchanged => {}
        ReloadOutcome::Rejected { diagnostics } => {
            print_error(&policies::report(&diagnostics));
            return Ok(Exit::Policy);
        }
        ReloadOutcome::TestsFailed { count, first } => {
            let list: String = first.iter().map(|test| format!("{test}\n")).collect();
            let count = policies::counted(count, "failed test");
            print_error(&format!("{list}{count}: mend them, or turn `reload.requireTests` off\n"));
            return Ok(Exit::Policy);
        }
        // There is no live set yet that anything could be changed of, and nobody asked for an archived one.
        ReloadOutcome::WouldChange { .. } => {
            bail!("cannot load the policies: they change recorded decisions")
        }
        ReloadOutcome::NotArchived { reason } | ReloadOutcome::Failed { reason } => {
            bail!("cannot load the policies: {reason}")
        }
    }
    let verifier = tokens::start(&config.aux_data, Arc::clone(&metrics))?;
    let quarantine = quarantine::open(config, writer.clone())?;
    let masking = masking::start(config, log.as_ref()).await?;
    let signals = Signals::start(
        config,
        SignalParts {
            log: writer.clone(),
            masking: masking.clone(),
            quarantine: quarantine.quarantines(),
            metrics: &metrics,
        },
    )?;
    let tls = tls::start(config, &metrics)?;
    let (callers, keys, _access_watch) = callers::start(config, quarantine.quarantines(), &metrics)?;
    let callers = Arc::new(callers);
    let look = {
        let tls = tls.clone();
        move || {
            tls.iter().for_each(|tls| tls.look_soon());
            keys.iter().for_each(|keys| keys.look());
        }
    };
    tokio::spawn(hangup.serve(reload.clone(), look));
    let encryption = tls.map(|tls| tls as Arc<dyn Encryption>);
    let _watch = start_watch(config, &reload)?;
    let (decisions, index) = match &log {
        Some(log) => index::start(config, log, &metrics).map(|(log, index)| (Some(log), index))?,
        None => (None, None),
    };
    let indexed = decisions.clone().filter(|_| index.is_some());
    let limit = indexed.map(|log| LagLimit { log, records: config.audit.index_max_lag });
    let (shadow, _shadow_watch) = replay::shadow(config, log.as_ref(), &metrics)?.unzip();

    let capacity = limits::capacity(&config.server.limits);
    let services = Services {
        pdp: Pdp::new(
            Arc::clone(&active),
            writer.clone(),
            Arc::new(SystemClock),
            verifier,
            config.engine.clone(),
        )
        .with_evidence(tokens::evidence(&config.aux_data))
        .with_quarantine(quarantine.quarantines())
        .with_routes(config.audit.routes.clone())
        .with_masking(masking)
        .with_facts(signals.facts(), signals::presented(&config.signals.presented)),
        callers: Arc::clone(&callers),
        decisions,
        proofs: beside.proofs(),
        health: Health::new(Arc::clone(&active), writer, reload.clone())
            .with_index(limit)
            .with_proofs(beside.proofs())
            .with_shipping(beside.shipping())
            .with_callers(callers)
            .with_signals(signals.intake())
            .with_encryption(encryption.clone()),
        reload,
        quarantine,
        signals: Some(signals.intake()),
        facts: Some(signals.office()),
        streams: Some(signals.streams()),
        shadow,
        encryption,
        metrics,
        admin: config.server.admin_api,
        limits: request_limits(&config.server),
        budget: Budget::new(&capacity),
        public_url: config.server.public_url.clone(),
    };
    let listen = &config.server.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on `{listen}`: choose another address with `--listen HOST:PORT`")
    })?;
    callers::require_callers_at(config, listener.local_addr()?)?;
    announce(config, listener.local_addr()?, active.load().as_deref());
    let (drain, draining) = oneshot::channel::<()>();
    let serving = http::serve(listener, services, capacity, async {
        // An error means that the sender is gone, which asks to stop as well.
        let _ = draining.await;
    });
    until_stopped(serving, drain, stop, config.server.shutdown_deadline).await;
    signals.stop().await;
    drop(index);
    Ok(Exit::Ok)
}

fn start_reload(
    config: &Config,
    active: &Arc<ArcSwapOption<Active>>,
    log: Option<&Arc<Log>>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<ReloadHandle> {
    let parts = ReloadParts {
        gate: log.and_then(|log| replay::gate(config, log)),
        source: Arc::new(Disk::new(&config.storage.directory)),
        archive: Arc::new(Archive::new(archive_directory(&config.server.data_dir))),
        log: log.map(|log| Arc::clone(log) as Arc<dyn DecisionLog>),
        clock: Arc::new(SystemClock),
        metrics: Arc::clone(metrics),
        timing: ReloadTiming {
            quiet: config.storage.quiet_period,
            poll: config.storage.watch.then_some(config.storage.poll_interval),
            ..ReloadTiming::default()
        },
        tests: config.reload.require_tests.then(|| config.engine.clone()),
        give_back: crate::background::give_back,
    };
    ReloadHandle::start(parts, Arc::clone(active)).context("cannot start the reload thread")
}

fn start_watch(config: &Config, reload: &ReloadHandle) -> anyhow::Result<Option<Watch>> {
    if !config.storage.watch {
        return Ok(None);
    }
    let reload = reload.clone();
    let report = move |notice| reload.notice(notice);
    let watch = Watch::start(config.storage.directory.clone(), SCAN_INTERVAL, report);
    Ok(Some(watch.context("cannot start the watch over the policies")?))
}

/// Says where everything is, in the log and for whoever started the server by hand.
fn announce(config: &Config, address: SocketAddr, active: Option<&Active>) {
    let policies = config.storage.directory.display().to_string();
    let data_dir = config.server.data_dir.display().to_string();
    ServerStarted { address, policies: &policies, data_dir: &data_dir }.emit();
    if config.callers.anonymous == Anonymous::Allow {
        OpenToNetwork { address }.emit();
    }
    if callers::shows_credentials_unencrypted(config, address) {
        CredentialsUnencrypted { address }.emit();
    }
    let files = policies::counted(active.map_or(0, |active| active.snapshot.files), "file");
    let log = if config.audit.enabled {
        log_directory(&config.server.data_dir).display().to_string()
    } else {
        "not recorded (`audit.enabled` is false)".to_owned()
    };
    let warning = if config.aux_data.disable_verification {
        "  tokens     NOT VERIFIED (`auxData.jwt.disableVerification` is true): whoever can ask can claim anything\n"
    } else {
        ""
    };
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    // The log has said the same; a full disk behind standard output is no reason not to serve.
    let _ = print(&format!(
        "procura {}\n  policies   {policies} ({files})\n  decisions  {log}\n{warning}listening on {scheme}://{address}\n",
        env!("CARGO_PKG_VERSION")
    ));
}

/// Serves until a signal asks to stop; then finishes what is in flight, at most until `deadline`.
async fn until_stopped(
    serving: impl Future<Output = ()>,
    drain: oneshot::Sender<()>,
    mut stop: StopSignals,
    deadline: Duration,
) {
    let mut serving = std::pin::pin!(serving);
    let signal = tokio::select! {
        () = &mut serving => return,
        signal = stop.next() => signal,
    };
    ServerStopping { signal }.emit();
    drop(drain);
    let drained = tokio::select! {
        ended = tokio::time::timeout(deadline, &mut serving) => ended.is_ok(),
        _ = stop.next() => false,
    };
    ServerStopped { drained }.emit();
}

#[cfg(test)]
mod tests;
