//! Trial: many facts, how much memory and start they take, and what one question costs with and without them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use procura::audit::DirFiles;
use procura::facts::{Limits, Store};
use procura::ports::{FactStore, Facts, Statements};
use procura_core::model::{Entity, EntityKind, Fact, Subject, Timestamp};
use procura_core::value::{Map, Value};

/// Facts of one event while a directory is filled.
const PER_EVENT: usize = 100;

/// Questions of one round.
const QUESTIONS: usize = 200_000;

/// Rounds with and without facts, by turns.
const ROUNDS: usize = 5;

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// How many facts there are.
    pub facts: usize,
    /// Bytes of memory that a fact takes, everything counted.
    pub bytes_each: u64,
    /// How long they took to be brought.
    pub filled: Duration,
    /// How long a start takes.
    pub opened: Duration,
    /// What a question about who has no facts takes, with no facts held and with all.
    pub question: [Duration; 2],
    /// What one takes about who has one.
    pub answered: Duration,
}

/// Fills `dir` with so many facts through a store, and measures.
pub fn run(dir: &Path, facts: usize, mut progress: impl FnMut(&str)) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome { facts, ..Outcome::default() };
    let begun = Instant::now();
    fill(dir, facts, &mut progress)?;
    outcome.filled = begun.elapsed();

    let before = resident()?;
    let begun = Instant::now();
    let store = open(dir, facts)?;
    outcome.opened = begun.elapsed();
    ensure!(store.count() == facts, "{} facts, not {facts}", store.count());
    outcome.bytes_each = resident()?.saturating_sub(before) / facts as u64;

    let empty = open(&dir.join("empty"), facts)?;
    // One fact: with none at all nobody would ask.
    bring(&empty, 0, &[0])?;
    let mut times = [Duration::MAX; 2];
    for _ in 0..ROUNDS {
        for (time, store) in times.iter_mut().zip([&empty, &store]) {
            *time = (*time).min(ask(store, facts..facts + QUESTIONS));
        }
    }
    outcome.question = times;
    outcome.answered = ask(&store, 0..QUESTIONS.min(facts));
    Ok(outcome)
}

/// Brings so many facts to `dir` through a store: one about each of so many principals.
///
/// # Errors
/// If the store does not take them.
pub fn fill(dir: &Path, facts: usize, progress: &mut impl FnMut(&str)) -> anyhow::Result<()> {
    let store = open(dir, facts)?;
    let all: Vec<_> = (0..facts).collect();
    for (number, some) in all.chunks(PER_EVENT).enumerate() {
        bring(&store, number, some)?;
        if number % 100 == 0 {
            progress(&format!("{} of {facts} facts", number * PER_EVENT));
        }
    }
    store.close();
    Ok(())
}

fn bring(store: &Store, number: usize, facts: &[usize]) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let id = format!("{:08x}-4b1e-4c62-9c1e-{number:012x}", number * 7919);
    let event = Statements {
        source: "okta".into(),
        id: id.into(),
        received: Timestamp::from_second(1_795_305_600)?,
        facts: facts.iter().map(|number| fact(*number)).collect(),
    };
    runtime.block_on(store.apply(event))?;
    Ok(())
}

/// What an identity provider says of somebody: each fact has an event of its own.
fn fact(number: usize) -> Fact {
    let level = Value::String(["LOW", "MEDIUM", "HIGH"][number % 3].into());
    let at = Timestamp::UNIX_EPOCH;
    Fact {
        subject: Subject::new(vec![Entity::new(EntityKind::Principal, principal(number))]).unwrap(),
        name: "risk-level-change".into(),
        slot: "risk-level-change".into(),
        value: Some(Value::Map(Map::from_entries(vec![("current_level".into(), level)]).unwrap())),
        source: "okta".into(),
        id: format!("{:08x}-4b1e-4c62-9c1e-{number:012x}", number * 7919).into(),
        at,
        received: at,
        expires: None,
        rank: 0,
    }
}

/// The principal that the fact of this number is about.
#[must_use]
pub fn principal(number: usize) -> String {
    format!("user:employee-{number:08}@example.com")
}

/// What one question takes about a principal and a resource.
fn ask(store: &Store, principals: std::ops::Range<usize>) -> Duration {
    let names: Vec<_> = principals.map(principal).collect();
    let begun = Instant::now();
    let mut found = 0;
    for name in &names {
        let presented = [
            Entity::new(EntityKind::Principal, name.as_str()),
            Entity::within(EntityKind::Resource, "album", "a1"),
        ];
        found += store.about(&presented, Timestamp::UNIX_EPOCH).len();
    }
    std::hint::black_box(found);
    begun.elapsed() / u32::try_from(names.len()).unwrap_or(u32::MAX)
}

fn open(dir: &Path, facts: usize) -> anyhow::Result<Store> {
    let limits = Limits { facts: facts + 1, ..Limits::default() };
    Ok(Store::open(Arc::new(DirFiles::open(dir)?), limits)?)
}

/// Bytes of memory that this process has.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no `VmRSS`")?;
    Ok(1024 * line.trim().trim_end_matches(" kB").parse::<u64>()?)
}
