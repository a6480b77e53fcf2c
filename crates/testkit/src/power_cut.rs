//! Trial: the decision log on a disk that loses power again and again. Nothing that was acknowledged may be missing
//! afterwards.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use procura::audit::{Log, LogReader, LogSettings, Retention, verify};
use procura::ports::{Clock, DecisionLog, DecisionQuery, Durability, LogError, LogFiles};
use procura::telemetry::Metrics;
use procura_core::model::Effect;

use crate::calls::MadeUpCall;
use crate::clock::SteppingClock;
use crate::rng::Rng;
use crate::sim_disk::SimDisk;

/// How many callers write at once.
const CALLERS: u64 = 4;

/// How many records each caller tries to write per life.
const RECORDS: usize = 30;

/// What came of some rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many power cuts there were.
    pub cuts: u64,
    /// How many records were acknowledged.
    pub acknowledged: u64,
    /// How many of them could not be found afterwards.
    pub missing: u64,
    /// How often a start found a torn end and cut it.
    pub repaired: u64,
    /// How many acknowledged records retention had deleted.
    pub deleted: u64,
    /// How many compressed segments there were in the end.
    pub compressed: u64,
}

/// Plays rounds until `outcome.cuts` reaches `cuts`. An error means that a log did not open or did not verify, and
/// names the seed of its round.
pub fn run(
    cuts: u64,
    seed: u64,
    durability: Durability,
    mut progress: impl FnMut(&Outcome),
) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut seeds = Rng::new(seed);
    let mut outcome = Outcome::default();
    while outcome.cuts < cuts {
        let seed = seeds.next();
        let mut round = Round::new(seed, durability)?;
        runtime.block_on(round.play(&mut outcome)).with_context(|| format!("in the round of seed {seed}"))?;
        progress(&outcome);
    }
    Ok(outcome)
}

/// One log and its lives.
struct Round {
    rng: Rng,
    disk: SimDisk,
    settings: LogSettings,
    clock: Arc<SteppingClock>,
    metrics: Arc<Metrics>,
    /// Id and encoded record of what was acknowledged.
    acknowledged: Vec<(String, Vec<u8>)>,
}

impl Round {
    fn new(seed: u64, durability: Durability) -> anyhow::Result<Self> {
        let mut rng = Rng::new(seed);
        let settings = LogSettings {
            durability,
            deadline: Duration::from_secs(60),
            segment_bytes: 4096 << rng.below(4),
            segment_age: Some(Duration::from_millis(20)).filter(|_| rng.below(3) == 0),
            compress: rng.below(4) > 0,
            retention: Retention {
                bytes: Some(2000 << rng.below(5)).filter(|_| rng.below(2) == 0),
                ..Retention::default()
            },
            ..LogSettings::default()
        };
        Ok(Self {
            disk: SimDisk::new(rng.next()),
            rng,
            settings,
            clock: Arc::default(),
            metrics: Arc::new(Metrics::new()?),
            acknowledged: Vec::new(),
        })
    }

    async fn play(&mut self, outcome: &mut Outcome) -> anyhow::Result<()> {
        let before = outcome.acknowledged;
        for _ in 0..=self.rng.below(3) {
            let range = if self.rng.below(4) == 0 { 8 } else { 150 };
            self.disk.cut_after(1 + self.rng.below(range) as u64);
            self.live(outcome).await?;
            self.disk = self.disk.reboot();
            outcome.cuts += 1;
        }
        outcome.acknowledged = before + self.acknowledged.len() as u64;
        outcome.missing += self.missing(outcome).await?;
        Ok(())
    }

    /// One life: open, write from several callers until the power goes.
    async fn live(&mut self, outcome: &mut Outcome) -> anyhow::Result<()> {
        let opened = Log::open(self.files(), &self.settings, self.clock.clone(), self.metrics.clone());
        let (log, report) = match opened {
            Ok(opened) => opened,
            Err(_) if self.disk.is_off() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        outcome.repaired += u64::from(report.repair.is_some());
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..CALLERS {
            callers.spawn(call(log.clone(), self.clock.clone(), caller, self.rng.below(3000)));
        }
        while let Some(acknowledged) = callers.join_next().await {
            self.acknowledged.extend(acknowledged?);
        }
        log.close();
        Ok(())
    }

    /// Opens the log once more, in peace, and looks for everything that was acknowledged.
    async fn missing(&self, outcome: &mut Outcome) -> anyhow::Result<u64> {
        let (log, report) =
            Log::open(self.files(), &self.settings, self.clock.clone(), self.metrics.clone())?;
        outcome.repaired += u64::from(report.repair.is_some());
        let later = call(log.clone(), self.clock.clone(), CALLERS, 100).await;
        ensure!(later.len() == RECORDS, "the log does not accept records after the repair");
        log.close();
        verify(&self.disk, |_, _| ())?;
        let reader = LogReader::open(self.files())?;
        let mut missing = 0;
        let deletes = self.settings.retention.bytes.is_some();
        for (id, payload) in self.acknowledged.iter().chain(&later) {
            match reader.get(id) {
                Ok(found) => missing += u64::from(found.is_none_or(|found| found.payload != *payload)),
                Err(LogError::Deleted { .. }) if deletes => outcome.deleted += 1,
                Err(error) => return Err(error.into()),
            }
        }
        let names = self.disk.list()?;
        outcome.compressed += names.iter().filter(|name| name.ends_with(".zst")).count() as u64;
        Ok(missing)
    }

    fn files(&self) -> Arc<SimDisk> {
        Arc::new(self.disk.clone())
    }
}

/// Writes records one after another until one is refused; returns those that were acknowledged.
async fn call(
    log: Arc<Log>,
    clock: Arc<SteppingClock>,
    caller: u64,
    padding: usize,
) -> Vec<(String, Vec<u8>)> {
    let principal = format!("caller-{caller}");
    let mut acknowledged = Vec::new();
    for _ in 0..RECORDS {
        let at = clock.now();
        let call = MadeUpCall {
            at,
            number: caller,
            principal: &principal,
            action: "view",
            resource: "a1",
            effect: Effect::Allow,
            padding,
        };
        let record = call.record();
        let payload = record.payload.clone();
        if log.append(record).await.is_err() {
            break;
        }
        acknowledged.push((call.id(), payload));
    }
    acknowledged
}
