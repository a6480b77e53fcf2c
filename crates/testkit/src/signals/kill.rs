//! Trial: a process that keeps facts is killed in the middle of a stream of events, again and again. In the end its facts
//! are those of a run that nobody interrupted, nothing that was acknowledged is lost, and nothing was held twice.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, ensure};
use procura::audit::DirFiles;
use procura::facts::{Limits, Store};
use procura::ports::FactStore;

use super::made_up::MadeUp;
use super::oracle::Oracle;
use crate::rng::Rng;
use crate::temp_dir::TempDir;

/// Events that a process brings before it looks at what became of the first.
const AT_ONCE: usize = 32;

/// How many principals, devices and sessions the events are about.
const ENTITIES: usize = 2000;

/// A stream of events, the whole of which a seed says.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Chooses the events.
    pub seed: u64,
    /// How many there are.
    pub events: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How often the process was killed.
    pub kills: u64,
    /// How many events were acknowledged.
    pub acknowledged: u64,
    /// How many of them were brought again, as nobody had learned what became of them, and were held already.
    pub beyond: u64,
    /// The number of the last change.
    pub changes: u64,
    /// How many facts there are in the end.
    pub facts: usize,
}

/// Brings the events from number `from` on to the facts in `dir`, and prints what became of each once
/// it is acknowledged: the process that is killed.
pub fn keep(dir: &Path, stream: Stream, from: u64) -> anyhow::Result<()> {
    let store = open(dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut made_up = MadeUp::about(stream.seed, ENTITIES);
    (0..from).for_each(|_| drop(made_up.event()));
    let mut applying = VecDeque::new();
    let mut out = io::stdout().lock();
    let mut left = stream.events - from;
    while left > 0 || !applying.is_empty() {
        while left > 0 && applying.len() < AT_ONCE {
            applying.push_back(store.apply(made_up.event()));
            left -= 1;
        }
        let Some(first) = applying.pop_front() else { break };
        let applied = runtime.block_on(first)?;
        writeln!(out, "{applied:?}")?;
        out.flush()?;
    }
    Ok(())
}

/// Kills the process that `binary` is at [`keep`] `kills` times while it takes `stream`.
pub fn run(
    binary: &Path,
    stream: Stream,
    kills: u64,
    mut progress: impl FnMut(&Outcome),
) -> anyhow::Result<Outcome> {
    let dir = TempDir::new("facts-kill");
    let mut rng = Rng::new(stream.seed);
    let mut outcome = Outcome::default();
    let mut oracle = Oracle::default();
    let mut made_up = MadeUp::about(stream.seed, ENTITIES);
    while outcome.acknowledged < stream.events {
        let left = stream.events - outcome.acknowledged;
        let lives = kills - outcome.kills + 2;
        let most = (outcome.kills < kills).then(|| rng.below((2 * left / lives + 1) as usize));
        let mut child = start(binary, dir.path(), stream, outcome.acknowledged)?;
        let told = listen(&mut child, most).context("the process failed")?;
        outcome.kills += u64::from(most.is_some());
        for line in told {
            let expected = format!("{:?}", oracle.apply(&made_up.event()));
            outcome.beyond += u64::from(line != expected);
            ensure!(line == expected || line == "Repeated", "an event became {line}, not {expected}");
            outcome.acknowledged += 1;
        }
        progress(&outcome);
    }
    let store = open(dir.path())?;
    oracle.compare(&store).context("not the facts of a run that nobody interrupted")?;
    ensure!(outcome.kills == kills, "{} kills, not {kills}", outcome.kills);
    (outcome.changes, outcome.facts) = (store.last_change(), store.count());
    Ok(outcome)
}

fn open(dir: &Path) -> anyhow::Result<Store> {
    let limits = Limits { journal_bytes: 1024 * 1024, ..Limits::default() };
    Ok(Store::open(Arc::new(DirFiles::open(dir)?), limits)?)
}

fn start(binary: &Path, dir: &Path, stream: Stream, from: u64) -> anyhow::Result<Child> {
    let mut command = Command::new(binary);
    command.args(["signals", "keep", "--dir"]).arg(dir);
    command.args(["--seed", &stream.seed.to_string(), "--events", &stream.events.to_string()]);
    command.args(["--from", &from.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().with_context(|| format!("cannot start {}", binary.display()))
}

/// What the process says became of its events until it ends; it is killed after `most` of them, if that is a number.
fn listen(child: &mut Child, most: Option<usize>) -> anyhow::Result<Vec<String>> {
    let mut told = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().context("it has no output")?);
    let mut is_killed = false;
    loop {
        if !is_killed && most.is_some_and(|most| told.len() >= most) {
            child.kill()?;
            is_killed = true;
        }
        let mut line = String::new();
        // A line without an end was cut by the kill.
        if lines.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            break;
        }
        told.push(line.trim_end().to_owned());
    }
    let status = child.wait()?;
    ensure!(most.is_some() != status.success(), "it ended with {status}");
    Ok(told)
}
