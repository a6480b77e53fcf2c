//! Dev-only helpers: server process handle, simulated disks, long-running trials.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "test support: a broken assumption fails the test that made it"
)]

pub mod yaml;
