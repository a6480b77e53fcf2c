//! Trial: certificates, authorities and credentials are exchanged again and again while callers ask, and no request of a
//! caller that is up to date may fail.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::task::JoinSet;

use crate::certificates::{Authority, Credential, Leaf, TlsClient};
use crate::http::Connection;
use crate::rng::Rng;
use crate::server::{Server, ServerSpec};
use crate::temp_dir::TempDir;

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

const REQUEST: &[u8] = br#"{"requestId": "rotate", "principal": {"id": "ada", "roles": ["user"]},
  "resources": [{"actions": ["view"], "resource": {"kind": "album", "id": "1"}}]}"#;

/// How the trial is run.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The `procura` binary.
    pub binary: PathBuf,
    /// At least how long; every kind of exchange is made at least once.
    pub duration: Duration,
    /// Callers that ask all the time.
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
const KINDS: [&str; 5] = [
    "server certificate",
    "bad server certificate",
    "server authority",
    "client certificates",
    "client authority",
];

/// Runs the trial; an error names the request that failed.
pub async fn run(rotation: &Rotation, mut progress: impl FnMut(&Outcome)) -> anyhow::Result<Outcome> {
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
    /// Everything the callers need to know.
    shared: Arc<Shared>,
    running: JoinSet<()>,
    refused: u64,
}

/// What callers and trial have in common.
struct Shared {
    address: std::net::SocketAddr,
    /// How each caller is to speak, by its number, and the running number of that.
    wanted: Mutex<(u64, Vec<Wanted>)>,
    /// The running number that each caller has followed.
    followed: Vec<AtomicU64>,
    stop: AtomicBool,
    answers: AtomicU64,
    connections: AtomicU64,
    fault: Mutex<Option<String>>,
}

#[derive(Clone)]
struct Wanted {
    client: TlsClient,
    credential: Credential,
}

impl Site {
    async fn start(rotation: &Rotation) -> anyhow::Result<Self> {
        let files = TempDir::new("rotate");
        let (house, clients) = (Authority::new("house"), Authority::new("clients"));
        files.write("policies/album.yaml", POLICY);
        put(&files, &house.issue(&Leaf::server()));
        files.write("clients.pem", clients.pem());
        files.write("clients.crl", clients.revoke(&[], 3600));
        let at = |name: &str| files.path().join(name).display().to_string();
        let spec =
            ServerSpec::new(&rotation.binary, files.path().join("policies"), files.path().join("data"))
                .arg(format!("--set=server.tls.cert={}", at("server.pem")))
                .arg(format!("--set=server.tls.key={}", at("server.key")))
                .arg(format!("--set=server.tls.caCert={}", at("clients.pem")))
                .arg(format!("--set=server.tls.crl={}", at("clients.crl")))
                .arg("--set=server.tls.clientAuth=required")
                .arg("--set=server.tls.watchInterval=100ms")
                .arg("--set=callers.certificates=[{match: '**', roles: [decide, batch, metrics]}]");
        let server = spec.start().await?;
        let wanted = (0..rotation.callers).map(|number| wanted(&house.pem(), &clients, number)).collect();
        let shared = Arc::new(Shared {
            address: server.address(),
            wanted: Mutex::new((0, wanted)),
            followed: (0..rotation.callers).map(|_| AtomicU64::new(0)).collect(),
            stop: AtomicBool::new(false),
            answers: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            fault: Mutex::new(None),
        });
        let mut running = JoinSet::new();
        for number in 0..rotation.callers {
            let rng = Rng::new(rotation.seed.wrapping_mul(31).wrapping_add(number as u64));
            running.spawn(call(number, Arc::clone(&shared), rng));
        }
        Ok(Self { files, server, house, clients, revoked: Vec::new(), shared, running, refused: 0 })
    }

    async fn exchange(&mut self, kind: &str, rng: &mut Rng) -> anyhow::Result<()> {
        match kind {
            "server certificate" => self.server_certificate(rng).await,
            "bad server certificate" => self.bad_server_certificate().await,
            "server authority" => self.server_authority().await,
            "client certificates" => self.client_certificates().await,
            _ => self.client_authority().await,
        }?;
        // Some requests with what is new, before the next exchange.
        let answers = self.shared.answers.load(Ordering::Relaxed);
        let callers = self.shared.followed.len() as u64;
        self.until("callers go on", async |site| {
            Ok(site.shared.answers.load(Ordering::Relaxed) >= answers + 2 * callers)
        })
        .await
    }

