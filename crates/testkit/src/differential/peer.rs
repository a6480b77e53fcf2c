//! The peer: the real Cerbos server, started on a store of samples.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use procura_samples::answer::{self, Answer};
use procura_samples::model::{Ask, Settings, Store};
use procura_samples::write;
use serde_json::{Value as Json, json};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::http::Connection;
use crate::temp_dir::TempDir;

/// How long the peer may take until it answers.
const START: Duration = Duration::from_secs(300);

/// A running peer; killed when dropped.
#[derive(Debug)]
pub struct Peer {
    connection: Connection,
    _process: Child,
    _dir: TempDir,
}

impl Peer {
    /// Starts `binary` on the policies and settings of `store`.
    pub async fn start(binary: &Path, store: &Store) -> anyhow::Result<Self> {
        let dir = TempDir::new("peer");
        for (path, text) in store.sets.iter().flat_map(|set| write::files(store, set)) {
            dir.write(&format!("policies/{path}"), text);
        }
        let address = free_address()?;
        dir.write("config.yaml", config(dir.path(), address, &store.settings).to_string());
        let log = std::fs::File::create(dir.path().join("log"))?;
        let mut process = Command::new(binary)
            .arg("server")
            .arg(format!("--config={}", dir.path().join("config.yaml").display()))
            .env("CERBOS_NO_TELEMETRY", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let began = Instant::now();
        loop {
            if let Ok(mut connection) = Connection::open(address).await
                && connection.get("/_cerbos/health").await.is_ok_and(|answer| answer.status == 200)
            {
                return Ok(Self { connection, _process: process, _dir: dir });
            }
            if process.try_wait()?.is_some() || began.elapsed() > START {
                let log = std::fs::read_to_string(dir.path().join("log"))?;
                bail!("the peer does not start:\n{log}");
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// What it answers, resource by resource.
    pub async fn check(&mut self, ask: &Ask) -> anyhow::Result<Vec<Answer>> {
        let body = write::check(ask).to_string();
        let response = self.connection.post_json("/api/check/resources", body.as_bytes()).await?;
        let text = String::from_utf8_lossy(&response.body);
        ensure!(response.status == 200, "{} {text}\n{body}", response.status);
        answer::parse(&serde_json::from_str(&text)?).map_err(anyhow::Error::msg)
    }
}

/// An address of the loopback interface where nobody else listens: until the peer does, a server of another test could
/// take a port of the usual one, and would be taken for the peer.
fn free_address() -> anyhow::Result<SocketAddr> {
    const PEERS: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);
    Ok(TcpListener::bind((PEERS, 0))?.local_addr()?)
}

fn config(dir: &Path, address: SocketAddr, settings: &Settings) -> Json {
    json!({
        "server": {
            "httpListenAddr": address.to_string(),
            "grpcListenAddr": format!("unix:{}", dir.join("grpc").display()),
        },
        "storage": {"driver": "disk", "disk": {"directory": dir.join("policies"), "watchForChanges": false}},
        "engine": {
            "defaultPolicyVersion": settings.default_version,
            "defaultScope": settings.default_scope,
            "lenientScopeSearch": settings.lenient,
            "strictEvaluation": settings.strict,
            "globals": write::attributes(&settings.globals),
        },
        "telemetry": {"disabled": true},
    })
}
