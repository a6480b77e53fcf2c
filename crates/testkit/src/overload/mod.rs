//! Trial: a real server that is asked for three times what its limits allow, and a caller that floods it beside one that
//! does not.
//!
//! Every answer that is no refusal is compared with what the core alone decides. Callers are told apart by addresses of
//! loopback.

mod calls;
mod load;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use procura::audit::{DirFiles, verify};
use tokio::time::sleep;

use self::calls::{Call, POLICY, calls};
use self::load::{Load, Tally, run as offer};
use crate::http::Connection;
use crate::rng::Rng;
use crate::server::{Server, ServerSpec};
use crate::temp_dir::TempDir;

/// The callers; the first is the one that suffers or does not, the last the one that floods.
const CALLERS: [u8; 4] = [11, 12, 13, 14];

/// How often the health of the server is asked for.
const HEALTH: Duration = Duration::from_millis(100);

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The server.
    pub binary: &'a Path,
    /// For how long, all rounds together.
    pub time: Duration,
    /// How often everything is done.
    pub rounds: u32,
    /// Calls in a second that the limits allow one caller.
    pub rate: u32,
    /// Names the whole trial.
    pub seed: u64,
}

/// What came of it. Times are in milliseconds; those of rounds are medians.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Calls that were answered, each rightly.
    pub accepted: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// 99 of 100 calls were answered within this at half of what the limits allow.
    pub half: f64,
    /// At three times as much.
    pub triple: f64,
    /// The same of one caller that is alone.
    pub alone: f64,
    /// Beside one that floods the server.
    pub beside: f64,
    /// Within this 99 of 100 questions for health were answered.
    pub health: f64,
    /// Most memory of the server, in MiB, after the first round and in the end.
    pub memory: (u64, u64),
    /// Records in the log, which verifies.
    pub records: u64,
}

/// The figures of one round.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    half: f64,
    triple: f64,
    alone: f64,
    beside: f64,
}

/// Runs `trial`. An error means a wrong answer, no answer, or a log that does not verify.
pub async fn run(trial: Trial<'_>, mut progress: impl FnMut(u32, &Outcome)) -> anyhow::Result<Outcome> {
    let dir = TempDir::new("overload");
    dir.write("policies/album.yaml", POLICY);
    let data = dir.path().join("data");
    let spec = ServerSpec::new(trial.binary, dir.path().join("policies"), &data)
        .arg(format!("--set=server.limits.requestsPerSecond={}", trial.rate))
        .arg("--set=server.limits.burst=5");
    let mut server = spec.start().await?;
    let calls = Arc::new(calls(&mut Rng::new(trial.seed))?);
    let (stop, health) = watch_health(server.address());
    let mut outcome = Outcome::default();
    let mut rounds = Vec::new();
    for number in 0..trial.rounds {
        rounds.push(round(trial, server.address(), &calls, &mut outcome).await?);
        let memory = peak_memory(&server)?;
        outcome.memory.1 = memory;
        // Caches and buffers are full after half of it; what still grows then grows for ever.
        if number == trial.rounds / 2 {
            outcome.memory.0 = memory;
        }
        let median = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
        outcome.half = median(|round| round.half);
        outcome.triple = median(|round| round.triple);
        outcome.alone = median(|round| round.alone);
        outcome.beside = median(|round| round.beside);
        progress(number + 1, &outcome);
    }
    stop.store(true, Ordering::Relaxed);
    outcome.health = health.await??.p99();
    server.signal("TERM").await?;
    ensure!(server.wait().await?.success(), "the server did not stop well:\n{}", server.output());
    let verified = verify(&DirFiles::open(&data.join("log"))?, |_, _| ())?;
    outcome.records = verified.kinds.get("decision").copied().unwrap_or_default();
    ensure!(outcome.records >= outcome.accepted, "answered calls are missing in the log: {outcome:?}");
    Ok(outcome)
}

/// Half of what the limits allow, three times as much, one caller alone, and the same beside a flood.
async fn round(
    trial: Trial<'_>,
    address: SocketAddr,
    calls: &Arc<Vec<Call>>,
    outcome: &mut Outcome,
) -> anyhow::Result<Round> {
    let time = trial.time / trial.rounds / 4;
    let load = |caller, factor: f64| Load { caller, rate: f64::from(trial.rate) * factor, time };
    let all = |factor| CALLERS.map(|caller| load(caller, factor));
    let flood = f64::from(u32::try_from(CALLERS.len())?) * 3.0;
    let [guest, .., flooder] = CALLERS;
    let mut figures = Vec::new();
    for loads in [&all(0.5)[..], &all(3.0), &[load(guest, 0.5)], &[load(guest, 0.5), load(flooder, flood)]] {
        let tallies = offer(address, calls, loads).await?;
        let whole = tallies.iter().cloned().fold(Tally::default(), Tally::and);
        outcome.accepted += whole.accepted.len() as u64;
        outcome.refused += whole.refused;
        // Of the last two, only the caller that does not flood is looked at.
        let seen = if figures.len() < 2 { whole } else { tallies.into_iter().next().context("no load")? };
        figures.push(seen.p99());
    }
    let [half, triple, alone, beside] = figures[..] else { bail!("not all loads were run") };
    Ok(Round { half, triple, alone, beside })
}

/// Asks for the health of the server until it is told to stop.
fn watch_health(address: SocketAddr) -> (Arc<AtomicBool>, tokio::task::JoinHandle<anyhow::Result<Tally>>) {
    let stop = Arc::new(AtomicBool::new(false));
    let asking = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            let mut tally = Tally::default();
            let mut connection = Connection::open(address).await?;
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let response = connection.get("/healthz").await?;
                ensure!(response.status == 200, "`/healthz` answers {}", response.status);
                tally.accepted.push(begun.elapsed().as_secs_f64());
                sleep(HEALTH).await;
            }
            Ok(tally)
        }
    });
    (stop, asking)
}

/// Most memory that the server has had, in MiB.
fn peak_memory(server: &Server) -> anyhow::Result<u64> {
    let pid = server.pid().context("the server has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no figure of memory")?;
    let kib: u64 = line.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(kib / 1024)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

impl Outcome {
    /// What the trial asks for: accepted calls at three times the load within five times of those at half, and one
    /// caller's flood within twice of another's time.
    pub fn judge(&self) -> anyhow::Result<()> {
        ensure!(self.triple <= 5.0 * self.half, "p99 rose more than five times: {self}");
        ensure!(self.beside <= 2.0 * self.alone, "a flood more than doubled another's p99: {self}");
        let (first, last) = self.memory;
        ensure!(last <= first + first / 4, "memory grew from {first} to {last} MiB");
        Ok(())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.memory;
        write!(
            f,
            "{} calls answered rightly, {} refused; p99 {:.1} ms at half load, {:.1} ms of those accepted at three times \
             the capacity; one caller alone {:.1} ms, beside a flood {:.1} ms; /healthz {:.1} ms; memory at most \
             {first} MiB after half of the rounds, {last} in the end; {} records, verified",
            self.accepted,
            self.refused,
            self.half,
            self.triple,
            self.alone,
            self.beside,
            self.health,
            self.records
        )
    }
}
