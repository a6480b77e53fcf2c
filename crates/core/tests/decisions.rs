//! The decision corpus, played against the core.
#![cfg(test)]

use procura_core::engine::{Settings, decide};
use procura_core::model::{Request, Timestamp};
use procura_core::policy::{Snapshot, compile};
use procura_core::record::Record;
use procura_core::replay::RecordedCall;
use procura_samples::corpus::{self, CaseSettings};
use procura_samples::engine::recorded;

#[test]
fn every_behaviour_of_the_corpus_is_the_behaviour_of_the_core() {
    let mut cases = 0;
    for behaviour in corpus::behaviours() {
        let compiled = compile(&behaviour.files());
        let findings: Vec<_> =
            compiled.diagnostics.iter().map(|d| format!("{}: {}", d.position, d.message)).collect();
        let snapshot = compiled.snapshot.unwrap_or_else(|| panic!("{}: {findings:#?}", behaviour.name));
        for case in &behaviour.cases {
            let body = case.body();
            let request = case.core_request(&body);
            let evaluation = decide(&snapshot, &request, &case.settings(), Timestamp::UNIX_EPOCH);
            case.assert(&behaviour, &corpus::answers(&request, &evaluation));
            assert_is_made_again(&snapshot, &request, &case.settings(), &case.name);
            cases += 1;
        }
    }
    assert!(cases > 60, "the corpus has shrunk to {cases} cases");
}

/// Fails unless the record of the call suffices to decide it again, bit for bit.
fn assert_is_made_again(snapshot: &Snapshot, request: &Request<'_>, settings: &Settings, about: &str) {
    let bytes = recorded(snapshot, settings, request, Timestamp::UNIX_EPOCH);
    let Record::Decision(record) = Record::decode(&bytes).unwrap() else { panic!("no decision") };
    let call = RecordedCall::of(&record).unwrap();
    assert_eq!(call.request.signals, request.signals, "{about}");
    assert_eq!(call.results(snapshot), record.results, "{about}");
}

#[test]
fn a_case_without_settings_has_the_settings_that_are_there_by_default() {
    let behaviours = corpus::behaviours();
    let mut cases = behaviours.iter().flat_map(|behaviour| &behaviour.cases);
    let unset = cases.find(|case| case.settings == CaseSettings::default()).unwrap();
    assert_eq!(unset.settings(), Settings::default());
}
