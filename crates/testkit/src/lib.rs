//! Dev-only helpers: HTTP client, server process handle, simulated disk, long-running trials.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "test support: a broken assumption fails the test that made it"
)]

pub mod callers;
pub mod calls;
pub mod certificates;
pub mod clock;
pub mod credentials;
pub mod differential;
pub mod faults;
pub mod http;
pub mod issuer;
pub mod key_server;
pub mod kill;
pub mod live;
pub mod load;
pub mod mutants;
pub mod overload;
pub mod power_cut;
pub mod query;
pub mod receiver;
pub mod reload_storm;
pub mod replay;
pub mod rotate;
pub mod server;
pub mod ship;
pub mod signals;
pub mod sim_disk;
pub mod stand_in;
pub mod tamper;
pub mod temp_dir;
pub mod transmitter;
pub mod witness;

pub use procura_samples::{corpus, rng, yaml};
