//! Long-running trials: `cargo run -p procura-testkit -- power-cut --rounds 1000 --seed 1`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what a trial found is shown on the terminal")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use clap::{Parser, Subcommand};
use procura::ports::Durability;
use procura_samples::generate::Size;
use procura_testkit::credentials::{self, Comparison};
use procura_testkit::differential::{self, Side};
use procura_testkit::reload_storm::{self, Storm};
use procura_testkit::rotate::{self, Rotation};
use procura_testkit::temp_dir::TempDir;
use procura_testkit::{
    faults, kill, live, mutants, overload, power_cut, query, ship, signals, stand_in, tamper,
};

/// Trials that take longer than a test suite should.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    trial: Trial,
}

#[derive(Subcommand)]
enum Trial {
    /// The decision log on a simulated disk that loses power at random moments.
    PowerCut {
        /// How many power cuts.
        #[arg(long, default_value_t = 1000)]
        rounds: u64,
        /// Names the whole trial.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Acknowledge without waiting for the disk: this must lose records.
        #[arg(long)]
        os: bool,
    },
    /// The decision log on a simulated disk that fails at random in every way that disks do.
    Faults {
        /// How many logs.
        #[arg(long, default_value_t = 1000)]
        rounds: u64,
        /// Names the whole trial.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A log that somebody changes behind the back of its witness: every change must be found and named.
    Tamper {
        /// How many changes.
        #[arg(long, default_value_t = 10_000)]
        rounds: u64,
        /// Names the whole trial.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A real server that is killed at random moments while it is called from all sides.
    Kill {
        /// The server to run; build it first.
        #[arg(long, default_value = "target/release/procura")]
        bin: PathBuf,
        /// How many kills.
        #[arg(long, default_value_t = 100)]
        rounds: u64,
        /// Chooses the moments.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A real server that ships its log while it is killed and its destinations fail.
    Ship {
        /// The server to run; build it first.
        #[arg(long, default_value = "target/release/procura")]
        bin: PathBuf,
        /// How many kills.
        #[arg(long, default_value_t = 100)]
        rounds: u64,
        /// Chooses what fails, and when.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Random policies and requests, for the peer and for us: the answers must be the same.
    Differential {
        /// The `cerbos` binary.
        #[arg(long)]
        peer: PathBuf,
        /// How many pairs of a policy set and a request.
        #[arg(long, default_value_t = 20_000)]
        pairs: usize,
        /// Seed of the first store.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Leave the engine out, and compare only the oracle of the tests.
        #[arg(long)]
        oracle: bool,
        /// Policy sets in one store.
        #[arg(long, default_value_t = differential::SIZE.sets)]
        sets: usize,
        /// Requests for each set.
        #[arg(long, default_value_t = differential::SIZE.asks)]
        asks: usize,
        /// How many differences are shown in full.
        #[arg(long, default_value_t = 1)]
        show: usize,
    },
    /// A large log with its index: how fast that is built, and how fast it answers.
    Query {
        /// How many records; each takes about 700 bytes of disk, of which 100 are the index.
        #[arg(long, default_value_t = 1_000_000)]
        records: u64,
        /// Names the whole trial.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where log and index are kept while it runs, instead of the directory for temporary files.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Small changes of the code, each of which some test of the core should notice.
    Mutants {
        /// How many changes that compile.
        #[arg(long, default_value_t = 150)]
        sample: usize,
        /// Chooses the changes.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// What is changed: a directory or a file of the workspace.
        #[arg(long, default_value = "crates/core/src/engine")]
        path: PathBuf,
        /// Where the copy is made and built.
        #[arg(long, default_value = "target/mutants")]
        copy: PathBuf,
    },
    /// No trial: a transmitter of signals, for tests in other programs. It sends what it reads.
    Transmitter {
        /// Whom its events are for.
        #[arg(long)]
        audience: String,
    },
    /// Signals that reach a real server while it is asked.
    Live {
        #[command(subcommand)]
        trial: live::command::Trial,
        /// The server to run; build it first.
        #[arg(long, default_value = "target/release/procura", global = true)]
        bin: PathBuf,
    },
    /// A real server that is asked for three times what its limits allow, and one caller that floods it.
    Overload {
        /// The server to run; build it first.
        #[arg(long, default_value = "target/release/procura")]
        bin: PathBuf,
        /// For how long, all rounds together.
        #[arg(long, default_value_t = 300)]
        seconds: u64,
        /// How often everything is done.
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Calls of 50 resources and 50 actions in a second that the limits allow each of four callers.
        #[arg(long, default_value_t = 20)]
        rate: u32,
        /// Names the whole trial.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Certificates, authorities and credentials exchanged under load: no request of a caller that is up to date may fail.
    Rotate {
        /// The server to run; build it first.
        #[arg(long, default_value = "target/release/procura")]
        bin: PathBuf,
        /// At least how long.
        #[arg(long, default_value_t = 300)]
        seconds: u64,
        /// Callers that ask all the time.
        #[arg(long, default_value_t = 16)]
        callers: usize,
        /// Names the whole trial.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// What it costs the server to know who asks: CPU for one request, by the credential that is shown.
    Credentials {
        /// The server to run; build it first.
        #[arg(long, default_value = "target/release/procura")]
        bin: PathBuf,
        /// Directory of policies.
        #[arg(long)]
        policies: PathBuf,
        /// File with the body of one check a line.
        #[arg(long)]
        bodies: PathBuf,
        /// The CPUs of the server, as `taskset` takes them.
        #[arg(long)]
        server_cpus: Option<String>,
        /// Rounds, in each of which every credential has its turn.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Seconds of a turn.
        #[arg(long, default_value_t = 3)]
        seconds: u64,
        /// Connections that are kept.
        #[arg(long, default_value_t = 32)]
        connections: usize,
    },
    /// What keeps facts, on disks that fail, in processes that are killed, and with many facts.
    Signals {
        #[command(subcommand)]
        trial: signals::command::Trial,
    },
    /// Whole policy sets exchanged under load: every answer must come from one set alone.
    ReloadStorm {
        /// The server to run; build it first.
        #[arg(long, default_value = "target/release/procura")]
        bin: PathBuf,
        /// Policies in the set.
        #[arg(long, default_value_t = 200)]
        files: usize,
        /// How often the set is exchanged, by link and by separate writes each.
        #[arg(long, default_value_t = 50)]
        swaps: usize,
        /// Names the whole trial.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().trial {
        Trial::PowerCut { rounds, seed, os } => power_cut(rounds, seed, os),
        Trial::Faults { rounds, seed } => faults(rounds, seed),
        Trial::Tamper { rounds, seed } => tamper(rounds, seed),
        Trial::Kill { bin, rounds, seed } => kill(&bin, rounds, seed),
        Trial::Ship { bin, rounds, seed } => ship(&bin, rounds, seed),
        Trial::Differential { peer, pairs, seed, oracle, sets, asks, show } => {
            let sides: &[Side] = if oracle { &[Side::Oracle] } else { &[Side::Engine, Side::Oracle] };
            let size = Size { sets, asks };
            differential(differential::Trial { peer: &peer, sides, pairs, seed, size }, show)
        }
        Trial::Query { records, seed, dir } => query(records, seed, dir.as_deref()),
        Trial::Mutants { sample, seed, path, copy } => {
            let root = PathBuf::from(".");
            let copy = std::path::absolute(copy)?;
            mutants(&mutants::Trial { root, path, copy, sample, seed })
        }
        Trial::Transmitter { audience } => transmitter(&audience),
        Trial::Live { trial, bin } => live::command::run(&trial, &bin, progress),
        Trial::Overload { bin, seconds, rounds, rate, seed } => {
            let time = Duration::from_secs(seconds);
            overload(overload::Trial { binary: &bin, time, rounds, rate, seed })
        }
        Trial::Rotate { bin: binary, seconds, callers, seed } => {
            rotate(&Rotation { binary, duration: Duration::from_secs(seconds), callers, seed })
        }
        Trial::Credentials { bin, policies, bodies, server_cpus, rounds, seconds, connections } => {
            credentials(&Comparison {
                binary: &bin,
                policies: &policies,
                bodies: &bodies,
                server_cpus: server_cpus.as_deref(),
                rounds,
                turn: Duration::from_secs(seconds),
                connections,
            })
        }
        Trial::Signals { trial } => signals::command::run(&trial, progress),
        Trial::ReloadStorm { bin: binary, files, swaps, seed } => reload_storm(&Storm {
            binary,
            files,
            swaps,
            connections: 4,
            within: Duration::from_secs(2),
            seed,
        }),
    }
}

fn transmitter(audience: &str) -> anyhow::Result<()> {
    let said = std::io::stdin().lines();
    tokio::runtime::Runtime::new()?.block_on(stand_in::run(audience, said, |line| println!("{line}")))
}

fn power_cut(rounds: u64, seed: u64, os: bool) -> anyhow::Result<()> {
    let durability = if os { Durability::Os } else { Durability::Durable };
    let outcome = power_cut::run(rounds, seed, durability, |so_far| {
        progress(&format!("{} of {rounds} power cuts, {} missing", so_far.cuts, so_far.missing));
    })?;
    println!(
        "\nseed {seed}, durability {}: {} power cuts, {} records acknowledged, {} missing, {} deleted by retention, \
         {} torn ends repaired, {} compressed segments",
        durability.as_str(),
        outcome.cuts,
        outcome.acknowledged,
        outcome.missing,
        outcome.deleted,
        outcome.repaired,
        outcome.compressed
    );
    ensure!((outcome.missing > 0) == os, "expected {} records missing", if os { "some" } else { "no" });
    Ok(())
}

fn faults(rounds: u64, seed: u64) -> anyhow::Result<()> {
    let outcome = faults::run(rounds, seed, |so_far| {
        progress(&format!("{} of {rounds} rounds, {} missing", so_far.rounds, so_far.missing));
    })?;
    println!(
        "\nseed {seed}: {} rounds, {} operations failed, {} records acknowledged, {} missing, {} deleted by retention, \
         {} refused; every log recovered and verified",
        outcome.rounds,
        outcome.failures,
        outcome.acknowledged,
        outcome.missing,
        outcome.deleted,
        outcome.refused
    );
    ensure!(outcome.missing == 0, "acknowledged records are missing");
    Ok(())
}

fn tamper(rounds: u64, seed: u64) -> anyhow::Result<()> {
    let outcome = tamper::run(rounds, seed, |so_far| {
        progress(&format!("{} of {rounds} changes, all found", so_far.rounds()));
    })?;
    println!("\nseed {seed}: {} changes, all found and named as promised:", outcome.rounds());
    for (name, count) in &outcome.found {
        println!("{count:>8} {name}");
    }
    Ok(())
}

fn kill(bin: &Path, rounds: u64, seed: u64) -> anyhow::Result<()> {
    let trial = kill::run(bin, rounds, seed, |so_far| {
        progress(&format!("{} of {rounds} kills, {} missing", so_far.kills, so_far.missing));
    });
    let outcome = tokio::runtime::Runtime::new()?.block_on(trial)?;
    println!(
        "\nseed {seed}: {} kills, {} calls answered, {} missing in the log, {} deleted by retention, {} of {} torn ends \
         repaired, {} compressed segments, chain verified",
        outcome.kills,
        outcome.acknowledged,
        outcome.missing,
        outcome.deleted,
        outcome.repaired,
        outcome.torn,
        outcome.compressed
    );
    ensure!(outcome.missing == 0, "answered calls are missing in the log");
    Ok(())
}

fn ship(bin: &Path, rounds: u64, seed: u64) -> anyhow::Result<()> {
    let trial = ship::run(bin, rounds, seed, |so_far| {
        progress(&format!(
            "{} of {rounds} kills, {} outages and ends of outages",
            so_far.kills, so_far.changes
        ));
    });
    let ship::Outcome { kills, changes, records, repeats } =
        tokio::runtime::Runtime::new()?.block_on(trial)?;
    println!(
        "\nseed {seed}: {kills} kills, {changes} changes of the receivers, {records} records in the log; each of 3 \
         destinations has all of them in order, {repeats} were repeated"
    );
    Ok(())
}

fn reload_storm(storm: &Storm) -> anyhow::Result<()> {
    let report = tokio::runtime::Runtime::new()?.block_on(reload_storm::run(storm))?;
    println!(
        "seed {}: {} answers, 0 wrong; slowest set live after {:?}; {} rounds repeated for a slow writer",
        storm.seed, report.answers, report.slowest, report.repeated
    );
    Ok(())
}

fn overload(trial: overload::Trial<'_>) -> anyhow::Result<()> {
    let running = overload::run(trial, |rounds, so_far| {
        progress(&format!("{rounds} of {} rounds, {} answered", trial.rounds, so_far.accepted));
    });
    let outcome = tokio::runtime::Runtime::new()?.block_on(running)?;
    println!("\nseed {}, {} calls a second for each of 4 callers: {outcome}", trial.seed, trial.rate);
    outcome.judge()
}

fn rotate(rotation: &Rotation) -> anyhow::Result<()> {
    let trial = rotate::run(rotation, |so_far| {
        let exchanges: u64 = so_far.exchanges.values().sum();
        progress(&format!("{exchanges} exchanges, {} answers, 0 failed", so_far.answers));
    });
    let outcome = tokio::runtime::Runtime::new()?.block_on(trial)?;
    println!(
        "\nseed {}: {} answers over {} connections, 0 failed; {} attempts with what is not good any more, all refused",
        rotation.seed, outcome.answers, outcome.connections, outcome.refused
    );
    for (kind, count) in &outcome.exchanges {
        println!("{count:>8} exchanges: {kind}");
    }
    Ok(())
}

fn credentials(comparison: &Comparison<'_>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let costs = runtime.block_on(credentials::compare(comparison, progress))?;
    println!(
        "\n{} rounds of {:?}, {} connections:",
        comparison.rounds, comparison.turn, comparison.connections
    );
    for cost in &costs {
        println!("{cost}");
    }
    Ok(())
}

fn query(records: u64, seed: u64, dir: Option<&Path>) -> anyhow::Result<()> {
    let own = match dir {
        Some(dir) => TempDir::within(dir, "query"),
        None => TempDir::new("query"),
    };
    let outcome = query::run(query::Trial { dir: own.path(), records, seed }, progress)?;
    println!("\nseed {seed}: {records} records\n{outcome}");
    Ok(())
}

fn differential(trial: differential::Trial<'_>, show: usize) -> anyhow::Result<()> {
    let differential::Trial { pairs, seed, .. } = trial;
    let trial = differential::run(trial, |so_far| {
        progress(&format!("{} of {pairs} pairs, {} differences", so_far.pairs, so_far.differences.len()));
    });
    let outcome = tokio::runtime::Runtime::new()?.block_on(trial)?;
    println!("\nseed {seed}: {} pairs; the peer answered:\n{}", outcome.pairs, outcome.coverage);
    for (reason, count) in &outcome.justified {
        println!("{count:>8} differ and may: {reason:?}");
    }
    for difference in outcome.differences.iter().skip(show).take(20) {
        println!("{}", difference.summary());
    }
    for difference in outcome.differences.iter().take(show) {
        println!("{}", difference.report());
    }
    ensure!(outcome.differences.is_empty(), "{} answers differ", outcome.differences.len());
    Ok(())
}

fn mutants(trial: &mutants::Trial) -> anyhow::Result<()> {
    let mut told = 0;
    let outcome = mutants::run(trial, |so_far| {
        let survivors = so_far.survivors.len();
        for survivor in so_far.survivors.iter().skip(told) {
            eprintln!("\r{survivor}");
        }
        told = survivors;
        let tried = so_far.killed + survivors;
        progress(&format!("{tried} of {} changes, {survivors} unnoticed", trial.sample));
    })?;
    let survived = outcome.survivors.len();
    let viable = outcome.killed + survived;
    println!(
        "\nseed {}: {viable} of {} changes tried, {} noticed, {survived} not; {} more do not compile",
        trial.seed, outcome.candidates, outcome.killed, outcome.unviable
    );
    for survivor in &outcome.survivors {
        println!("{survivor}");
    }
    ensure!(outcome.killed * 10 >= viable * 9, "more than a tenth was not noticed");
    Ok(())
}

fn progress(line: &str) {
    eprint!("\r{line}  ");
    // A progress line that cannot be shown is no failure of the trial.
    let _ = std::io::stderr().flush();
}
