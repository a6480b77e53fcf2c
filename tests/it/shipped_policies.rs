//! The policy sets that ship compile without a finding and pass the tests beside them.

use std::path::Path;

use procura_core::engine::{OnError, Settings};
use procura_testkit::suite;

const SETS: [&str; 4] = ["hr_leave", "saas_documents", "workloads", "agent_tools"];

fn failures(on_error: OnError) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let settings = Settings { on_error, ..Settings::default() };
    let mut failures = Vec::new();
    let mut checked = 0;
    for set in SETS {
        let report = suite::run(&root.join(set), &settings);
        assert!(report.checked > 0, "{set} has no tests");
        checked += report.checked;
        failures.extend(report.failures);
    }
    println!("{checked} decisions with {on_error:?}, {} not as expected", failures.len());
    failures
}

#[test]
fn shipped_policies_pass_the_tests_beside_them() {
    assert_eq!(failures(OnError::Closed), Vec::<String>::new());
}

/// What the default is for: a deny rule that reads a missing attribute stops denying in the peer's semantics.
#[test]
fn the_peers_error_semantics_let_one_of_these_tests_fail_open() {
    let failures = failures(OnError::Cerbos);
    let [only] = failures.as_slice() else { panic!("{failures:#?}") };
    assert!(
        only.contains("a request without an employee is approved by nobody: hedy approve incomplete"),
        "{only}"
    );
}
