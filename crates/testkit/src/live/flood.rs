//! Forged signals at full speed beside normal load: decisions do not notice, and the log grows by a few records.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;
use tokio::task::JoinSet;

use super::{CHECK, House, may_open, push, question};
use crate::http::Connection;

/// Times of peace and flood take turns, so that whatever else the machine does weighs on both.
const ROUNDS: u32 = 10;

/// The time of peace of a round, as a part of its flood.
const PEACE: u32 = 5;

/// How long what was sent in the flood may still be on its way.
const EBB: Duration = Duration::from_millis(250);

/// Pause between two questions of the normal load.
const PAUSE: Duration = Duration::from_millis(2);

/// How long refusals are counted until that is recorded.
const WINDOW: Duration = Duration::from_secs(60);

/// Refusals of a window that are recorded one by one.
const ALONE: usize = 10;

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The server.
    pub binary: &'a Path,
    /// How long there is flood, all rounds together; the times of peace come on top.
    pub time: Duration,
    /// Connections that forge.
    pub forgers: usize,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Times of decisions in peace, sorted.
    pub peace: Vec<Duration>,
    /// The same in the flood.
    pub flood: Vec<Duration>,
    /// Forged signals that were refused for what they are.
    pub refused: u64,
    /// Forged signals that nobody looked at, because there were too many.
    pub shed: u64,
    /// Records of refusals one by one.
    pub alone: usize,
    /// Records that count refusals.
    pub counting: usize,
    /// How many refusals the records tell of, together.
    pub told: u64,
    /// Bytes of these records.
    pub bytes: usize,
}

impl Outcome {
    /// How many times as long decisions take in the flood, at the 99th percentile.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        p99(&self.flood).as_secs_f64() / p99(&self.peace).as_secs_f64().max(1e-9)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refused, shed, alone, counting, told, bytes, .. } = self;
        let (peace, flood) = (p99(&self.peace).as_micros(), p99(&self.flood).as_micros());
        writeln!(f, "{refused} forged signals refused, {shed} not even looked at")?;
        writeln!(
            f,
            "records of them: {alone} alone, {counting} counting, {bytes} bytes, which tell of {told}"
        )?;
        write!(f, "p99 of decisions: {peace} us in peace, {flood} us in the flood: {:.2} times", self.ratio())
    }
}

/// Asks for decisions at a steady rate, in peace and beside forged signals by turns, and tells how many rounds are done.
///
/// # Errors
/// If a forged signal is taken or changes a decision, a good signal of the same time is never taken, or a decision is refused.
pub async fn run(trial: Trial<'_>, mut so_far: impl FnMut(u32, u32)) -> anyhow::Result<Outcome> {
    let house = House::open(trial.binary, |stream| stream["maxRate"] = json!(200), &[]).await?;
    let begun = Instant::now();
    let mut outcome = Outcome::default();
    // Signed by a key that the transmitter does not have, under the name of one that it has.
    let forged = forge(&house);
    let counts = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
    for round in 0..ROUNDS {
        so_far(round, ROUNDS);
        tokio::time::sleep(EBB).await;
        outcome.peace.extend(steady(&house, trial.time / ROUNDS / PEACE).await?);
        let ended = Arc::new(AtomicBool::new(false));
        let mut forgers = JoinSet::new();
        for _ in 0..trial.forgers {
            let connection = house.server.connect().await?;
            forgers.spawn(flood(connection, forged.clone(), Arc::clone(&counts), Arc::clone(&ended)));
        }
        outcome.flood.extend(steady(&house, trial.time / ROUNDS).await?);
        ended.store(true, Ordering::SeqCst);
        while let Some(ended) = forgers.join_next().await {
            ended??;
        }
    }
    outcome.peace.sort_unstable();
    outcome.flood.sort_unstable();
    outcome.refused = counts.0.load(Ordering::SeqCst);
    outcome.shed = counts.1.load(Ordering::SeqCst);
    let lasted = begun.elapsed();
    let mut connection = house.server.connect().await?;
    ensure!(may_open(&mut connection, "alice", "s-1").await?, "a forged signal changed a decision");
    ensure!(house.records("signal").await?.is_empty(), "a forged signal was taken");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let good = push(&mut connection, &house.revoked("alice", "s-1")).await?;
    ensure!(good.status == 202, "a good signal after the flood: {}", good.status);
    for record in house.records("signals_refused").await? {
        outcome.bytes += record.to_string().len();
        outcome.told +=
            record["refused"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum::<u64>();
        match record.get("reason") {
            Some(_) => outcome.alone += 1,
            None => outcome.counting += 1,
        }
    }
    outcome.check(trial.time, lasted)?;
    Ok(outcome)
}

impl Outcome {
    /// There are as few records of the flood as its windows allow, and they tell of no more than there was. A window begins
    /// with the first refusal after the one before; what the last one counted is not recorded yet.
    fn check(&self, flooded: Duration, lasted: Duration) -> anyhow::Result<()> {
        let windows = |time: Duration| usize::try_from(time.as_secs() / WINDOW.as_secs());
        let (least, most) = (windows(flooded)?.saturating_sub(1), windows(lasted)? + 1);
        ensure!(self.alone <= ALONE * most, "too many records alone in {most} windows: {self}");
        ensure!(
            (least..=most).contains(&self.counting),
            "not one counting record in each of {least} to {most} windows: {self}"
        );
        ensure!(self.told <= self.refused + self.shed, "the records tell of more than there was: {self}");
        Ok(())
    }
}

fn forge(house: &House) -> String {
    let good = house.revoked("alice", "s-1");
    let (signed, signature) = good.rsplit_once('.').unwrap_or_default();
    let other: String = signature.chars().rev().collect();
    format!("{signed}.{other}")
}

async fn flood(
    mut connection: Connection,
    forged: String,
    counts: Arc<(AtomicU64, AtomicU64)>,
    ended: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    while !ended.load(Ordering::SeqCst) {
        match push(&mut connection, &forged).await?.status {
            400 => counts.0.fetch_add(1, Ordering::SeqCst),
            429 => counts.1.fetch_add(1, Ordering::SeqCst),
            other => anyhow::bail!("a forged signal is answered with {other}"),
        };
    }
    Ok(())
}

/// The times of decisions that are asked for at a steady rate. One that has to wait for the answer to the one before
/// has waited since it was due.
async fn steady(house: &House, time: Duration) -> anyhow::Result<Vec<Duration>> {
    let mut connection = house.server.connect().await?;
    let body = question("bob", "s-9");
    let mut due = Instant::now();
    let end = due + time;
    let mut times = Vec::new();
    while due < end {
        let is_late = Instant::now() > due;
        if !is_late {
            tokio::time::sleep_until(due.into()).await;
        }
        // A timer wakes late: that is not the time of the server.
        let begun = if is_late { due } else { Instant::now() };
        let answer = connection.post_json(CHECK, &body).await?;
        times.push(begun.elapsed());
        ensure!(answer.status == 200, "a decision is answered with {}", answer.status);
        due += PAUSE;
    }
    Ok(times)
}

fn p99(sorted: &[Duration]) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * 99 / 100).copied().unwrap_or_default()
}
