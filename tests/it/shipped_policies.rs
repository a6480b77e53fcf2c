//! The policy sets that ship compile without a finding and pass the tests beside them.

use std::path::Path;

use procura_core::engine::{OnError, Settings};
use procura_testkit::suite;

#[test]
fn shipped_policies_pass_the_tests_beside_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for on_error in [OnError::Closed, OnError::Cerbos] {
        let settings = Settings {
            default_policy_version: "default".to_owned(),
            on_error,
        };
        let mut expectations = 0;
        for set in ["hr_leave", "saas_documents", "workloads", "agent_tools"] {
            let report = suite::run(&root.join(set), &settings);
            assert!(
                report.failures.is_empty(),
                "{set} with {on_error:?}:\n{}",
                report.failures.join("\n")
            );
            assert!(report.checked > 0, "{set} has no tests");
            expectations += report.checked;
        }
        println!("{expectations} decisions as expected with {on_error:?}");
    }
}
