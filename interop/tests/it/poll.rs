//! Poll (RFC 8936): events are fetched, acknowledged once they count, refused by name, and come once across restarts.

use crate::bench::{Bench, now};
use easyssf_test::subjects::{iss_sub, opaque};
use easyssf_test::{TestSigningKey, TestTransmitter};
use procura_interop::{eventually, forge};
use serde_json::json;

#[test]
fn what_is_acknowledged_counts_already() {
    let bench = Bench::poll();
    let server = bench.serve();
    assert!(server.may_open("alice", "s-1", "d-1"));
    let claims = bench.claims("RiscAccountDisabled", iss_sub(&bench.issuer(), "alice"), json!({}));
    bench.transmitter().inner().queue_set(&bench.transmitter().sign(&claims));
    let jti = claims["jti"].as_str().unwrap();
    let acknowledged = || bench.transmitter().inner().acknowledged_sets().iter().any(|known| known == jti);
    eventually("the event is acknowledged", acknowledged);
    assert!(!server.may_open("alice", "s-1", "d-1"));
    assert!(server.may_open("bob", "s-1", "d-1"));
}

#[test]
fn no_event_is_lost_or_told_twice_when_the_server_is_killed() {
    let bench = Bench::poll();
    let queue = |event: &str, id: &str, at: u64| {
        let claims = bench.claims(event, iss_sub(&bench.issuer(), id), json!({"event_timestamp": at}));
        bench.transmitter().inner().queue_set(&bench.transmitter().sign(&claims));
    };
    let empty = || bench.transmitter().inner().queued_set_count() == 0;
    let server = bench.serve();
    for number in 0..20 {
        queue("RiscAccountDisabled", &format!("user-{number}"), now() - 20);
    }
    eventually("some are fetched", || !bench.transmitter().inner().acknowledged_sets().is_empty());
    server.kill();
    queue("RiscAccountEnabled", "user-0", now() - 10);
    let server = bench.serve();
    eventually("all are fetched", empty);
    assert!(server.may_open("user-0", "s-1", "d-1"));
    for number in 1..20 {
        assert!(!server.may_open(&format!("user-{number}"), "s-1", "d-1"), "user-{number}");
    }
    assert_eq!(server.records("signal").len(), 21, "each is recorded once");
}

#[test]
fn every_forged_set_is_refused_by_its_name_and_the_good_ones_beside_it_are_taken() {
    let bench = Bench::poll();
    let good = bench.claims("RiscAccountDisabled", iss_sub(&bench.issuer(), "alice"), json!({}));
    let forged = forge::all(bench.transmitter(), &good);
    for forged in &forged {
        bench.transmitter().inner().queue_set_with_jti(forged.what, &forged.set);
    }
    let other = bench.claims("RiscAccountDisabled", iss_sub(&bench.issuer(), "bob"), json!({}));
    bench.transmitter().inner().queue_set(&bench.transmitter().sign(&other));
    let server = bench.serve();
    eventually("all are answered", || bench.transmitter().inner().queued_set_count() == 0);
    let reported = bench.transmitter().inner().reported_errors();
    for forged in &forged {
        let told = reported.iter().find(|(jti, _)| jti == forged.what).map(|(_, error)| &error["err"]);
        let code = told.and_then(|code| code.as_str()).unwrap_or("nothing");
        assert!(forged.codes.contains(&code), "{}: {code}", forged.what);
    }
    assert_eq!(bench.transmitter().inner().acknowledged_sets().len(), 1);
    assert!(server.may_open("alice", "s-1", "d-1"));
    assert!(!server.may_open("bob", "s-1", "d-1"));
}

#[test]
fn transmitter_that_is_away_or_changes_its_key_is_heard_again() {
    let bench = Bench::poll();
    let server = bench.serve();
    let transmitter = bench.transmitter().inner();
    transmitter.set_available(false);
    let claims = bench.claims("RiscAccountDisabled", iss_sub(&bench.issuer(), "alice"), json!({}));
    transmitter.queue_set(&bench.transmitter().sign(&claims));
    transmitter.set_available(true);
    eventually("the event is fetched", || transmitter.queued_set_count() == 0);
    assert!(!server.may_open("alice", "s-1", "d-1"));

    let next = TestSigningKey::generate(2048, "next");
    transmitter.publish_jwks(&[transmitter.key(), &next]);
    let typ = Some(TestTransmitter::SECEVENT_JWT_TYPE);
    // Keys are not asked for again and again: until then it waits, and nobody is told that it is refused.
    let claims = bench.claims("CaepSessionRevoked", opaque("bob"), json!({}));
    transmitter.queue_set(&TestTransmitter::sign(&next, typ, &claims));
    eventually("an event of the new key counts", || !server.may_open("bob", "s-1", "d-1"));
    eventually("and is acknowledged", || transmitter.queued_set_count() == 0);
    assert!(transmitter.reported_errors().is_empty(), "it was never refused");
}
