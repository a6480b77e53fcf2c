//! A server that is killed in the middle of a stream of signed events, again and again. Whatever it did not acknowledge is
//! pushed again, and in the end its facts are those of a run that nobody interrupted.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use procura::audit::{DirFiles, LogReader};
use procura::facts::{Limits, Store};
use procura::ports::{DecisionFilter, DecisionQuery, FactStore};
use procura_core::model::{Entity, EntityKind, Timestamp};
use procura_core::query::Condition;
use procura_core::record::Record;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::lane::{Event, Lane, USERS, user};
use super::{House, NAME};
use crate::rng::Rng;

/// Connections that push, each of which waits for an answer before it pushes the next event.
const LANES: u64 = 16;

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The server.
    pub binary: &'a Path,
    /// How many events.
    pub events: u64,
    /// How often the server is killed.
    pub kills: u64,
    /// Names the whole trial.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How often the server was killed.
    pub kills: u64,
    /// How many events were acknowledged.
    pub acknowledged: u64,
    /// How many of them were pushed once more after that, and acknowledged as well.
    pub repeated: u64,
    /// How many were held already when a server started, though nobody had been told.
    pub beyond: u64,
    /// How many records of the log tell of an event that another tells of: it was recorded and not yet held at a kill.
    pub recorded_again: u64,
    /// The number of the last change.
    pub changes: u64,
    /// How many facts there are in the end.
    pub facts: usize,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, acknowledged, repeated, beyond, recorded_again, changes, facts } = self;
        writeln!(f, "{kills} kills, {acknowledged} events acknowledged, {repeated} of them once more")?;
        writeln!(f, "{beyond} held before anybody was told, {recorded_again} recorded once more")?;
        write!(f, "{facts} facts after {changes} changes: those of a run that nobody interrupted")
    }
}

/// Pushes all events, and kills the server meanwhile.
///
/// # Errors
/// If what was acknowledged is missing after a start, if anything was held twice, or if the facts in the end are others than
/// those of a run that nobody interrupted.
pub async fn run(trial: Trial<'_>, mut progress: impl FnMut(&Outcome)) -> anyhow::Result<Outcome> {
    let mut scene = Scene::new(trial).await?;
    while scene.outcome.acknowledged < trial.events {
        let place = format!("after {} kills of seed {}", scene.outcome.kills, trial.seed);
        scene.live().await.with_context(|| place.clone())?;
        if scene.outcome.acknowledged < trial.events {
            scene.house.server = scene.house.start_again().await?;
            scene.look().await.context(place)?;
        }
        progress(&scene.outcome);
    }
    ensure!(scene.outcome.kills == trial.kills, "{} kills, not {}", scene.outcome.kills, trial.kills);
    scene.house.server.signal("TERM").await?;
    let ended = scene.house.server.wait().await?;
    ensure!(ended.success(), "the server ended with {ended}:\n{}", scene.house.server.output());
    scene.compare_facts()?;
    scene.compare_records()?;
    Ok(scene.outcome)
}

struct Scene<'a> {
    trial: Trial<'a>,
    house: House,
    lanes: Vec<Lane>,
    rng: Rng,
    /// What a run that nobody interrupts holds about each user after what was acknowledged.
    expected: BTreeMap<u64, Event>,
    outcome: Outcome,
}

impl<'a> Scene<'a> {
    async fn new(trial: Trial<'a>) -> anyhow::Result<Self> {
        let house = House::open_with(trial.binary, "ES256", |_| (), &[]).await?;
        let begin = Timestamp::now().as_second() - i64::try_from(trial.events)? - 60;
        let lanes = (0..LANES).map(|number| Lane::new(number, LANES, trial.seed, begin, trial.events));
        Ok(Self {
            trial,
            house,
            lanes: lanes.collect(),
            rng: Rng::new(trial.seed),
            expected: BTreeMap::new(),
            outcome: Outcome::default(),
        })
    }

    /// One life of the server: all lanes push, until it is killed or nothing is left.
    async fn live(&mut self) -> anyhow::Result<()> {
        let left = self.trial.events - self.outcome.acknowledged;
        let lives = self.trial.kills - self.outcome.kills + 1;
        let is_last = lives == 1;
        let most = if is_last { left } else { 1 + self.rng.below((2 * left / (lives + 1)) as usize) as u64 };
        let (told, mut heard) = mpsc::unbounded_channel();
        let mut pushing = JoinSet::new();
        for lane in self.lanes.drain(..) {
            let connection = self.house.server.connect().await?;
            let signer = Arc::clone(&self.house.transmitter);
            pushing.spawn(lane.push(connection, signer, told.clone()));
        }
        drop(told);
        let mut count = 0;
        while let Some(()) = heard.recv().await {
            count += 1;
            if count == most && !is_last {
                self.house.server.kill().await?;
                self.outcome.kills += 1;
            }
        }
        while let Some(lane) = pushing.join_next().await {
            let (mut lane, acknowledged) = lane??;
            self.outcome.repeated += std::mem::take(&mut lane.repeated);
            self.lanes.push(lane);
            acknowledged.into_iter().for_each(|event| self.acknowledged(event));
        }
        if is_last && self.outcome.acknowledged < self.trial.events {
            bail!("the server broke off by itself:\n{}", self.house.server.output());
        }
        Ok(())
    }

