//! Application services: what the server does, without knowing HTTP or a disk.

mod access;
mod caller;
mod callers;
mod decide;
mod evidence;
mod explain;
mod health;
mod masking;
mod presented;
mod quarantine;
mod reload;
mod retrace;
mod settle;
mod shadow;
mod signals;
mod status;
mod tenants;
mod tokens;
pub mod webhooks;

pub use crate::ports::{Identity, Method};
pub use access::{Access, AccessError, AccessWatch, Action, Rights};
pub use caller::Caller;
pub use callers::{Anonymous, Callers, Found, Shown, TokenCallers, TokenIssuer, Unknown};
pub use decide::{Answer, Call, DecideError};
pub use evidence::{Distrust, EvidenceRules, KeySetEvidence, PrincipalClaims};
pub use explain::Explained;
pub use health::{Check, CheckState, Health, LagLimit, Readiness};
pub use masking::Masking;
pub use presented::{Claim, PresentedRules, Whence};
pub use quarantine::{QuarantineError, QuarantineOffice, QuarantineParts, Quarantines, WantedQuarantine};
pub use reload::{Ask, ChangeGate, Force, MaxChanged, ReloadHandle, ReloadParts, ReloadTiming};
pub use shadow::{Shadow, ShadowParts, ShadowStatus};
pub use signals::{
    Door, Heard, Intake, IntakeParts, NotHeard, Pusher, Said, SourceKind, SourceSettings, SourceStatus,
    StreamRules, StreamState,
};
pub use status::{
    Attempt, Cause, FAILED_TESTS, FewerTests, HISTORY, LiveSet, ReloadOutcome, ReloadStatus, RolledBack,
    Running,
};
pub use tokens::{TRANSACTION, Tokens};

use std::num::NonZero;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use procura_core::engine::Settings;
use procura_core::model::Timestamp;
use procura_core::policy::Snapshot;
use procura_core::record::EncodedBasis;
use tokio::sync::Semaphore;

use crate::ports::{Clock, DecisionLog, Durability, Facts, Quarantine, TokenVerifier};
use crate::telemetry::Api;

/// A snapshot together with when and as which generation it went live.
#[derive(Debug)]
pub struct Active {
    /// The compiled policy set.
    pub snapshot: Snapshot,
    /// Running number, 1 for the first set of this process.
    pub generation: u64,
    /// When it went live.
    pub since: Timestamp,
    /// How the records of its decisions say what they rest on, for each durability; written by the first of them.
    basis: [OnceLock<EncodedBasis>; Durability::ALL.len()],
}

impl Active {
    /// `snapshot`, which goes live as number `generation` at the instant `since`.
    #[must_use]
    pub fn new(snapshot: Snapshot, generation: u64, since: Timestamp) -> Self {
        Self { snapshot, generation, since, basis: Default::default() }
    }
}

/// The decision service. Cheap to share; every call reads the active snapshot exactly once.
pub struct Pdp {
    active: Arc<ArcSwapOption<Active>>,
    log: Option<Arc<dyn DecisionLog>>,
    clock: Arc<dyn Clock>,
    tokens: Arc<dyn TokenVerifier>,
    /// What is made of tokens besides their claims.
    evidence: EvidenceRules,
    /// What tokens must not rest on.
    quarantine: Arc<dyn Quarantine>,
    settings: Settings,
    /// What the calls of some APIs wait for instead of the usual.
    routes: Vec<(Api, Durability)>,
    /// What is held true, and where calls say what it could be about; `None` where no facts are kept.
    facts: Option<(Arc<dyn Facts>, PresentedRules)>,
    /// What must not stand in records.
    masking: Option<Masking>,
    /// One permit for each processor.
    large_calls: Semaphore,
}

impl Pdp {
    /// A service that decides with whatever set is in `active`; `log` is `None` if the log is turned off.
    #[must_use]
    pub fn new(
        active: Arc<ArcSwapOption<Active>>,
        log: Option<Arc<dyn DecisionLog>>,
        clock: Arc<dyn Clock>,
        tokens: Arc<dyn TokenVerifier>,
        settings: Settings,
    ) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let (routes, masking, large_calls) = (Vec::new(), None, Semaphore::new(processors));
        let (evidence, quarantine) = (EvidenceRules::default(), Arc::new(Quarantines::default()));
        let facts = None;
        Self {
            active,
            log,
            clock,
            tokens,
            evidence,
            quarantine,
            settings,
            routes,
            facts,
            masking,
            large_calls,
        }
    }

    /// The same service, which makes of tokens what `evidence` says.
    #[must_use]
    pub fn with_evidence(self, evidence: EvidenceRules) -> Self {
        Self { evidence, ..self }
    }

    /// The same service, which relies on nothing that is under `quarantine`.
    #[must_use]
    pub fn with_quarantine(self, quarantine: Arc<dyn Quarantine>) -> Self {
        Self { quarantine, ..self }
    }

    /// The same service, where calls of these APIs wait for another durability of their records than usual.
    #[must_use]
    pub fn with_routes(self, routes: Vec<(Api, Durability)>) -> Self {
        Self { routes, ..self }
    }

    /// The same service, whose decisions read `facts` about what calls present as `rules` say.
    #[must_use]
    pub fn with_facts(self, facts: Arc<dyn Facts>, rules: PresentedRules) -> Self {
        Self { facts: Some((facts, rules)), ..self }
    }

    /// The same service, which masks its records.
    #[must_use]
    pub fn with_masking(self, masking: Option<Masking>) -> Self {
        Self { masking, ..self }
    }

    /// Whether something of calls must not be kept.
    #[must_use]
    pub fn is_masking(&self) -> bool {
        self.masking.is_some()
    }
}
