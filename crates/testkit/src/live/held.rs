//! What many facts cost a server: CPU of a decision beside that of a server which holds none, its start, and its memory.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::{CHECK, POLICY, question};
use crate::load::Load;
use crate::server::{Server, ServerSpec};
use crate::signals::held::{fill, principal};
use crate::temp_dir::TempDir;

/// How many principals are asked about in turn.
const ASKED: usize = 5000;

/// Connections that are kept.
const CONNECTIONS: usize = 32;

/// How long each kind of question is asked before anything counts.
const WARM_UP: Duration = Duration::from_secs(1);

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The server.
    pub binary: &'a Path,
    /// How many facts.
    pub facts: usize,
    /// Rounds, in each of which every kind of question has its turn.
    pub rounds: usize,
    /// How long a turn takes.
    pub turn: Duration,
    /// Whether the decision log is off.
    pub bare: bool,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many facts were held.
    pub facts: usize,
    /// From the start of the process until it listens, without facts and with them.
    pub starts: [Duration; 2],
    /// Bytes of memory at that moment, without facts and with them.
    pub resident: [u64; 2],
    /// Microseconds of CPU for one decision in each round: nothing is held; facts are held about others; facts are held
    /// about who asks.
    pub cpu: [Vec<f64>; 3],
}

impl Outcome {
    /// How many times as much CPU a decision takes as when nothing is held, the median of all rounds: about somebody of whom
    /// nothing is known, and about somebody of whom something is.
    #[must_use]
    pub fn ratios(&self) -> [f64; 2] {
        let [none, others, known] = &self.cpu;
        let ratio = |with: &Vec<f64>| median(with.iter().zip(none).map(|(with, none)| with / none).collect());
        [ratio(others), ratio(known)]
    }

    /// Bytes of memory that a fact takes.
    #[must_use]
    pub fn bytes_each(&self) -> u64 {
        let [empty, full] = self.resident;
        full.saturating_sub(empty) / self.facts.max(1) as u64
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [empty, full] = self.starts.map(|start| start.as_secs_f64());
        let [none, others, known] = self.cpu.clone().map(median);
        let ratios = self.ratios();
        writeln!(f, "{} facts, {} bytes of memory each", self.facts, self.bytes_each())?;
        writeln!(f, "start: {empty:.2} s without them, {full:.2} s with them")?;
        writeln!(f, "CPU of a decision: {none:.1} us while nothing is held")?;
        writeln!(f, "  {others:.1} us about who has no facts, {:.3} times", ratios[0])?;
        write!(f, "  {known:.1} us about who has one, {:.3} times", ratios[1])
    }
}

/// Fills a data directory, starts a server on it and one on an empty one, and asks both by turns.
///
/// # Errors
/// If a server does not hold what it should, or does not decide.
pub async fn run(trial: Trial<'_>, mut progress: impl FnMut(&str)) -> anyhow::Result<Outcome> {
    let dir = TempDir::new("live-held");
    dir.write("policies/door.yaml", POLICY);
    let place = dir.path().join("full/facts");
    let facts = trial.facts;
    tokio::task::block_in_place(|| fill(&place, facts, &mut progress))
        .context("cannot fill the directory")?;
    let (empty, start) = start(&trial, &dir, "empty", 0).await?;
    let (full, start_full) = self::start(&trial, &dir, "full", facts).await?;
    let mut outcome = Outcome {
        facts,
        starts: [start, start_full],
        resident: [empty.resident()?, full.resident()?],
        ..Outcome::default()
    };
    let step = (facts / ASKED).max(1);
    let strangers: Vec<usize> = (facts..facts + ASKED).collect();
    let known: Vec<usize> = (0..facts).step_by(step).take(ASKED).collect();
    let kinds = [(&empty, &strangers), (&full, &strangers), (&full, &known)];
    let loads = kinds.map(|(server, who)| load(server, who, trial.turn));
    for load in &loads {
        Load { duration: WARM_UP, ..load.clone() }.run().await?;
    }
    for round in 0..trial.rounds {
        for turn in 0..kinds.len() {
            let kind = if round % 2 == 0 { turn } else { kinds.len() - 1 - turn };
            let before = kinds[kind].0.cpu_seconds()?;
            let taken = loads[kind].run().await?;
            let used = kinds[kind].0.cpu_seconds()? - before;
            outcome.cpu[kind].push(used * 1e6 / taken.latencies.len().max(1) as f64);
        }
        progress(&format!("round {} of {}", round + 1, trial.rounds));
    }
    Ok(outcome)
}

/// A server on the data directory `name`, which holds so many facts, and how long its start took.
async fn start(
    trial: &Trial<'_>,
    dir: &TempDir,
    name: &str,
    facts: usize,
) -> anyhow::Result<(Server, Duration)> {
    let spec = ServerSpec::new(trial.binary, dir.path().join("policies"), dir.path().join(name))
        .arg(format!("--set=audit.enabled={}", !trial.bare))
        .arg(format!("--set=signals.maxFacts={}", trial.facts + 1));
    let begun = Instant::now();
    let server = spec.start().await?;
    let took = begun.elapsed();
    let shown = server.connect().await?.get("/metrics").await?;
    let text = String::from_utf8(shown.body)?;
    let line = format!("procura_facts {facts}");
    ensure!(text.lines().any(|shown| shown == line), "no metric `{line}`");
    Ok((server, took))
}

/// Questions about the principals of these numbers.
fn load(server: &Server, who: &[usize], turn: Duration) -> Load {
    Load {
        address: server.address(),
        tls: None,
        headers: String::new(),
        path: CHECK,
        bodies: Arc::new(who.iter().map(|number| question(&principal(*number), "s-1")).collect()),
        connections: CONNECTIONS,
        duration: turn,
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
