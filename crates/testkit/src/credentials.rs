//! What it costs the server to know who asks: CPU for one request, by the credential that callers show.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;

use crate::callers;
use crate::certificates::{Authority, Leaf, TlsClient};
use crate::issuer::{SigningKey, jwks};
use crate::load::{Load, Taken};
use crate::server::{Server, ServerSpec};
use crate::temp_dir::TempDir;

/// How the comparison is made.
#[derive(Clone, Debug)]
pub struct Comparison<'a> {
    /// The `procura` binary.
    pub binary: &'a Path,
    /// Directory of policies.
    pub policies: &'a Path,
    /// File with the body of one request a line.
    pub bodies: &'a Path,
    /// The CPUs of the server, as `taskset` takes them; `None` for all.
    pub server_cpus: Option<&'a str>,
    /// Rounds, in each of which every credential has its turn.
    pub rounds: usize,
    /// How long a turn takes.
    pub turn: Duration,
    /// Connections that are kept.
    pub connections: usize,
}

/// What one kind of credential costs.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The credential.
    pub name: &'static str,
    /// User and system time of the server for one request in each round, in microseconds.
    pub cpu: Vec<f64>,
    /// The same over that of plain text without credentials in the same round.
    pub ratios: Vec<f64>,
    /// What share of its CPU the server used in each round.
    pub busy: Vec<f64>,
    /// Median latency in the last round.
    pub latency: Duration,
}

/// A server and how it is asked.
struct Kind {
    name: &'static str,
    server: Server,
    load: Load,
}

/// What callers show, and how.
#[derive(Clone, Copy)]
enum Shown {
    Nothing,
    NothingOverTls,
    Certificate,
    Token,
    Key,
}

/// What is compared; the first is what the others are compared with.
const KINDS: [(&str, Shown); 5] = [
    ("none, plain text", Shown::Nothing),
    ("none, TLS", Shown::NothingOverTls),
    ("client certificate, TLS", Shown::Certificate),
    ("token, plain text", Shown::Token),
    ("API key, plain text", Shown::Key),
];

/// Measures each kind in turn.
pub async fn compare(
    comparison: &Comparison<'_>,
    mut progress: impl FnMut(&str),
) -> anyhow::Result<Vec<Cost>> {
    let files = TempDir::new("credentials");
    let mut kinds = Vec::new();
    for (name, shown) in KINDS {
        kinds.push(Kind::start(name, shown, comparison, &files).await.context(name)?);
    }
    let mut costs: Vec<Cost> = kinds.iter().map(|kind| Cost::of(kind.name)).collect();
    for kind in &kinds {
        Load { duration: Duration::from_secs(1), ..kind.load.clone() }.run().await.context(kind.name)?;
    }
    for round in 0..comparison.rounds {
        let mut turns: Vec<usize> = (0..kinds.len()).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for turn in turns {
            let (taken, cpu) = kinds[turn].turn().await.with_context(|| kinds[turn].name)?;
            let requests = taken.latencies.len() as f64;
            costs[turn].cpu.push(cpu * 1e6 / requests);
            costs[turn].busy.push(cpu / comparison.turn.as_secs_f64());
            costs[turn].latency = taken.percentile(50);
            progress(&format!("round {} of {}: {}", round + 1, comparison.rounds, kinds[turn].name));
        }
    }
    let plain = costs[0].cpu.clone();
    for cost in &mut costs {
        cost.ratios = cost.cpu.iter().zip(&plain).map(|(cpu, plain)| cpu / plain).collect();
    }
    Ok(costs)
}

/// How a server is told to know its callers, and how these speak to it.
#[derive(Default)]
struct Arrangement {
    args: Vec<String>,
    tls: Option<TlsClient>,
    headers: String,
}

