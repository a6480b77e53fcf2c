//! The HTTP edge over real connections: policies on disk, a real router, a real log in a directory of its own.

mod ask;
mod audit_log;
mod bad_input;
mod changes;
mod connections;
mod crowd;
mod deprecated;
mod facts;
mod heads;
mod hostile;
mod large_calls;
mod openapi;
mod quarantine;
mod shares;
mod standing;
mod surfaces;
mod tenants;
mod tls;
mod traces;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use procura::audit::{DirFiles, Log, LogSettings};
use procura::http::{self, Budget, Capacity, RequestLimits, Services};
use procura::pap::{Archive, Disk};
use procura::pdp::webhooks::FactOffice;
use procura::pdp::{
    Access, Anonymous, Call, Caller, Callers, Cause, Health, Pdp, PresentedRules, QuarantineOffice,
    QuarantineParts, ReloadHandle, ReloadOutcome, ReloadParts, ReloadTiming, Tokens,
};
use procura::pip::{TokenSettings, Verifier};
use procura::ports::{Clock, DecisionLog, Encryption, Facts};
use procura::quarantine::QuarantineFile;
use procura::telemetry::{Api, Metrics};
use procura_core::engine::Settings;
use procura_core::model::{Item, Principal, Request, Resource};
use procura_testkit::clock::SteppingClock;
use procura_testkit::http::Connection;
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const ALBUM_POLICY: &str = r#"
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules:
    - name: owner-may-all
      actions: ["*"]
      effect: EFFECT_ALLOW
      roles: [user]
      condition:
        match:
          expr: R.attr.owner == P.id
      output:
        when:
          ruleActivated: "'granted to ' + P.id"
    - name: public-view
      actions: [view]
      effect: EFFECT_ALLOW
      roles: [user]
      condition:
        match:
          expr: R.attr.public == true
    - name: from-home
      actions: [share]
      effect: EFFECT_ALLOW
      roles: [user]
      condition:
        match:
          expr: request.context.place == "home"
"#;

/// A server in this process, on a free port of loopback; its directory goes when it does.
struct TestServer {
    address: SocketAddr,
    directory: TempDir,
    log: Arc<Log>,
    quarantine: Arc<QuarantineOffice>,
    office: Arc<FactOffice>,
    /// Decides as the server does, with its policies and its log.
    pdp: Pdp,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

/// How a server begins.
struct Setup {
    limits: RequestLimits,
    capacity: Capacity,
    /// Whether the policies are loaded before the first request.
    loaded: bool,
    encryption: Option<Arc<dyn Encryption>>,
    /// Whose tokens are believed.
    tokens: TokenSettings,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: RequestLimits::default(),
            capacity: Capacity::default(),
            loaded: true,
            encryption: None,
            tokens: TokenSettings::default(),
        }
    }
}

impl TestServer {
    async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    async fn with_limits(limits: RequestLimits) -> Self {
        Self::with(Setup { limits, ..Setup::default() }).await
    }

