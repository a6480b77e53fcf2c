//! Signals and facts, from the configuration to what takes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::SignedDuration;
use procura_core::policy::Glob;
use procura_core::signal::{Entitlement, Ttl};
use tokio::task::JoinHandle;

use super::connections;
use super::secret::Configured;
use super::webhooks;
use crate::audit::DirFiles;
use crate::cli::clock::SystemClock;
use crate::cli::tokens;
use crate::config::{self, Config, PresentedSource};
use crate::facts::{Limits, Store};
use crate::pdp::webhooks::{FactOffice, OPERATOR};
use crate::pdp::{
    Claim, Door, Intake, IntakeParts, Masking, PresentedRules, SourceKind, SourceSettings, StreamRules,
    Whence,
};
use crate::ports::{Clock, DecisionLog, FactStore, Facts, Quarantine, Secret, SetIntake, StreamControl};
use crate::streams::Streams;
use crate::telemetry::Metrics;

/// Signals that operators may send in a second.
const OPERATOR_RATE: u32 = 1000;

/// How long the last acknowledgements may take at the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// What takes signals, and what keeps facts.
pub(super) struct Signals {
    store: Arc<Store>,
    intake: Arc<Intake>,
    streams: Arc<Streams>,
    office: Arc<FactOffice>,
    looking: JoinHandle<()>,
}

/// What signals need of the rest of the server.
pub(super) struct SignalParts<'a> {
    /// Where they are recorded.
    pub(super) log: Option<Arc<dyn DecisionLog>>,
    /// What must not stand there.
    pub(super) masking: Option<Masking>,
    /// What signatures must not rest on.
    pub(super) quarantine: Arc<dyn Quarantine>,
    /// What is counted.
    pub(super) metrics: &'a Arc<Metrics>,
}

impl Signals {
    /// Reads the facts that are kept, and connects to the transmitters, on the current runtime. It waits for none of them.
    pub(super) fn start(config: &Config, parts: SignalParts<'_>) -> anyhow::Result<Self> {
        let store = Arc::new(open(config)?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let verifier = tokens::start_for_streams(&config.signals.streams, Arc::clone(parts.metrics))?;
        let taking = IntakeParts {
            store: Arc::clone(&store) as Arc<dyn FactStore>,
            verifier,
            quarantine: parts.quarantine,
            log: parts.log,
            masking: parts.masking,
            clock: Arc::clone(&clock),
            metrics: Arc::clone(parts.metrics),
        };
        let doors = doors(&config.signals.streams)?;
        let intake = Arc::new(Intake::new(taking, sources(&config.signals)?).with_doors(doors));
        let webhooks = webhooks::webhooks(&config.signals.webhooks)?;
        let taker = Arc::clone(&intake) as Arc<dyn SetIntake>;
        let streams = connections::start(config, &taker, &clock)?;
        let office = Arc::new(FactOffice::new(Arc::clone(&intake), clock, webhooks));
        let looking = intake.look_after();
        Ok(Self { store, intake, streams: Arc::new(streams), office, looking })
    }

    /// What takes signals.
    pub(super) fn intake(&self) -> Arc<Intake> {
        Arc::clone(&self.intake)
    }

    /// What shows and states facts.
    pub(super) fn office(&self) -> Arc<FactOffice> {
        Arc::clone(&self.office)
    }

    /// What asks transmitters.
    pub(super) fn streams(&self) -> Arc<dyn StreamControl> {
        Arc::clone(&self.streams) as Arc<dyn StreamControl>
    }

    /// The facts.
    pub(super) fn facts(&self) -> Arc<dyn Facts> {
        Arc::clone(&self.store) as Arc<dyn Facts>
    }

    /// Ends, once nobody calls any more: what is taken is acknowledged, what was counted is recorded.
    pub(super) async fn stop(&self) {
        self.streams.stop(PATIENCE).await;
        self.looking.abort();
        self.intake.close();
        let store = Arc::clone(&self.store);
        // An error means that the runtime is going down, and the store with it.
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
    }
}

/// What calls present.
pub(super) fn presented(rules: &config::PresentedRules) -> PresentedRules {
    let whence = |source: &PresentedSource| match source {
        PresentedSource::Claim { token, claim } => {
            Whence::Claim(Claim { token: token.clone(), path: claim.clone() })
        }
        PresentedSource::Attribute(name) => Whence::Attribute(name.clone()),
    };
    let claim = |source: &PresentedSource| match whence(source) {
        Whence::Claim(claim) => Some(claim),
        Whence::Attribute(_) => None,
    };
    let all = |sources: &[PresentedSource]| sources.iter().map(whence).collect();
    PresentedRules {
        session: all(&rules.session),
        device: all(&rules.device),
        groups: all(&rules.groups),
        application: all(&rules.application),
        began: rules.began.iter().filter_map(claim).collect(),
        methods: rules.methods.iter().filter_map(claim).collect(),
    }
}

/// Where facts are within the data directory.
fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join("facts")
}