    /// The server renews its certificate under the same authority; the key may be there first, or the certificate.
    async fn server_certificate(&mut self, rng: &mut Rng) -> anyhow::Result<()> {
        let before = self.reloads("succeeded").await?;
        let new = self.house.issue(&Leaf::server());
        if rng.chance(50) {
            self.files.write("server.key", &new.key);
            self.files.write("server.pem", &new.certificate);
        } else {
            put(&self.files, &new);
        }
        self.reloaded("succeeded", before).await
    }

    /// A key comes that belongs to nothing, and later the right one.
    async fn bad_server_certificate(&mut self) -> anyhow::Result<()> {
        let (failed, succeeded) = (self.reloads("failed").await?, self.reloads("succeeded").await?);
        let new = self.house.issue(&Leaf::server());
        self.files.write("server.key", &new.key);
        self.reloaded("failed", failed).await?;
        self.files.write("server.pem", &new.certificate);
        self.reloaded("succeeded", succeeded).await
    }

    /// The server gets a certificate of another authority, which callers believe beforehand.
    async fn server_authority(&mut self) -> anyhow::Result<()> {
        let new = Authority::new("house");
        self.tell(&(self.house.pem() + &new.pem())).await?;
        let before = self.reloads("succeeded").await?;
        put(&self.files, &new.issue(&Leaf::server()));
        self.reloaded("succeeded", before).await?;
        self.house = new;
        self.tell(&self.house.pem()).await
    }

    /// Callers get new certificates, then the old ones are revoked.
    async fn client_certificates(&mut self) -> anyhow::Result<()> {
        let old = self.hand_out(&self.clients, &self.house.pem()).await?;
        self.revoked.extend(old.iter().map(|old| old.credential.serial));
        let before = self.reloads("succeeded").await?;
        self.files.write("clients.crl", self.clients.revoke(&self.revoked, 3600));
        self.reloaded("succeeded", before).await?;
        self.are_refused(&old).await
    }

    /// Callers get certificates of another authority, which the server believes beforehand, and the old one not any more.
    async fn client_authority(&mut self) -> anyhow::Result<()> {
        // Revocation lists are found by the name of their authority.
        let name = format!("clients of {}", self.shared.wanted().0);
        let new = Authority::new(&name);
        let before = self.reloads("succeeded").await?;
        let lists = self.clients.revoke(&self.revoked, 3600) + &new.revoke(&[], 3600);
        self.files.write("clients.crl", lists);
        self.files.write("clients.pem", self.clients.pem() + &new.pem());
        // The files may go live one after the other.
        self.reloaded("succeeded", before).await?;
        let probe = wanted(&self.house.pem(), &new, 0);
        self.until("both are believed", async |site| {
            Ok(ask_once(site.shared.address, &probe.client).await.is_ok())
        })
        .await?;
        let old = self.hand_out(&new, &self.house.pem()).await?;
        self.files.write("clients.pem", new.pem());
        self.until("the old one is not believed", async |site| {
            let old = old.first().context("there are no callers")?;
            Ok(ask_once(site.shared.address, &old.client).await.is_err())
        })
        .await?;
        self.files.write("clients.crl", new.revoke(&[], 3600));
        (self.clients, self.revoked) = (new, Vec::new());
        self.are_refused(&old).await
    }

    /// Gives every caller a certificate of `authority`; returns what they had.
    async fn hand_out(&self, authority: &Authority, house: &str) -> anyhow::Result<Vec<Wanted>> {
        let callers = self.shared.followed.len();
        let new = (0..callers).map(|number| wanted(house, authority, number)).collect();
        self.want(new).await
    }

    /// Lets every caller believe servers of these authorities.
    async fn tell(&self, house: &str) -> anyhow::Result<()> {
        let again = |wanted: &Wanted| {
            let credential = wanted.credential.clone();
            Wanted { client: TlsClient::new(house, Some(&credential)), credential }
        };
        let new = self.shared.wanted().1.iter().map(again).collect();
        self.want(new).await.map(|_| ())
    }

