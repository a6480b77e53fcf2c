//! Trial: facts on a disk that fails and loses power, again and again. What was acknowledged is there afterwards, what was
//! not is there as a whole batch or not at all, and nothing else is.

use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use procura::facts::{Limits, Store};
use procura::ports::{Applied, FactStore, Statements, StoreError};

use super::made_up::MadeUp;
use super::oracle::Oracle;
use crate::rng::Rng;
use crate::sim_disk::SimDisk;

/// Most events that wait at once.
const AT_ONCE: usize = 6;

/// Events in one life.
const EVENTS: usize = 60;

/// What came of some rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How often the power was cut.
    pub cuts: u64,
    /// How many events were acknowledged.
    pub acknowledged: u64,
    /// How many were refused because of the disk.
    pub refused: u64,
    /// How often a start found events that nobody was told of.
    pub beyond: u64,
}

/// How the disk behaves in a life.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// The change of the disk at which the power is cut.
    pub cut_after: u64,
    /// One in so many changes fails; 0 for none.
    pub fails_one_in: usize,
    /// Bytes of a journal before a snapshot is made.
    pub journal_bytes: u64,
}

/// A disk, what it should hold, and what comes next.
pub struct Facts {
    disk: SimDisk,
    oracle: Oracle,
    made_up: MadeUp,
    rng: Rng,
    /// What was refused by a disk that has not worked since: it may be there at the next start.
    unclear: Vec<Statements>,
}

/// Plays `rounds` rounds of a few lives each.
pub fn run(rounds: u64, seed: u64, mut progress: impl FnMut(&Outcome)) -> anyhow::Result<Outcome> {
    let mut seeds = Rng::new(seed);
    let mut outcome = Outcome::default();
    for _ in 0..rounds {
        let seed = seeds.next();
        let mut rng = Rng::new(seed);
        let mut facts = Facts::new(seed);
        for _ in 0..=rng.below(4) {
            let within = if rng.below(3) == 0 { 12 } else { 150 };
            let life = Life {
                cut_after: 1 + rng.below(within) as u64,
                fails_one_in: if rng.below(2) == 0 { 0 } else { 5 + rng.below(20) },
                journal_bytes: 500 << rng.below(6),
            };
            facts.live(life, &mut outcome).with_context(|| format!("{life:?} of seed {seed}"))?;
        }
        progress(&outcome);
    }
    Ok(outcome)
}

impl Facts {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            disk: SimDisk::new(seed),
            oracle: Oracle::default(),
            made_up: MadeUp::new(seed),
            rng: Rng::new(seed),
            unclear: Vec::new(),
        }
    }

    /// Opens the facts, brings events until the power goes, and looks at what a start in peace finds.
    pub fn live(&mut self, life: Life, outcome: &mut Outcome) -> anyhow::Result<()> {
        self.disk.cut_after(life.cut_after);
        let limits = Limits { journal_bytes: life.journal_bytes, ..Limits::default() };
        match Store::open(Arc::new(self.disk.clone()), limits) {
            Ok(store) => {
                self.disk.fail_one_in(life.fails_one_in);
                self.bring(&store, outcome)?;
                store.close();
            }
            Err(_) if self.disk.is_off() => {}
            Err(error) => return Err(error.into()),
        }
        self.disk = self.disk.reboot();
        outcome.cuts += 1;
        let store = Store::open(Arc::new(self.disk.clone()), limits)?;
        self.settle(&store, outcome)
    }

    fn bring(&mut self, store: &Store, outcome: &mut Outcome) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let mut brought = 0;
        while brought < EVENTS && !self.disk.is_off() {
            let events: Vec<_> = (0..=self.rng.below(AT_ONCE)).map(|_| self.made_up.event()).collect();
            brought += events.len();
            let applying: Vec<_> = events.iter().map(|event| store.apply(event.clone())).collect();
            for (event, applying) in events.into_iter().zip(applying) {
                self.told(event, &runtime.block_on(applying), outcome)?;
            }
        }
        Ok(())
    }

    /// What the store says became of `event` is what should.
    fn told(
        &mut self,
        event: Statements,
        result: &Result<Applied, StoreError>,
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        match result {
            Ok(applied) => {
                let expected = self.oracle.apply(&event);
                ensure!(*applied == expected, "{event:?} became {applied:?}, not {expected:?}");
                self.unclear.clear();
                outcome.acknowledged += 1;
            }
            Err(StoreError::Unavailable(_)) => {
                self.unclear.push(event);
                outcome.refused += 1;
            }
            Err(error) => bail!("{event:?}: {error}"),
        }
        Ok(())
    }

    /// What is found is what was acknowledged, and perhaps what was written last and not acknowledged.
    fn settle(&mut self, store: &Store, outcome: &mut Outcome) -> anyhow::Result<()> {
        let mut unclear = std::mem::take(&mut self.unclear).into_iter();
        let first = self.oracle.compare(store);
        while self.oracle.compare(store).is_err() {
            let Some(event) = unclear.next() else { return first };
            self.oracle.apply(&event);
            outcome.beyond += 1;
        }
        for _ in 0..5 {
            let presented = self.made_up.presented();
            self.oracle.compare_about(store, &presented, self.made_up.now())?;
        }
        Ok(())
    }
}
