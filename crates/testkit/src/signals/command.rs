//! The trials of what keeps facts, as commands.

use std::path::PathBuf;

use clap::Subcommand;

use super::kill::{self, Stream};
use super::{disk, held};
use crate::temp_dir::TempDir;

/// A trial of what keeps facts.
#[derive(Debug, Subcommand)]
pub enum Trial {
    /// A simulated disk that fails and loses power.
    Disk {
        /// How many disks, each with a few power cuts.
        #[arg(long, default_value_t = 10_000)]
        rounds: u64,
        /// Names the whole trial.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A process that is killed while it takes a stream of events.
    Kill {
        /// How many events.
        #[arg(long, default_value_t = 100_000)]
        events: u64,
        /// How many kills.
        #[arg(long, default_value_t = 50)]
        kills: u64,
        /// Names the whole trial.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// The process that `kill` kills.
    #[command(hide = true)]
    Keep {
        /// Where the facts are.
        #[arg(long)]
        dir: PathBuf,
        /// As of `kill`.
        #[arg(long)]
        seed: u64,
        /// As of `kill`.
        #[arg(long)]
        events: u64,
        /// The first event.
        #[arg(long)]
        from: u64,
    },
    /// Many facts: memory, start, and what a question costs.
    Held {
        /// How many.
        #[arg(long, default_value_t = 1_000_000)]
        facts: usize,
    },
}

/// Runs it.
pub fn run(trial: &Trial, progress: impl Fn(&str)) -> anyhow::Result<()> {
    match *trial {
        Trial::Disk { rounds, seed } => {
            let outcome = disk::run(rounds, seed, |so_far| {
                progress(&format!("{} power cuts, {} events kept", so_far.cuts, so_far.acknowledged));
            })?;
            println!("\nseed {seed}: {outcome:?}; nothing acknowledged is missing, nothing else was found");
        }
        Trial::Kill { events, kills, seed } => {
            let binary = std::env::current_exe()?;
            let outcome = kill::run(&binary, Stream { seed, events }, kills, |so_far| {
                progress(&format!(
                    "{} of {kills} kills, {} of {events} events",
                    so_far.kills, so_far.acknowledged
                ));
            })?;
            println!(
                "\nseed {seed}: {outcome:?}; facts, changes and names are those of an uninterrupted run"
            );
        }
        Trial::Keep { ref dir, seed, events, from } => kill::keep(dir, Stream { seed, events }, from)?,
        Trial::Held { facts } => {
            let dir = TempDir::new("facts-held");
            let outcome = held::run(dir.path(), facts, progress)?;
            println!("\n{outcome:#?}");
        }
    }
    Ok(())
}
