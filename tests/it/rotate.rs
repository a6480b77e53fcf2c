//! Certificates and credentials are exchanged under load: a short form of the trial `rotate`.

use std::time::Duration;

use procura_testkit::rotate::{Rotation, run};

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_exchanged_under_load_and_no_request_of_a_valid_caller_fails() {
    let rotation = Rotation {
        binary: env!("CARGO_BIN_EXE_procura").into(),
        duration: Duration::ZERO,
        callers: 6,
        seed: 1,
    };
    let outcome = run(&rotation, |_| {}).await.unwrap();
    assert_eq!(outcome.exchanges.len(), 7, "{outcome:?}");
    assert!(outcome.answers >= 84 && outcome.refused == 8, "{outcome:?}");
}