fn open(config: &Config) -> anyhow::Result<Store> {
    let files = Arc::new(DirFiles::open(&directory(&config.server.data_dir))?);
    let limits = Limits { facts: config.signals.max_facts, ..Limits::default() };
    Store::open(files, limits).context("cannot read the facts that are kept")
}

fn doors(streams: &[config::Stream]) -> anyhow::Result<BTreeMap<String, Door>> {
    let pushed = streams.iter().filter_map(|stream| Some((&stream.name, stream.push.as_ref()?)));
    let door = |(name, push): (&String, &config::Push)| {
        let secret = push.authorization.as_ref().map(Configured::start).transpose();
        let secret = secret.with_context(|| format!("`push.authorization` of the stream `{name}`"))?;
        let secret = secret.map(|secret| Arc::new(secret) as Arc<dyn Secret>);
        Ok((name.clone(), Door { secret, caller: push.caller.clone() }))
    };
    pushed.map(door).collect()
}

fn sources(signals: &config::Signals) -> anyhow::Result<Vec<SourceSettings>> {
    let streams = signals.streams.iter().map(stream);
    let webhooks = signals.webhooks.iter().map(webhook);
    streams.chain(webhooks).chain([Ok(operator())]).collect()
}

fn stream(stream: &config::Stream) -> anyhow::Result<SourceSettings> {
    let lasts = |(name, ttl): (&String, &Duration)| {
        Ok(Ttl { names: Glob::parse(name)?, lasts: SignedDuration::try_from(*ttl)? })
    };
    Ok(SourceSettings {
        name: stream.name.clone(),
        kind: SourceKind::Stream(StreamRules {
            issuer: stream.issuer.clone(),
            audiences: stream.audiences.clone(),
            subjects: stream.subjects.clone(),
            ttl: stream.ttl.iter().map(lasts).collect::<anyhow::Result<_>>()?,
            scim_drafts: stream.scim_drafts,
        }),
        entitlement: entitlement(stream)?,
        max_rate: stream.max_rate,
        max_silence: stream.max_silence,
    })
}

/// What `stream` may state.
pub(super) fn entitlement(stream: &config::Stream) -> anyhow::Result<Entitlement> {
    let names = stream.facts.as_deref().map(globs).transpose()?;
    Ok(Entitlement { names, kinds: None, tenants: stream.tenants.clone() })
}

fn webhook(webhook: &config::Webhook) -> anyhow::Result<SourceSettings> {
    Ok(SourceSettings {
        name: webhook.name.clone(),
        kind: SourceKind::Webhook,
        entitlement: Entitlement {
            names: Some(globs(&webhook.states)?),
            kinds: Some(webhook.kinds.clone()),
            tenants: webhook.tenants.clone(),
        },
        max_rate: webhook.max_rate,
        max_silence: None,
    })
}

fn operator() -> SourceSettings {
    SourceSettings {
        name: OPERATOR.to_owned(),
        kind: SourceKind::Operator,
        entitlement: Entitlement::default(),
        max_rate: OPERATOR_RATE,
        max_silence: None,
    }
}

fn globs(patterns: &[String]) -> anyhow::Result<Vec<Glob>> {
    patterns.iter().map(|pattern| Ok(Glob::parse(pattern)?)).collect()
}
