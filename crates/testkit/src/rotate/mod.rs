//! Trial: certificates, authorities, keys of tokens and API keys are exchanged again and again while callers ask, and no
//! request of a caller that is up to date may fail.

mod certificates;
mod crowd;
mod keys;
mod tokens;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::task::JoinSet;

use crate::callers;
use crate::certificates::{Authority, Leaf, TlsClient};
use crate::http::Connection;
use crate::rng::Rng;
use crate::server::{Server, ServerSpec};
use crate::temp_dir::TempDir;
use crowd::{Shared, Shown, Wanted};
use tokens::Issuer;

/// How long the server may take to notice a change, and callers to follow one.
const PATIENCE: Duration = Duration::from_secs(30);

const POLICY: &str = "\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules:
    - actions: [view]
      roles: [user]
      effect: EFFECT_ALLOW
";

/// How the trial is run.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The `procura` binary.
    pub binary: PathBuf,
    /// At least how long; every kind of exchange is made at least once.
    pub duration: Duration,
    /// Callers that ask all the time; at least three: by turns they show a certificate, a token and an API key.
    pub callers: usize,
    /// Repeats the choices of the trial.
    pub seed: u64,
}

/// What the trial saw.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Requests that were answered as they should.
    pub answers: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Exchanges, by kind.
    pub exchanges: BTreeMap<&'static str, u64>,
    /// Attempts of callers with what is not good any more, all of which were refused.
    pub refused: u64,
}

/// One kind of exchange.
const KINDS: [&str; 7] = [
    "server certificate",
    "bad server certificate",
    "server authority",
    "client certificates",
    "client authority",
    "signing key of tokens",
    "API keys",
];

/// Runs the trial; an error names the request that failed.
pub async fn run(rotation: &Rotation, mut progress: impl FnMut(&Outcome)) -> anyhow::Result<Outcome> {
    ensure!(rotation.callers >= 3, "it takes three callers: one for each kind of credential");
    let mut rng = Rng::new(rotation.seed);
    let mut site = Site::start(rotation).await?;
    let began = Instant::now();
    let mut outcome = Outcome::default();
    for number in 0.. {
        let kind = KINDS.get(number).copied().unwrap_or_else(|| KINDS[rng.below(KINDS.len())]);
        site.exchange(kind, &mut rng).await.with_context(|| format!("exchange {number}, {kind}"))?;
        *outcome.exchanges.entry(kind).or_default() += 1;
        outcome.answers = site.shared.answers.load(Ordering::Relaxed);
        outcome.connections = site.shared.connections.load(Ordering::Relaxed);
        outcome.refused = site.refused;
        progress(&outcome);
        if number + 1 >= KINDS.len() && began.elapsed() >= rotation.duration {
            break;
        }
    }
    site.stop().await?;
    Ok(outcome)
}

/// The server, its files, and its callers.
struct Site {
    files: TempDir,
    server: Server,
    house: Authority,
    clients: Authority,
    /// Serial numbers that the authority of clients has revoked.
    revoked: Vec<u64>,
    issuer: Issuer,
    /// Everything the callers need to know.
    shared: Arc<Shared>,
    running: JoinSet<()>,
    refused: u64,
}

impl Site {
    async fn start(rotation: &Rotation) -> anyhow::Result<Self> {
        let files = TempDir::new("rotate");
        let (house, clients) = (Authority::new("house"), Authority::new("clients"));
        let issuer = Issuer::open().await;
        files.write("policies/album.yaml", POLICY);
        certificates::put(&files, &house.issue(&Leaf::server()));
        files.write("clients.pem", clients.pem());
        files.write("clients.crl", clients.revoke(&[], 3600));
        let mut crowd = Vec::new();
        for number in 0..rotation.callers {
            let shown = match number % 3 {
                0 => certificates::shown(&clients, number),
                1 => issuer.shown(number),
                _ => keys::shown(&files.path().join(keys::FILE), number)?,
            };
            crowd.push(Wanted::new(&house.pem(), shown));
        }
        let at = |name: &str| files.path().join(name).display().to_string();
        let spec =
            ServerSpec::new(&rotation.binary, files.path().join("policies"), files.path().join("data"))
                .arg(format!("--set=server.tls.cert={}", at("server.pem")))
                .arg(format!("--set=server.tls.key={}", at("server.key")))
                .arg(format!("--set=server.tls.caCert={}", at("clients.pem")))
                .arg(format!("--set=server.tls.crl={}", at("clients.crl")))
                .arg("--set=server.tls.clientAuth=optional")
                .arg("--set=server.tls.watchInterval=100ms")
                .arg("--set=callers.certificates=[{match: '**', roles: [decide, batch, metrics]}]")
                .arg(callers::believed(issuer.source()))
                .arg(format!("--set=callers.keys.file={}", at(keys::FILE)));
        let server = spec.start().await?;
        let shared = Arc::new(Shared::new(server.address(), crowd));
        let mut running = JoinSet::new();
        for number in 0..rotation.callers {
            let rng = Rng::new(rotation.seed.wrapping_mul(31).wrapping_add(number as u64));
            running.spawn(crowd::call(number, Arc::clone(&shared), rng));
        }
        Ok(Self { files, server, house, clients, revoked: Vec::new(), issuer, shared, running, refused: 0 })
    }

