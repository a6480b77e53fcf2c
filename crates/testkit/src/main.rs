//! Runs the long trials from the command line: `cargo run --release -p procura-testkit -- --help`.
#![allow(clippy::print_stdout, reason = "a command line tells its user what it found")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use procura_testkit::reload_storm::{self, Storm};

#[derive(Parser)]
#[command(about = "Long trials of Procura")]
struct Cli {
    #[command(subcommand)]
    trial: Trial,
}

#[derive(Subcommand)]
enum Trial {
    /// Exchange whole policy sets under load; every answer must come from one set whole.
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
        /// Repeats the choices of an earlier run.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().trial {
        Trial::ReloadStorm {
            bin: binary,
            files,
            swaps,
            seed,
        } => {
            let storm = Storm {
                binary,
                files,
                swaps,
                connections: 4,
                within: Duration::from_secs(2),
                seed,
            };
            let report = reload_storm::run(&storm).await?;
            println!(
                "reload storm: {} answers, 0 wrong; slowest set live after {:?}; {} rounds repeated; seed {seed}",
                report.answers, report.slowest, report.repeated
            );
        }
    }
    Ok(())
}
