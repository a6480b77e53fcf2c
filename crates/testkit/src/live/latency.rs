//! How long a signal takes from its first byte to its acknowledgement, beside one append and fdatasync of the same disk.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::{House, push};

/// Bytes of one append: about those of a record of a signal.
const APPEND: usize = 512;

/// How often both are tried before anything counts.
const WARM_UP: usize = 20;

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// From request to acknowledgement, sorted.
    pub signals: Vec<Duration>,
    /// One append and fdatasync, sorted.
    pub syncs: Vec<Duration>,
    /// The parts of a signal on average: their names, and seconds.
    pub parts: Vec<(String, f64)>,
}

impl Outcome {
    /// How many times as long as one append and fdatasync a signal takes, both at the 99th percentile.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        percentile(&self.signals, 99).as_secs_f64() / percentile(&self.syncs, 99).as_secs_f64().max(1e-9)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |times: &[Duration], percent| percentile(times, percent).as_micros();
        let (signals, syncs) = (&self.signals, &self.syncs);
        writeln!(
            f,
            "received to acknowledged: p50 {} us, p99 {} us",
            micros(signals, 50),
            micros(signals, 99)
        )?;
        writeln!(f, "append and fdatasync:     p50 {} us, p99 {} us", micros(syncs, 50), micros(syncs, 99))?;
        for (part, seconds) in &self.parts {
            writeln!(f, "  {part}: {:.0} us on average", seconds * 1e6)?;
        }
        write!(f, "ratio at p99: {:.2}", self.ratio())
    }
}

/// Pushes `events`, one after the other, and between any two of them appends to a file beside the log of the server and syncs
/// it, so that both meet the same disk.
///
/// # Errors
/// If a signal is not taken.
pub async fn run(binary: &Path, events: usize) -> anyhow::Result<Outcome> {
    let house = House::open(binary, |_| (), &[]).await?;
    let path = house.dir.path().join("data/appended");
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let mut connection = house.server.connect().await?;
    let mut outcome = Outcome::default();
    for number in 0..events + WARM_UP {
        let set = house.revoked("alice", &format!("s-{number}"));
        let begun = Instant::now();
        let answer = push(&mut connection, &set).await?;
        let signal = begun.elapsed();
        ensure!(answer.status == 202, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        let begun = Instant::now();
        file.write_all(&[b'a'; APPEND])?;
        file.sync_data()?;
        let sync = begun.elapsed();
        if number >= WARM_UP {
            outcome.signals.push(signal);
            outcome.syncs.push(sync);
        }
    }
    outcome.signals.sort_unstable();
    outcome.syncs.sort_unstable();
    outcome.parts = parts(&house).await?;
    Ok(outcome)
}

/// The average of each phase, as the server counts them.
async fn parts(house: &House) -> anyhow::Result<Vec<(String, f64)>> {
    let shown = house.server.connect().await?.get("/metrics").await?;
    let text = String::from_utf8(shown.body)?;
    let value = |what: &str, phase: &str| -> anyhow::Result<f64> {
        let line = format!("procura_signal_phase_seconds_{what}{{phase=\"{phase}\"}} ");
        let value = text.lines().find_map(|shown| shown.strip_prefix(&line));
        Ok(value.with_context(|| format!("no metric {line}"))?.parse()?)
    };
    ["verify", "record", "journal"]
        .into_iter()
        .map(|phase| Ok((phase.to_owned(), value("sum", phase)? / value("count", phase)?.max(1.0))))
        .collect()
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).copied().unwrap_or_default()
}
