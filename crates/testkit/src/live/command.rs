//! The trials of live signals, as they are asked for.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use clap::Subcommand;

use super::{flood, latency, linear};

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
        /// How long the flood lasts, and the quiet time before it.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// Connections that forge.
        #[arg(long, default_value_t = 64)]
        forgers: usize,
    },
}

/// Runs `trial` on the server `bin`.
///
/// # Errors
/// If something is not as it should be.
#[tokio::main]
pub async fn run(trial: &Trial, bin: &Path) -> anyhow::Result<()> {
    match *trial {
        Trial::Linear { events, callers } => {
            println!("{}", linear::run(linear::Trial { binary: bin, events, callers }).await?);
        }
        Trial::Latency { events } => {
            let outcome = latency::run(bin, events).await?;
            println!("{outcome}");
            ensure!(outcome.ratio() <= 4.0, "a signal takes more than 4 times as long as the disk");
        }
        Trial::Flood { minutes, forgers } => {
            let time = Duration::from_secs(60 * minutes);
            let outcome = flood::run(flood::Trial { binary: bin, time, forgers }).await?;
            println!("{outcome}");
            ensure!(outcome.ratio() <= 2.0, "decisions take more than twice as long in the flood");
        }
    }
    Ok(())
}
