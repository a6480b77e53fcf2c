//! Readiness, computed from facts: whether a call made now would be answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::{Active, Callers, Intake, ReloadHandle};
use crate::ports::{DecisionLog, DecisionQuery, DestinationStatus, Encryption, LogProofs, Room, Shipping};

/// Knows what an answer depends on.
#[derive(Clone)]
pub struct Health {
    active: Arc<ArcSwapOption<Active>>,
    log: Option<Arc<dyn DecisionLog>>,
    proofs: Option<Arc<dyn LogProofs>>,
    reload: ReloadHandle,
    shipping: Option<Arc<dyn Shipping>>,
    index: Option<LagLimit>,
    callers: Option<Arc<Callers>>,
    encryption: Option<Arc<dyn Encryption>>,
    signals: Option<Arc<Intake>>,
}

/// How far the index of the log may be behind.
#[derive(Clone)]
pub struct LagLimit {
    /// The log with its index.
    pub log: Arc<dyn DecisionQuery>,
    /// Records that it may be behind.
    pub records: u64,
}

/// Whether the server is ready, and what that follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Whether every check that an answer depends on holds.
    pub ready: bool,
    /// Each check.
    pub checks: Vec<Check>,
}

/// One fact that readiness is computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is looked at.
    pub name: &'static str,
    /// How it stands.
    pub state: CheckState,
    /// What is known about it, for people.
    pub detail: String,
}

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    /// As it should be.
    Good,
    /// Calls are answered, but somebody should look.
    Degraded,
    /// Calls cannot be answered.
    Failed,
}

impl CheckState {
    /// The name on the health API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            CheckState::Good => "good",
            CheckState::Degraded => "degraded",
            CheckState::Failed => "failed",
        }
    }
}

impl Health {
    /// Health of a server with these parts; `log` is `None` if the log is turned off.
    #[must_use]
    pub fn new(
        active: Arc<ArcSwapOption<Active>>,
        log: Option<Arc<dyn DecisionLog>>,
        reload: ReloadHandle,
    ) -> Self {
        Self {
            active,
            log,
            proofs: None,
            shipping: None,
            reload,
            index: None,
            callers: None,
            encryption: None,
            signals: None,
        }
    }

    /// The same of a server that keeps an index of its log.
    #[must_use]
    pub fn with_index(self, index: Option<LagLimit>) -> Self {
        Self { index, ..self }
    }

    /// The same with what proves the log.
    #[must_use]
    pub fn with_proofs(self, proofs: Option<Arc<dyn LogProofs>>) -> Self {
        Self { proofs, ..self }
    }

    /// The same with what ships the records, if something does.
    #[must_use]
    pub fn with_shipping(self, shipping: Option<Arc<dyn Shipping>>) -> Self {
        Self { shipping, ..self }
    }

    /// The same with what knows callers.
    #[must_use]
    pub fn with_callers(self, callers: Arc<Callers>) -> Self {
        Self { callers: Some(callers), ..self }
    }

    /// The same of a server that encrypts its connections, if it does.
    #[must_use]
    pub fn with_encryption(self, encryption: Option<Arc<dyn Encryption>>) -> Self {
        Self { encryption, ..self }
    }

    /// The same with what takes signals.
    #[must_use]
    pub fn with_signals(self, signals: Arc<Intake>) -> Self {
        Self { signals: Some(signals), ..self }
    }

