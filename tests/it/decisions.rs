//! The decision corpus, played against the core.

use procura_core::engine::decide;
use procura_core::model::Timestamp;
use procura_core::policy::compile;
use procura_testkit::corpus;

#[test]
fn every_behaviour_of_the_corpus_is_the_behaviour_of_the_core() {
    let mut cases = 0;
    for behaviour in corpus::behaviours() {
        let compiled = compile(&behaviour.files());
        let rendered: Vec<_> =
            compiled.diagnostics.iter().map(|d| format!("{}: {}", d.position, d.message)).collect();
        let Some(snapshot) = compiled.snapshot else {
            panic!("{} does not compile:\n{}", behaviour.name, rendered.join("\n"));
        };
        for case in &behaviour.cases {
            let body = case.body();
            let request = corpus::core_request(&body);
            let evaluation = decide(&snapshot, &request, &case.settings(), Timestamp::UNIX_EPOCH);
            case.assert(&behaviour, &corpus::answers(&request, &evaluation));
            cases += 1;
        }
    }
    assert!(cases > 60, "the corpus has shrunk to {cases} cases");
}
