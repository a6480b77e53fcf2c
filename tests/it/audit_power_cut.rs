//! The decision log at power cuts, short form; `cargo run -p procura-testkit -- power-cut` is the long one.

use procura::ports::Durability;
use procura_testkit::power_cut::run;

const SEED: u64 = 20_261_122;

#[test]
fn no_acknowledged_record_is_lost_at_a_power_cut() {
    let outcome = run(200, SEED, Durability::Durable, |_| ()).unwrap();
    assert_eq!(outcome.missing, 0, "seed {SEED}: {outcome:?}");
    assert!(outcome.acknowledged > 1000 && outcome.repaired > 20, "a trial that tries nothing: {outcome:?}");
    assert!(outcome.deleted > 50 && outcome.compressed > 50, "a trial that tries nothing: {outcome:?}");
}

/// The trial can fail: what it finds missing here is what durability protects.
#[test]
fn records_acknowledged_before_the_disk_are_lost_at_a_power_cut() {
    let outcome = run(200, SEED, Durability::Os, |_| ()).unwrap();
    assert!(outcome.missing > 0, "seed {SEED}: {outcome:?}");
}

#[test]
fn no_failure_of_the_disk_loses_an_acknowledged_record_or_stops_the_log_for_good() {
    let outcome = procura_testkit::faults::run(40, SEED, |_| ()).unwrap();
    assert_eq!(outcome.missing, 0, "seed {SEED}: {outcome:?}");
    let tried = outcome.failures > 200 && outcome.acknowledged > 500 && outcome.refused > 100;
    assert!(tried, "a trial that tries nothing: {outcome:?}");
}
