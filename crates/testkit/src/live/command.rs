//! The trials of live signals, as they are asked for.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use clap::Subcommand;

use super::{flood, held, kill, latency, linear};

/// What is tried.
#[derive(Subcommand)]
pub enum Trial {
    /// No request that begins after an acknowledgement sees the facts before it.
    Linear {
        /// How many events.
        #[arg(long, default_value_t = 10_000)]
        events: u64,
        /// How many ask at a time.
        #[arg(long, default_value_t = 8)]
        callers: u64,
    },
    /// How long a signal takes to be acknowledged, beside one append and fdatasync of the same disk.
    Latency {
        /// How many events.
        #[arg(long, default_value_t = 2000)]
        events: usize,
    },
    /// Forged signals at full speed beside normal load.
    Flood {
        /// How long there is flood, in rounds with a little peace before each.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// Connections that forge.
        #[arg(long, default_value_t = 64)]
        forgers: usize,
    },
    /// A server that is killed in the middle of a stream of events.
    Kill {
        /// How many events.
        #[arg(long, default_value_t = 100_000)]
        events: u64,
        /// How often it is killed.
        #[arg(long, default_value_t = 50)]
        kills: u64,
        /// Names the whole trial.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// CPU of a decision with many facts held, beside that with none; start and memory.
    Held {
        /// How many facts.
        #[arg(long, default_value_t = 1_000_000)]
        facts: usize,
        /// Rounds, in each of which every kind of question has its turn.
        #[arg(long, default_value_t = 7)]
        rounds: usize,
        /// Seconds of a turn.
        #[arg(long, default_value_t = 3)]
        seconds: u64,
        /// Without the decision log, so that nothing hides what facts cost.
        #[arg(long)]
        bare: bool,
    },
}

/// Runs `trial` on the server `bin`.
///
/// # Errors
/// If something is not as it should be.
#[tokio::main]
pub async fn run(trial: &Trial, bin: &Path, progress: impl Fn(&str)) -> anyhow::Result<()> {
    match *trial {
        Trial::Linear { events, callers } => {
            let outcome = linear::run(linear::Trial { binary: bin, events, callers }).await?;
            println!("{outcome}");
            ensure!(outcome.after >= events, "fewer requests than events: that shows nothing");
        }
        Trial::Latency { events } => {
            let outcome = latency::run(bin, events).await?;
            println!("{outcome}");
            ensure!(outcome.ratio() <= 4.0, "a signal takes more than 4 times as long as the disk");
        }
        Trial::Flood { minutes, forgers } => {
            let time = Duration::from_secs(60 * minutes);
            let trial = flood::Trial { binary: bin, time, forgers };
            let outcome = flood::run(trial, |done, all| progress(&format!("{done} of {all} rounds"))).await?;
            println!();
            println!("{outcome}");
            ensure!(outcome.ratio() <= 2.0, "decisions take more than twice as long in the flood");
        }
        Trial::Kill { events, kills, seed } => {
            let trial = kill::Trial { binary: bin, events, kills, seed };
            let outcome = kill::run(trial, |so_far| {
                let kill::Outcome { kills: done, acknowledged, .. } = so_far;
                progress(&format!("{done} of {kills} kills, {acknowledged} of {events} events"));
            });
            println!("\nseed {seed}: {}", outcome.await?);
        }
        Trial::Held { facts, rounds, seconds, bare } => {
            let turn = Duration::from_secs(seconds);
            let outcome = held::run(held::Trial { binary: bin, facts, rounds, turn, bare }, progress).await?;
            println!("\n{outcome}");
            ensure!(
                outcome.ratios().iter().all(|ratio| *ratio <= 1.1),
                "decisions take more than 10 % more CPU"
            );
        }
    }
    Ok(())
}
