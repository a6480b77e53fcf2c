//! Stream management (SSF 1.0, section 8): the stream of a foreign transmitter is found, verified and heard.

use easyssf_test::subjects::iss_sub;
use procura_interop::eventually;
use serde_json::json;

use crate::bench::{Bench, MANAGED, STREAM};

#[test]
fn stream_that_is_there_is_found_verified_and_heard() {
    let bench = Bench::managed();
    let server = bench.serve();
    let transmitter = bench.transmitter().inner();
    eventually("the stream is to be verified", || !transmitter.verification_requests().is_empty());
    let state = transmitter.verification_requests().remove(0);
    let verification = bench.transmitter().verification(STREAM, Some(&state), MANAGED);
    transmitter.queue_set(&bench.transmitter().sign(&verification));
    let subject = iss_sub(&bench.issuer(), "alice");
    let claims = bench.transmitter().claims("RiscAccountDisabled", subject, json!({}), MANAGED);
    transmitter.queue_set(&bench.transmitter().sign(&claims));
    eventually("both are fetched", || transmitter.queued_set_count() == 0);
    assert!(transmitter.reported_errors().is_empty(), "{:?}", transmitter.reported_errors());
    assert!(!server.may_open("alice", "s-1", "d-1"));
    assert_eq!(transmitter.streams().len(), 1, "no other stream was made");
}

#[test]
fn verification_with_a_state_that_nobody_asked_for_is_refused() {
    let bench = Bench::managed();
    let _server = bench.serve();
    let transmitter = bench.transmitter().inner();
    let forged = bench.transmitter().verification(STREAM, Some("made up"), MANAGED);
    transmitter.queue_set(&bench.transmitter().sign(&forged));
    eventually("it is answered", || transmitter.queued_set_count() == 0);
    assert_eq!(transmitter.reported_errors()[0].1["err"], json!("invalid_state"));
    let unasked = bench.transmitter().verification(STREAM, None, MANAGED);
    transmitter.queue_set(&bench.transmitter().sign(&unasked));
    eventually("it is answered", || transmitter.queued_set_count() == 0);
    assert_eq!(transmitter.reported_errors().len(), 1, "one that nobody asked for without a state is good");
}
