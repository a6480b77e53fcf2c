//! Trial: the decision log on a disk that fails at random in every way that disks do, while it is written, compressed and
//! deleted. Nobody is told that a record is kept which is not, and the log recovers by itself once the disk does.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use procura::audit::{Log, LogReader, LogSettings, Retention, verify};
use procura::ports::{Clock, DecisionLog, DecisionQuery, LogError};
use procura::telemetry::Metrics;
use procura_core::model::Effect;
use tokio::task::JoinSet;

use crate::calls::MadeUpCall;
use crate::clock::SteppingClock;
use crate::rng::Rng;
use crate::sim_disk::SimDisk;

/// How many callers write at once.
const CALLERS: u64 = 4;

/// How many records each caller tries to write while the disk fails.
const RECORDS: usize = 40;

/// How long the log may take to recover; it tries at least every second.
const RECOVERY: Duration = Duration::from_secs(30);

/// What came of some rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many rounds there were.
    pub rounds: u64,
    /// How many operations of the disk failed.
    pub failures: u64,
    /// How many records were acknowledged.
    pub acknowledged: u64,
    /// How many were refused.
    pub refused: u64,
    /// How many acknowledged records could not be found afterwards.
    pub missing: u64,
    /// How many acknowledged records retention had deleted.
    pub deleted: u64,
}

/// Plays `rounds` rounds. An error means that a log did not recover, did not open or did not verify, and names the seed of
/// its round.
pub fn run(rounds: u64, seed: u64, mut progress: impl FnMut(&Outcome)) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut seeds = Rng::new(seed);
    let mut outcome = Outcome::default();
    while outcome.rounds < rounds {
        let seed = seeds.next();
        let played = runtime.block_on(Round::new(seed)?.play(&mut outcome));
        played.with_context(|| format!("in the round of seed {seed}"))?;
        outcome.rounds += 1;
        progress(&outcome);
    }
    Ok(outcome)
}

/// One log, which is written while its disk fails.
struct Round {
    rng: Rng,
    disk: SimDisk,
    settings: LogSettings,
    clock: Arc<SteppingClock>,
    metrics: Arc<Metrics>,
}

/// Id and encoded record of what was acknowledged, and how much was refused.
type Written = (Vec<(String, Vec<u8>)>, u64);

impl Round {
    fn new(seed: u64) -> anyhow::Result<Self> {
        let mut rng = Rng::new(seed);
        let settings = LogSettings {
            deadline: RECOVERY,
            segment_bytes: 4096 << rng.below(4),
            segment_age: Some(Duration::from_millis(20)).filter(|_| rng.below(3) == 0),
            compress: rng.below(4) > 0,
            retention: Retention {
                bytes: Some(2000 << rng.below(5)).filter(|_| rng.below(2) == 0),
                ..Retention::default()
            },
            ..LogSettings::default()
        };
        let disk = SimDisk::new(rng.next());
        Ok(Self { disk, rng, settings, clock: Arc::default(), metrics: Arc::new(Metrics::new()?) })
    }

    async fn play(mut self, outcome: &mut Outcome) -> anyhow::Result<()> {
        let log = self.open()?;
        self.disk.fail_one_in(2 + self.rng.below(30));
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let padding = self.rng.below(3000);
            callers.spawn(call(Arc::clone(&log), Arc::clone(&self.clock), caller, padding));
        }
        let mut acknowledged = Vec::new();
        while let Some(written) = callers.join_next().await {
            let (written, refused) = written?;
            acknowledged.extend(written);
            outcome.refused += refused;
        }
        outcome.failures += self.disk.failures();
        self.disk.fail_one_in(0);
        acknowledged.push(self.recovered(&log).await?);
        log.close();
        if self.rng.below(2) == 0 {
            self.disk = self.disk.reboot();
        }
        self.open()?.close();
        verify(&self.disk, |_, _| ())?;
        outcome.acknowledged += acknowledged.len() as u64;
        self.look_for(&acknowledged, outcome)
    }

    fn open(&self) -> anyhow::Result<Arc<Log>> {
        let files = Arc::new(self.disk.clone());
        Ok(Log::open(files, &self.settings, self.clock.clone(), self.metrics.clone())?.0)
    }

    /// A record that the log accepts without being opened again.
    async fn recovered(&self, log: &Arc<Log>) -> anyhow::Result<(String, Vec<u8>)> {
        let first_of = |(written, _): Written| written.into_iter().next();
        let accepted = async {
            loop {
                let written = call(Arc::clone(log), Arc::clone(&self.clock), CALLERS, 10).await;
                if let Some(written) = first_of(written) {
                    return written;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(RECOVERY, accepted).await.context("the log does not recover")
    }

    fn look_for(&self, acknowledged: &[(String, Vec<u8>)], outcome: &mut Outcome) -> anyhow::Result<()> {
        let reader = LogReader::open(Arc::new(self.disk.clone()))?;
        let deletes = self.settings.retention.bytes.is_some();
        for (id, payload) in acknowledged {
            match reader.get(id) {
                Ok(found) => {
                    outcome.missing += u64::from(found.is_none_or(|found| found.payload != *payload));
                }
                Err(LogError::Deleted { .. }) if deletes => outcome.deleted += 1,
                Err(error) => return Err(error.into()),
            }
        }
        ensure!(!acknowledged.is_empty(), "nothing was acknowledged");
        Ok(())
    }
}

/// Writes records one after another, whatever becomes of them.
async fn call(log: Arc<Log>, clock: Arc<SteppingClock>, caller: u64, padding: usize) -> Written {
    let (principal, action, resource) = (format!("caller-{caller}"), "view", "a1");
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    for _ in 0..RECORDS {
        let (at, effect) = (clock.now(), Effect::Allow);
        let call =
            MadeUpCall { at, number: caller, principal: &principal, action, resource, effect, padding };
        let record = call.record();
        let payload = record.payload.clone();
        match log.append(record).await {
            Ok(()) => acknowledged.push((call.id(), payload)),
            Err(_) => {
                refused += 1;
                // Lets the log try again.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    (acknowledged, refused)
}
