//! A real server killed under load, short form; `cargo run -p procura-testkit -- kill` is the long one.

use std::path::Path;

use procura_testkit::kill::run;

const SEED: u64 = 11;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answered_call_is_lost_when_the_server_is_killed() {
    let binary = Path::new(env!("CARGO_BIN_EXE_procura"));
    let outcome = run(binary, 3, SEED, |_| ()).await.unwrap();
    assert_eq!((outcome.kills, outcome.missing), (3, 0), "seed {SEED}: {outcome:?}");
    assert!(outcome.acknowledged > 0, "a trial that tries nothing: {outcome:?}");
}
