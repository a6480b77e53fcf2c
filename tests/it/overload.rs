//! A real server that is asked for more than its limits allow, short form; `cargo run -p procura-testkit -- overload` is
//! the long one, which also holds the times.

use std::path::Path;
use std::time::Duration;

use procura_testkit::overload::{Trial, run};

const SEED: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overloaded_server_answers_rightly_or_refuses() {
    let binary = Path::new(env!("CARGO_BIN_EXE_procura"));
    let trial = Trial { binary, time: Duration::from_secs(4), rounds: 1, rate: 4, seed: SEED };
    let outcome = run(trial, |_, _| ()).await.unwrap();
    assert!(outcome.accepted > 0 && outcome.refused > outcome.accepted / 4, "seed {SEED}: {outcome}");
}