    /// Lets callers speak so, and waits until all do.
    async fn want(&self, new: Vec<Wanted>) -> anyhow::Result<Vec<Wanted>> {
        let (number, old) = {
            let mut wanted = self.shared.wanted();
            wanted.0 += 1;
            (wanted.0, std::mem::replace(&mut wanted.1, new))
        };
        self.until("callers follow", async |site| {
            Ok(site.shared.followed.iter().all(|followed| followed.load(Ordering::SeqCst) >= number))
        })
        .await?;
        Ok(old)
    }

    /// Callers with what is not good any more get nothing.
    async fn are_refused(&mut self, old: &[Wanted]) -> anyhow::Result<()> {
        for wanted in old {
            let answered = ask_once(self.shared.address, &wanted.client).await;
            ensure!(answered.is_err(), "a caller is served whose certificate is not good any more");
            self.refused += 1;
        }
        Ok(())
    }

    /// Waits until the server has reloaded once more than `before` times.
    async fn reloaded(&self, outcome: &str, before: u64) -> anyhow::Result<()> {
        self.until(outcome, async |site| Ok(site.reloads(outcome).await? > before)).await
    }

    /// How often the server has reloaded its certificates with this outcome.
    async fn reloads(&self, outcome: &str) -> anyhow::Result<u64> {
        let client = self.shared.wanted().1.first().context("there are no callers")?.client.clone();
        let metrics = Connection::open_tls(self.shared.address, &client).await?.get("/metrics").await?;
        let name = format!("procura_tls_reloads_total{{outcome=\"{outcome}\"}} ");
        let text = String::from_utf8(metrics.body)?;
        let count = text.lines().find_map(|line| line.strip_prefix(&name)).context("no such metric")?;
        Ok(count.parse()?)
    }

    async fn until(
        &self,
        what: &str,
        mut holds: impl AsyncFnMut(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        while !holds(self).await? {
            if let Some(fault) = self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
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
        let fault = self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        ensure!(fault.is_none(), "a request of a caller that is up to date failed: {fault:?}");
        self.server.kill().await
    }
}

impl Shared {
    fn wanted(&self) -> std::sync::MutexGuard<'_, (u64, Vec<Wanted>)> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put(files: &TempDir, credential: &Credential) {
    files.write("server.pem", &credential.certificate);
    files.write("server.key", &credential.key);
}

fn wanted(house: &str, clients: &Authority, number: usize) -> Wanted {
    let credential = clients.issue(&Leaf::workload(&format!("spiffe://acme.org/callers/{number}")));
    Wanted { client: TlsClient::new(house, Some(&credential)), credential }
}

/// One caller: asks over a connection for a while, then over another, and follows what it is told.
async fn call(number: usize, shared: Arc<Shared>, mut rng: Rng) {
    while !shared.stop.load(Ordering::SeqCst) {
        let (epoch, client) = {
            let wanted = shared.wanted();
            (wanted.0, wanted.1[number].client.clone())
        };
        let requests = 1 + rng.below(60);
        if let Err(error) = converse(number, &shared, epoch, &client, requests).await {
            let mut fault = shared.fault.lock().unwrap_or_else(PoisonError::into_inner);
            fault.get_or_insert_with(|| format!("caller {number}: {error:#}"));
            return;
        }
    }
}

async fn converse(
    number: usize,
    shared: &Shared,
    epoch: u64,
    client: &TlsClient,
    requests: usize,
) -> anyhow::Result<()> {
    let mut connection = Connection::open_tls(shared.address, client).await?;
    shared.connections.fetch_add(1, Ordering::Relaxed);
    // From here on nothing older is shown by this caller.
    shared.followed[number].store(epoch, Ordering::SeqCst);
    for _ in 0..requests {
        ask(&mut connection).await?;
        shared.answers.fetch_add(1, Ordering::Relaxed);
        if shared.wanted().0 != epoch || shared.stop.load(Ordering::SeqCst) {
            break;
        }
    }
    Ok(())
}

async fn ask_once(address: std::net::SocketAddr, client: &TlsClient) -> anyhow::Result<()> {
    ask(&mut Connection::open_tls(address, client).await?).await
}

async fn ask(connection: &mut Connection) -> anyhow::Result<()> {
    let answer = connection.post_json("/api/check/resources", REQUEST).await?;
    ensure!(answer.status == 200, "status {}", answer.status);
    let effect = &answer.json()?["results"][0]["actions"]["view"];
    ensure!(effect == "EFFECT_ALLOW", "the answer is {effect}");
    Ok(())
}
