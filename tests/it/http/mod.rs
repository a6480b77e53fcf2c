//! The HTTP edge over real connections: policies on disk, a real router, a real log in a directory of its own.

mod bad_input;
mod connections;
mod hostile;
mod surfaces;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use procura::http::{self, RequestLimits, Services};
use procura::pap::{Archive, Disk};
use procura::pdp::{Cause, Health, Pdp, ReloadHandle, ReloadOutcome, ReloadParts, ReloadTiming};
use procura::ports::Clock;
use procura::telemetry::Metrics;
use procura_core::engine::{OnError, Settings};
use procura_core::model::Timestamp;
use procura_testkit::http::Connection;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

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
    directory: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl TestServer {
    async fn start() -> Self {
        Self::with_limits(RequestLimits::default()).await
    }

    async fn with_limits(limits: RequestLimits) -> Self {
        let directory = std::env::temp_dir().join(format!("procura-http-{}", uuid::Uuid::now_v7()));
        let policies = directory.join("policies");
        fs::create_dir_all(&policies).unwrap();
        fs::write(policies.join("album.yaml"), ALBUM_POLICY).unwrap();
        let services = services(&directory, limits).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let served = tokio::spawn(http::serve(listener, http::router(services), shutdown));
        Self {
            address,
            directory,
            stop: Some(stop),
            served,
        }
    }

    async fn connect(&self) -> Connection {
        Connection::open(self.address).await.unwrap()
    }

    fn policies(&self) -> PathBuf {
        self.directory.join("policies")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

async fn services(directory: &std::path::Path, limits: RequestLimits) -> Services {
    let active = Arc::new(ArcSwapOption::empty());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let metrics = Arc::new(Metrics::new().unwrap());
    let parts = ReloadParts {
        source: Arc::new(Disk::new(directory.join("policies"))),
        archive: Arc::new(Archive::new(directory.join("archive"))),
        log: None,
        clock: Arc::clone(&clock),
        metrics: Arc::clone(&metrics),
        timing: ReloadTiming::default(),
    };
    let reload = ReloadHandle::start(parts, Arc::clone(&active)).unwrap();
    let outcome = reload.reload(Cause::Start).await;
    assert!(matches!(outcome, ReloadOutcome::Activated { .. }), "{outcome:?}");
    let settings = Settings {
        default_policy_version: "default".into(),
        on_error: OnError::Closed,
    };
    Services {
        pdp: Pdp::new(Arc::clone(&active), None, clock, settings),
        decisions: None,
        health: Health::new(active, None, reload.clone()),
        reload,
        metrics,
        limits,
        public_url: None,
    }
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
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
    match value
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("{at} has no place in the request"))
    {
        Value::Object(members) => {
            members.insert(member.to_owned(), to);
        }
        Value::Array(entries) => entries[member.parse::<usize>().unwrap()] = to,
        _ => panic!("{at} is within a scalar"),
    }
    value
}