    fn acknowledged(&mut self, event: Event) {
        self.outcome.acknowledged += 1;
        let held = self.expected.get(&event.user);
        if held.is_none_or(|held| held.weight() < event.weight()) {
            self.expected.insert(event.user, event);
            self.outcome.changes += 1;
        }
    }

    /// What the server holds right after a start about those whom each lane spoke of last.
    async fn look(&mut self) -> anyhow::Result<()> {
        let mut connection = self.house.server.connect().await?;
        for lane in &self.lanes {
            let unclear = lane.unclear();
            for about in lane.last.into_iter().chain(unclear.map(|event| event.user)) {
                let path = format!("/api/facts?principal={}", user(about));
                let answer = connection.get(&path).await?;
                ensure!(answer.status == 200, "{path} answers {}", answer.status);
                let shown = answer.json()?;
                let facts = shown["facts"].as_array().context("no facts are told")?;
                ensure!(facts.len() <= 1, "more than one fact of {}: {shown}", user(about));
                let held = facts.first().and_then(|fact| fact["id"].as_str());
                let expected = self.expected.get(&about).map(Event::id);
                let perhaps = unclear.filter(|event| event.user == about).map(|event| event.id());
                let is_beyond = held != expected.as_deref();
                ensure!(
                    !is_beyond || held == perhaps.as_deref(),
                    "{held:?} is held, not {expected:?}, and {perhaps:?} was on its way"
                );
                self.outcome.beyond +=
                    u64::from(is_beyond && unclear.is_some_and(|event| event.user == about));
            }
        }
        Ok(())
    }

    /// Facts, changes and names of events are those of a run that nobody interrupted.
    fn compare_facts(&mut self) -> anyhow::Result<()> {
        let files = DirFiles::open(&self.house.dir.path().join("data/facts"))?;
        let store = Store::open(Arc::new(files), Limits::default())?;
        let (changes, expected) = (store.last_change(), self.outcome.changes);
        ensure!(changes == expected, "change {changes} is the last, not {expected}");
        ensure!(store.count() == self.expected.len(), "{} facts, not {}", store.count(), self.expected.len());
        for number in 0..USERS {
            let held = store.of(&Entity::new(EntityKind::Principal, user(number)));
            let held: Vec<_> = held.iter().map(|fact| (fact.id.to_string(), fact.at.as_second())).collect();
            let expected = self.expected.get(&number).map(|event| (event.id(), event.at));
            ensure!(held == Vec::from_iter(expected.clone()), "{held:?} is held, not {expected:?}");
        }
        for number in 0..self.trial.events {
            ensure!(store.has_taken(NAME, &Event::id_of(number)), "event {number} is forgotten");
        }
        self.outcome.facts = store.count();
        Ok(())
    }

    /// Every event is in the log, and more than once only if a kill came between the log and the facts.
    fn compare_records(&mut self) -> anyhow::Result<()> {
        let reader =
            LogReader::open(Arc::new(DirFiles::open_to_read(&self.house.dir.path().join("data/log"))?))?;
        let mut times: BTreeMap<String, u64> = BTreeMap::new();
        let condition = Condition::parse("kind == 'signal'").map_err(|error| anyhow!("{error}"))?;
        let mut filter = DecisionFilter { condition, limit: 1000, ..DecisionFilter::default() };
        loop {
            let page = reader.find(&filter)?;
            for stored in &page.records {
                if let Record::Signal(record) = Record::decode(&stored.payload)? {
                    *times.entry(record.id.into_owned()).or_default() += 1;
                }
            }
            filter.before_seq = page.next_before_seq;
            if filter.before_seq.is_none() {
                break;
            }
        }
        for number in 0..self.trial.events {
            ensure!(times.contains_key(&Event::id_of(number)), "no record tells of event {number}");
        }
        self.outcome.recorded_again = times.values().map(|times| times - 1).sum();
        let most = self.trial.kills * LANES;
        ensure!(self.outcome.recorded_again <= most, "{} records too many", self.outcome.recorded_again);
        Ok(())
    }
}