impl Shown {
    /// The arrangement for callers that show this, with its files below `files`.
    fn arrange(self, files: &Path) -> anyhow::Result<Arrangement> {
        fs::create_dir_all(files)?;
        match self {
            Self::Nothing => Ok(Arrangement::default()),
            Self::NothingOverTls => encrypted(files, false),
            Self::Certificate => encrypted(files, true),
            Self::Token => {
                let (file, key) = (files.join("jwks.json"), SigningKey::generate("ES256", "load"));
                fs::write(&file, jwks(&[key.jwk()]))?;
                let args = vec![callers::believed(("local", json!({"file": file})))];
                let headers = format!("authorization: Bearer {}\r\n", callers::token(&key, "load"));
                Ok(Arrangement { args, tls: None, headers })
            }
            Self::Key => {
                let file = files.join("keys.yaml");
                let key = callers::add_key(&file, "load")?;
                let args = vec![format!("--set=callers.keys.file={}", file.display())];
                Ok(Arrangement { args, tls: None, headers: format!("x-api-key: {}\r\n", key.text) })
            }
        }
    }
}

/// The arrangement for callers that speak TLS, and show a certificate if they are `known`.
fn encrypted(files: &Path, known: bool) -> anyhow::Result<Arrangement> {
    let authority = Authority::new("authority");
    let server = authority.issue(&Leaf::server());
    let setting = |name: &str, file: &str, text: String| -> anyhow::Result<String> {
        fs::write(files.join(file), text)?;
        Ok(format!("--set=server.tls.{name}={}", files.join(file).display()))
    };
    let mut args =
        vec![setting("cert", "server.pem", server.certificate)?, setting("key", "server.key", server.key)?];
    if known {
        args.push(setting("caCert", "clients.pem", authority.pem())?);
        args.push("--set=server.tls.clientAuth=required".to_owned());
        args.push("--set=callers.certificates=[{match: '**', roles: [decide, batch]}]".to_owned());
    }
    let shown = known.then(|| authority.issue(&Leaf::workload("spiffe://acme.org/ns/prod/load")));
    let tls = Some(TlsClient::new(&authority.pem(), shown.as_ref()));
    Ok(Arrangement { args, tls, headers: String::new() })
}

impl Kind {
    /// A server of its own for callers that show `shown`.
    async fn start(
        name: &'static str,
        shown: Shown,
        comparison: &Comparison<'_>,
        files: &TempDir,
    ) -> anyhow::Result<Self> {
        let files = files.path().join(name);
        let Arrangement { args, tls, headers } = shown.arrange(&files)?;
        let mut spec = ServerSpec::new(comparison.binary, comparison.policies, files.join("data"))
            .arg("--set=audit.enabled=false")
            .arg("--set=engine.onError=cerbos")
            .arg("--set=storage.disk.watchForChanges=false");
        spec.cpus = comparison.server_cpus.map(str::to_owned);
        spec.args.extend(args);
        let server = spec.start().await?;
        let text = fs::read_to_string(comparison.bodies).context("cannot read the bodies")?;
        let bodies: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
        ensure!(!bodies.is_empty(), "there are no bodies");
        let load = Load {
            address: server.address(),
            tls,
            headers,
            path: "/api/check/resources",
            bodies: Arc::new(bodies),
            connections: comparison.connections,
            duration: comparison.turn,
        };
        Ok(Self { name, server, load })
    }

    /// One turn: what was answered, and the seconds of CPU that this took the server.
    async fn turn(&self) -> anyhow::Result<(Taken, f64)> {
        let before = self.server.cpu_seconds()?;
        let taken = self.load.run().await?;
        Ok((taken, self.server.cpu_seconds()? - before))
    }
}

impl Cost {
    fn of(name: &'static str) -> Self {
        Self { name, cpu: Vec::new(), ratios: Vec::new(), busy: Vec::new(), latency: Duration::ZERO }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, cpu, ratios, busy, latency } = self;
        write!(
            f,
            "{name:24} {:6.1} µs of CPU, {:.2} times plain text, {:3.0} % of the CPU used, median latency {:.2} ms",
            median(cpu),
            median(ratios),
            median(busy) * 100.0,
            latency.as_secs_f64() * 1e3
        )
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