    /// The facts as they are now.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let mut checks = vec![self.policies(), self.reload(), self.decision_log()];
        checks.extend(self.decision_index());
        checks.extend(self.checkpoints());
        checks.extend(self.callers());
        checks.extend(self.shipping.as_ref().map(|shipping| shipping_check(&shipping.destinations())));
        checks.extend(self.signals());
        checks.extend(self.tls());
        Readiness { ready: checks.iter().all(|check| check.state != CheckState::Failed), checks }
    }

    fn policies(&self) -> Check {
        let (state, detail) = match self.active.load().as_deref() {
            Some(active) => {
                let (generation, revision) = (active.generation, &active.snapshot.revision);
                (CheckState::Good, format!("generation {generation}, revision {revision}"))
            }
            None => (CheckState::Failed, "no policy set has been loaded yet".to_owned()),
        };
        Check { name: "policies", state, detail }
    }

    /// A newer set that is bad, or a source that cannot be read, does not stop the set that is live.
    fn reload(&self) -> Check {
        let status = self.reload.status();
        let stale = status.why_stale();
        let down = status.watch_down.clone();
        let (state, detail) = match stale.or(down) {
            Some(reason) => (CheckState::Degraded, reason),
            None => (CheckState::Good, "the live set is that of the source".to_owned()),
        };
        Check { name: "reload", state, detail }
    }

    fn decision_log(&self) -> Check {
        let room = self.log.as_ref().and_then(|log| log.room());
        let (state, detail) = match self.log.as_ref().map(|log| log.health()) {
            None => (CheckState::Good, "turned off by configuration".to_owned()),
            Some(Ok(())) => match room {
                Some(room) if room.is_short() => {
                    let Room { free, reserved } = room;
                    let what =
                        format!("accepts records, but only {free} of {reserved} reserved bytes are left");
                    (CheckState::Degraded, format!("{what}: work that can wait is paused"))
                }
                Some(Room { free, .. }) => {
                    (CheckState::Good, format!("accepts records; {free} bytes are left"))
                }
                None => (CheckState::Good, "accepts records".to_owned()),
            },
            Some(Err(error)) => (CheckState::Failed, error.to_string()),
        };
        Check { name: "decisionLog", state, detail }
    }

    /// An index that is behind only makes queries slow.
    fn decision_index(&self) -> Option<Check> {
        let index = self.index.as_ref()?;
        let lag = index.log.unindexed();
        let state = if lag <= index.records { CheckState::Good } else { CheckState::Degraded };
        Some(Check { name: "decisionIndex", state, detail: format!("{lag} records behind") })
    }

    /// Keys and policies about callers that are not good leave those before them in use.
    fn callers(&self) -> Option<Check> {
        let (state, detail) = match self.callers.as_ref()?.trouble() {
            None => (CheckState::Good, "their keys and policies are those of the files".to_owned()),
            Some(reason) => (CheckState::Degraded, reason),
        };
        Some(Check { name: "callers", state, detail })
    }

    /// Without news of what capabilities demand to be fresh, what they are about is denied sooner or later.
    fn signals(&self) -> Option<Check> {
        let intake = self.signals.as_ref()?;
        let active = self.active.load();
        let capabilities = active.as_ref().map(|active| active.snapshot.capabilities.iter());
        let mut demanded = BTreeMap::new();
        for signal in capabilities.into_iter().flatten().flat_map(|(_, _, capability)| &capability.signals) {
            let age = Duration::from_secs(signal.max_age);
            demanded
                .entry(&*signal.kind)
                .and_modify(|least: &mut Duration| *least = age.min(*least))
                .or_insert(age);
        }
        Some(intake.readiness(&demanded))
    }

    /// Without checkpoints decisions are recorded all the same, and not proven to anybody else.
    fn checkpoints(&self) -> Option<Check> {
        let (state, detail) = match self.proofs.as_ref()?.health() {
            Ok(()) => (CheckState::Good, "are signed".to_owned()),
            Err(reason) => (CheckState::Degraded, reason),
        };
        Some(Check { name: "checkpoints", state, detail })
    }

    /// Who looks at the certificate does not connect any more when it has ended; whoever does not, does.
    fn tls(&self) -> Option<Check> {
        let (state, detail) = match self.encryption.as_ref()?.health() {
            Ok(detail) => (CheckState::Good, detail),
            Err(reason) => (CheckState::Degraded, reason),
        };
        Some(Check { name: "tls", state, detail })
    }
}

/// A destination that gets no records does not stop decisions: they wait for it in the log.
fn shipping_check(destinations: &[DestinationStatus]) -> Check {
    let is_down = destinations.iter().any(|destination| destination.outage.is_some());
    let state = if is_down { CheckState::Degraded } else { CheckState::Good };
    let describe = |destination: &DestinationStatus| {
        let DestinationStatus { name, shipped, behind, behind_for, outage, .. } = destination;
        let lag = match behind {
            0 => "nothing waits".to_owned(),
            _ => format!("{behind} records wait, the oldest for {} s", behind_for.as_secs()),
        };
        let outage = outage.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("`{name}` is at record {shipped}, {lag}{outage}")
    };
    let detail = destinations.iter().map(describe).collect::<Vec<_>>().join("; ");
    Check { name: "shipping", state, detail }
}