    async fn exchange(&mut self, kind: &str, rng: &mut Rng) -> anyhow::Result<()> {
        match kind {
            "server certificate" => self.server_certificate(rng).await,
            "bad server certificate" => self.bad_server_certificate().await,
            "server authority" => self.server_authority().await,
            "client certificates" => self.client_certificates().await,
            "client authority" => self.client_authority().await,
            "signing key of tokens" => self.signing_key().await,
            _ => self.api_keys().await,
        }?;
        // Some requests with what is new, before the next exchange.
        let answers = self.shared.answers.load(Ordering::Relaxed);
        let callers = self.shared.followed.len() as u64;
        self.until("callers go on", async |site| {
            Ok(site.shared.answers.load(Ordering::Relaxed) >= answers + 2 * callers)
        })
        .await
    }

    /// Gives every caller what `renewed` says, by its number, in place of what it shows. Returns those that have got
    /// something, as they were.
    async fn hand_out(
        &self,
        mut renewed: impl FnMut(usize, &Shown) -> Option<Shown>,
    ) -> anyhow::Result<Vec<Wanted>> {
        let house = self.house.pem();
        let (mut new, mut given) = (self.shared.wanted().1.clone(), Vec::new());
        for (number, wanted) in new.iter_mut().enumerate() {
            if let Some(shown) = renewed(number, &wanted.shown) {
                given.push(std::mem::replace(wanted, Wanted::new(&house, shown)));
            }
        }
        self.want(new).await?;
        Ok(given)
    }

    /// Lets callers speak so, and waits until all do.
    async fn want(&self, new: Vec<Wanted>) -> anyhow::Result<()> {
        let number = {
            let mut wanted = self.shared.wanted();
            *wanted = (wanted.0 + 1, new);
            wanted.0
        };
        self.until("callers follow", async |site| {
            Ok(site.shared.followed.iter().all(|followed| followed.load(Ordering::SeqCst) >= number))
        })
        .await
    }

    /// Waits until a caller that shows `shown` is served, or is not, on a connection that stands.
    async fn until_served(&self, shown: &Shown, served: bool) -> anyhow::Result<()> {
        let client = TlsClient::new(&self.house.pem(), None);
        let mut connection = Connection::open_tls(self.shared.address, &client).await?;
        let (what, status) =
            if served { ("what is new is believed", 200) } else { ("what is old is refused", 401) };
        self.until(what, async |_| Ok(crowd::status(&mut connection, shown).await? == status)).await
    }

    /// Callers with what is not good any more get nothing.
    async fn are_refused(&mut self, old: &[Wanted]) -> anyhow::Result<()> {
        for wanted in old {
            let answered = crowd::ask_once(self.shared.address, wanted).await;
            ensure!(answered.is_err(), "a caller is served whose credential is not good any more");
            self.refused += 1;
        }
        Ok(())
    }

    async fn until(
        &self,
        what: &str,
        mut holds: impl AsyncFnMut(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        while !holds(self).await? {
            if let Some(fault) = self.shared.fault() {
                bail!("a request of a caller that is up to date failed: {fault}");
            }
            ensure!(began.elapsed() < PATIENCE, "not in time: {what}\n{}", self.server.output());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        self.shared.stop.store(true, Ordering::SeqCst);
        while self.running.join_next().await.is_some() {}
        let fault = self.shared.fault();
        ensure!(fault.is_none(), "a request of a caller that is up to date failed: {fault:?}");
        self.server.kill().await
    }
}
