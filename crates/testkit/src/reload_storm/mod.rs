//! Trial: whole policy sets are exchanged again and again while the server answers.
//!
//! Every rule of the set switches between ALLOW and DENY, so an answer that mixes two sets shows itself. First the
//! directory is exchanged by swapping a link, then its files are written one by one, then a set with an error comes.

mod load;
mod sets;

pub use self::sets::policy;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use procura_core::model::Effect;

use self::load::{Load, Wrong, ask, judge};
use self::sets::{BAD_FILE, Sets};
use crate::http::Connection;
use crate::rng::Rng;
use crate::server::{Server, ServerSpec};

/// A writer that pauses longer than this may be seen as finished: the server's quiet period is 25 ms.
const SLOW_WRITER: Duration = Duration::from_millis(20);

/// How the trial is run.
#[derive(Clone, Debug)]
pub struct Storm {
    /// The `procura` binary.
    pub binary: PathBuf,
    /// Policies in the set.
    pub files: usize,
    /// How often the set is exchanged in each way.
    pub swaps: usize,
    /// Connections that ask all the time.
    pub connections: usize,
    /// A set must answer this soon after it is complete.
    pub within: Duration,
    /// Repeats the choices of the trial.
    pub seed: u64,
}

/// What the trial saw.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Answers that were judged.
    pub answers: u64,
    /// The longest time from a complete set to its first answer.
    pub slowest: Duration,
    /// Rounds that were repeated because the writer was too slow to be one.
    pub repeated: usize,
}

/// Runs the trial; an error names what must not be.
pub async fn run(storm: &Storm) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let mut rng = Rng::new(storm.seed);
    let sets = Arc::new(Sets::write(storm.files)?);
    link_swaps(storm, &sets, &mut rng, &mut report).await.context("swaps of a link")?;
    separate_writes(storm, &sets, &mut rng, &mut report).await.context("separate writes")?;
    Ok(report)
}

async fn link_swaps(
    storm: &Storm,
    sets: &Arc<Sets>,
    rng: &mut Rng,
    report: &mut Report,
) -> anyhow::Result<()> {
    sets.swap(Effect::Allow)?;
    let mut server = ServerSpec::new(&storm.binary, sets.linked(), sets.data()).start().await?;
    let load = Load::start(&server, sets, storm.connections, rng).await?;
    let mut probe =
        Probe { connection: server.connect().await?, sets: Arc::clone(sets), rng: Rng::new(rng.next()) };
    let mut live = Effect::Allow;
    for _ in 0..storm.swaps {
        live = other(live);
        sets.swap(live)?;
        report.slowest = report.slowest.max(probe.wait_for(live, storm.within).await?);
        tokio::time::sleep(Duration::from_millis(rng.next() % 20)).await;
    }
    bad_set(&server, sets, live, storm.within).await.context("a set with an error")?;
    let (answers, faults) = load.stop().await;
    server.kill().await?;
    report.answers += answers;
    ensure!(faults.is_empty(), "{} of {answers} answers are wrong, the first: {:?}", faults.len(), faults[0]);
    Ok(())
}

async fn separate_writes(
    storm: &Storm,
    sets: &Arc<Sets>,
    rng: &mut Rng,
    report: &mut Report,
) -> anyhow::Result<()> {
    sets.write_one_by_one(Effect::Allow, rng)?;
    let mut server = ServerSpec::new(&storm.binary, sets.written(), sets.data()).start().await?;
    let load = Load::start(&server, sets, storm.connections, rng).await?;
    let mut probe =
        Probe { connection: server.connect().await?, sets: Arc::clone(sets), rng: Rng::new(rng.next()) };
    let mut live = Effect::Allow;
    let mut whole = 0;
    while whole < storm.swaps {
        ensure!(
            report.repeated <= storm.swaps,
            "this machine is too busy to write files without long pauses"
        );
        live = other(live);
        let round = load.next_round();
        let (writer, mut choices) = (Arc::clone(sets), Rng::new(rng.next()));
        let longest =
            tokio::task::spawn_blocking(move || writer.write_one_by_one(live, &mut choices)).await??;
        report.slowest = report.slowest.max(probe.wait_for(live, storm.within).await?);

        let is_slow = longest > SLOW_WRITER;
        report.repeated += usize::from(is_slow);
        whole += usize::from(!is_slow);
        let excused = |fault: &load::Fault| fault.round != round || (is_slow && fault.is_unknown_set);
        if let Some(fault) = load.faults().into_iter().find(|fault| !excused(fault)) {
            bail!("longest pause of the writer {longest:?}: {}", fault.what);
        }
    }
    let (answers, faults) = load.stop().await;
    server.kill().await?;
    report.answers += answers;
    let errors: Vec<_> = faults.iter().filter(|fault| !fault.is_unknown_set).collect();
    ensure!(errors.is_empty(), "{} of {answers} answers are wrong, the first: {:?}", errors.len(), errors[0]);
    Ok(())
}

/// A set with an error does not go live, and everybody who may care is told.
async fn bad_set(server: &Server, sets: &Arc<Sets>, live: Effect, within: Duration) -> anyhow::Result<()> {
    let mut connection = server.connect().await?;
    sets.swap_to_bad(live)?;
    let swapped = Instant::now();
    loop {
        let status = connection.get("/admin/policies/status").await?.json()?;
        if status["stale"] == true {
            ensure!(
                status["live"]["revision"] == sets.revision(live),
                "the live set is another one: {status}"
            );
            let found = &status["lastAttempt"]["diagnostics"][0];
            ensure!(found["file"] == BAD_FILE, "no diagnostic names the file: {status}");
            break;
        }
        ensure!(swapped.elapsed() < within, "not noticed within {within:?}: {status}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ready = connection.get("/readyz").await?;
    ensure!(ready.status == 200, "/readyz answers {} though the old set is good", ready.status);
    ensure!(
        ready.json()?.to_string().contains("older set answers"),
        "/readyz does not tell: {}",
        ready.json()?
    );
    let metrics = String::from_utf8(connection.get("/metrics").await?.body)?;
    for name in ["procura_policy_reloads_total{outcome=\"rejected\"}", "procura_policy_errors"] {
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        ensure!(value.is_some_and(|value| value != "0"), "/metrics says nothing of it: {name} {value:?}");
    }
    let answer = ask(&mut connection, sets.files(), &mut Rng::new(0)).await?;
    let effect = judge(&answer, &sets.whole).map_err(|wrong| anyhow::anyhow!("{wrong:?}"))?;
    ensure!(effect == live, "the old set does not answer any more");
    Ok(())
}

/// Asks until a set answers.
struct Probe {
    connection: Connection,
    sets: Arc<Sets>,
    rng: Rng,
}

impl Probe {
    /// How long it takes until the set with this effect answers.
    async fn wait_for(&mut self, effect: Effect, within: Duration) -> anyhow::Result<Duration> {
        let began = Instant::now();
        loop {
            let response = ask(&mut self.connection, self.sets.files(), &mut self.rng).await?;
            match judge(&response, &self.sets.whole) {
                Ok(found) if found == effect => return Ok(began.elapsed()),
                Ok(_) | Err(Wrong::UnknownSet(_)) => {}
                Err(Wrong::Answer(what)) => bail!(what),
            }
            ensure!(began.elapsed() < within, "the new set does not answer within {within:?}");
        }
    }
}

fn other(effect: Effect) -> Effect {
    match effect {
        Effect::Allow => Effect::Deny,
        Effect::Deny => Effect::Allow,
    }
}
