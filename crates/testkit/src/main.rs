//! Long-running trials: `cargo run -p procura-testkit -- power-cut --rounds 1000 --seed 1`.

use std::io::Write;

use anyhow::ensure;
use clap::{Parser, Subcommand};
use procura::audit::Durability;
use procura_testkit::power_cut;

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
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().trial {
        Trial::PowerCut { rounds, seed, os } => power_cut(rounds, seed, os),
    }
}

fn power_cut(rounds: u64, seed: u64, os: bool) -> anyhow::Result<()> {
    let durability = if os { Durability::Os } else { Durability::Durable };
    let outcome = power_cut::run(rounds, seed, durability, |so_far| {
        progress(&format!(
            "{} of {rounds} power cuts, {} missing",
            so_far.cuts, so_far.missing
        ));
    })?;
    println!(
        "\nseed {seed}, durability {}: {} power cuts, {} records acknowledged, {} missing, {} torn ends repaired",
        durability.as_str(),
        outcome.cuts,
        outcome.acknowledged,
        outcome.missing,
        outcome.repaired
    );
    ensure!(
        (outcome.missing > 0) == os,
        "expected {} records missing",
        if os { "some" } else { "no" }
    );
    Ok(())
}

fn progress(line: &str) {
    eprint!("\r{line}  ");
    // A progress line that cannot be shown is no failure of the trial.
    let _ = std::io::stderr().flush();
}