    async fn with(setup: Setup) -> Self {
        let directory = TempDir::new("http");
        directory.write("policies/album.yaml", ALBUM_POLICY);
        let (services, log, pdp) = services(&directory, &setup).await;
        let quarantine = Arc::clone(&services.quarantine);
        let office = Arc::clone(services.facts.as_ref().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let served = tokio::spawn(http::serve(listener, services, setup.capacity, shutdown));
        Self { address, directory, log, quarantine, office, pdp, stop: Some(stop), served }
    }

    /// Lets `caller` ask whether alice may view albums in these scopes; the id of the call.
    async fn decide(&self, caller: &Caller, scopes: &[&'static str]) -> String {
        let principal =
            Principal { id: "alice".into(), roles: ["user".into()].into(), ..Principal::default() };
        let resource = |scope: &&'static str| Resource {
            kind: "album".into(),
            id: "a1".into(),
            scope: (*scope).into(),
            ..Resource::default()
        };
        let item = |scope| Item { resource: resource(scope), actions: ["view".into()].into() };
        let items = scopes.iter().map(item).collect();
        let request = Request { principal, items, ..Request::default() };
        let (api, request_id, tokens) = (Api::CheckResources, "".into(), Tokens::default());
        let call = &mut Call { api, request_id, request, tokens, trace: None };
        self.pdp.decide(caller, call).await.unwrap().call_id
    }

    async fn connect(&self) -> Connection {
        Connection::open(self.address).await.unwrap()
    }
}

async fn services(directory: &TempDir, setup: &Setup) -> (Services, Arc<Log>, Pdp) {
    let active = Arc::new(ArcSwapOption::empty());
    let clock: Arc<dyn Clock> = Arc::new(SteppingClock::default());
    let metrics = Arc::new(Metrics::new().unwrap());
    let files = Arc::new(DirFiles::open(&directory.path().join("log")).unwrap());
    let (log, _) =
        Log::open(files, &LogSettings::default(), Arc::clone(&clock), Arc::clone(&metrics)).unwrap();
    let writer: Arc<dyn DecisionLog> = log.clone();
    let parts = ReloadParts {
        source: Arc::new(Disk::new(directory.path().join("policies"))),
        archive: Arc::new(Archive::new(directory.path().join("archive"))),
        log: Some(Arc::clone(&writer)),
        clock: Arc::clone(&clock),
        metrics: Arc::clone(&metrics),
        timing: ReloadTiming { poll: None, ..ReloadTiming::default() },
        tests: None,
        gate: None,
        give_back: || {},
    };
    let reload = ReloadHandle::start(parts, Arc::clone(&active)).unwrap();
    if setup.loaded {
        let outcome = reload.reload(Cause::Start).await;
        assert!(matches!(outcome, ReloadOutcome::Activated { .. }), "{outcome:?}");
    }
    let settings = Settings::default();
    let verifier = Verifier::start(&setup.tokens, Arc::clone(&clock), Arc::clone(&metrics)).unwrap();
    let access = Arc::new(Access::shipped().unwrap());
    let callers =
        Callers::new(access, Anonymous::Local, Arc::new(SteppingClock::default()), Arc::clone(&metrics));
    let store = Arc::new(QuarantineFile::of(directory.path()));
    let quarantine = QuarantineParts { store, log: Some(Arc::clone(&writer)), clock: Arc::clone(&clock) };
    let quarantine = QuarantineOffice::open(quarantine).unwrap();
    let callers = callers.with_quarantine(quarantine.quarantines());
    let verifier = Arc::new(verifier);
    let office = Arc::new(facts::office(directory, Arc::clone(&writer), &clock, &metrics));
    let pdp = || {
        let (active, writer, clock) = (Arc::clone(&active), Arc::clone(&writer), Arc::clone(&clock));
        let held: Arc<dyn Facts> = Arc::clone(office.intake().facts()) as _;
        let pdp = Pdp::new(active, Some(writer), clock, verifier.clone(), settings.clone());
        pdp.with_facts(held, PresentedRules::default())
    };
    let beside = pdp();
    let services = Services {
        callers: Arc::new(callers),
        pdp: pdp(),
        decisions: Some(log.clone()),
        proofs: None,
        health: Health::new(active, Some(writer), reload.clone()).with_encryption(setup.encryption.clone()),
        reload,
        quarantine: Arc::new(quarantine),
        signals: Some(Arc::clone(office.intake())),
        facts: Some(office),
        streams: None,
        shadow: None,
        encryption: setup.encryption.clone(),
        metrics,
        limits: setup.limits,
        budget: Budget::new(&setup.capacity),
        admin: true,
        public_url: None,
    };
    (services, log, beside)
}

const CHECK: &str = "/api/check/resources";
const EVALUATION: &str = "/access/v1/evaluation";

/// A request of the check API that is as it should be.
fn good_check() -> Value {
    json!({
        "requestId": "r-1",
        "principal": {"id": "alice", "roles": ["user"], "attr": {"team": "red"}},
        "resources": [{
            "actions": ["view", "delete"],
            "resource": {"kind": "album", "id": "a1", "attr": {"owner": "alice", "public": false}},
        }],
    })
}

/// A request of AuthZEN that is as it should be.
fn good_evaluation() -> Value {
    json!({
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "view"},
        "resource": {"type": "album", "id": "a1", "properties": {"owner": "alice"}},
    })
}

/// `value` with the member at JSON pointer `at` set to `to`.
fn with(mut value: Value, at: &str, to: Value) -> Value {
    let (parent, member) = at.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap_or_else(|| panic!("{at} has no place in the request")) {
        Value::Object(members) => {
            members.insert(member.to_owned(), to);
        }
        Value::Array(entries) => entries[member.parse::<usize>().unwrap()] = to,
        _ => panic!("{at} is within a scalar"),
    }
    value
}
