//! Push (RFC 8935): what a foreign transmitter sends changes the very next decision, and what it would never send nothing.

use crate::bench::{AUDIENCE, AUTHORIZATION, Bench, now};
use easyssf_test::subjects::{complex, complex_members, email, iss_sub, opaque};
use procura_interop::forge;
use procura_interop::http::Message;
use procura_interop::server::Server;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

#[test]
fn revoked_session_is_denied_from_the_answer_on_and_after_a_kill() {
    let bench = Bench::push();
    let server = bench.serve();
    assert!(server.may_open("alice", "s-1", "d-1"));
    let subject = complex(Some(iss_sub(&bench.issuer(), "alice")), Some(opaque("s-1")));
    taken(&bench, &server, "CaepSessionRevoked", subject, json!({"reason_admin": {"en": "left in a train"}}));
    assert!(!server.may_open("alice", "s-1", "d-1"));
    assert!(server.may_open("alice", "s-2", "d-1"), "another session");
    assert!(server.may_open("bob", "s-1", "d-1"), "a session of the same name of somebody else");

    let told = server.records("signal");
    assert_eq!(told[0]["source"], json!("easyssf"));
    let denied =
        server.records("decision").iter().any(|record| record.to_string().contains("session_revoked"));
    assert!(denied, "the record says why");
    server.kill();
    assert!(!bench.serve().may_open("alice", "s-1", "d-1"), "facts survive");
}

#[test]
fn policies_read_what_is_held_true_and_the_newest_counts_whatever_comes_last() {
    let bench = Bench::push();
    let server = bench.serve();
    let device = || complex_members(vec![("device", opaque("d-1"))]);
    let compliance = |status: &str, at: u64| json!({"current_status": status, "event_timestamp": at});
    let credential = |change: &str| json!({"credential_type": "password", "change_type": change});
    let steps = [
        ("CaepDeviceComplianceChange", device(), compliance("not-compliant", now() - 20), false),
        ("CaepDeviceComplianceChange", device(), compliance("compliant", now() - 10), true),
        ("CaepDeviceComplianceChange", device(), compliance("not-compliant", now() - 15), true),
        ("CaepRiskLevelChange", email("alice@example.org"), risk("HIGH"), true),
        ("CaepRiskLevelChange", iss_sub(&bench.issuer(), "alice"), risk("HIGH"), false),
        ("CaepRiskLevelChange", iss_sub(&bench.issuer(), "alice"), risk("LOW"), true),
        ("RiscAccountDisabled", iss_sub(&bench.issuer(), "alice"), json!({"reason": "hijacking"}), false),
        ("RiscAccountEnabled", iss_sub(&bench.issuer(), "alice"), json!({}), true),
        ("CaepCredentialChange", iss_sub(&bench.issuer(), "alice"), credential("revoke"), false),
        ("CaepCredentialChange", iss_sub(&bench.issuer(), "alice"), credential("update"), true),
    ];
    for (number, (event, subject, payload, allowed)) in steps.into_iter().enumerate() {
        // One second after the other: instants of events have no fractions.
        let mut payload = payload;
        if payload.get("event_timestamp").is_none() {
            payload["event_timestamp"] = (now() - 9 + number as u64).into();
        }
        taken(&bench, &server, event, subject, payload);
        assert_eq!(server.may_open("alice", "s-1", "d-1"), allowed, "step {number}: {event}");
    }
    assert!(server.may_open("bob", "s-9", "d-9"));
}

/// The answer once there is one about the SET itself: a key that is not known may be new, as long as the keys were fetched
/// a moment ago and cannot be fetched again.
fn judged(push: impl Fn() -> Message) -> Message {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = push();
        if !matches!(answer.status(), 429 | 503) || Instant::now() > deadline {
            return answer;
        }
    }
}

#[test]
fn every_forged_set_is_refused_with_the_code_of_the_standard_and_changes_nothing() {
    let bench = Bench::push();
    let server = bench.serve();
    let good = bench.claims("CaepSessionRevoked", iss_sub(&bench.issuer(), "alice"), json!({}));
    for forged in forge::all(bench.transmitter(), &good) {
        let what = forged.what;
        let answer = judged(|| server.push("easyssf", Some(AUTHORIZATION), &forged.set));
        assert!(is_refusal(&answer, forged.codes), "{what}: {} {}", answer.start, answer.text());
        assert!(server.may_open("alice", "s-1", "d-1"), "{what}");
    }
    assert_eq!(server.records("signal").len(), 0);
    let refused = server.records("signals_refused").len();
    assert!((1..=11).contains(&refused), "{refused} records of refusals");

    let taken = server.push("easyssf", Some(AUTHORIZATION), &bench.transmitter().sign(&good));
    assert_eq!((taken.status(), taken.body.len()), (202, 0), "{}", taken.text());
    assert!(!server.may_open("alice", "s-1", "d-1"), "the same without what was wrong is taken");
}

#[test]
fn repeated_set_is_taken_again_and_changes_nothing_but_another_of_its_name_is_refused() {
    let bench = Bench::push();
    let server = bench.serve();
    let about = |id: &str| iss_sub(&bench.issuer(), id);
    let disabled =
        bench.claims("RiscAccountDisabled", about("alice"), json!({"event_timestamp": now() - 20}));
    let enabled = bench.claims("RiscAccountEnabled", about("alice"), json!({"event_timestamp": now() - 10}));
    for claims in [&disabled, &enabled, &disabled] {
        let answer = server.push("easyssf", Some(AUTHORIZATION), &bench.transmitter().sign(claims));
        assert_eq!(answer.status(), 202, "{}", answer.text());
    }
    assert!(server.may_open("alice", "s-1", "d-1"), "what comes again moves nothing back");
    assert_eq!(server.records("signal").len(), 2, "and is recorded once");

    let mut other = bench.claims("RiscAccountDisabled", about("bob"), json!({}));
    other.insert("jti".to_owned(), disabled["jti"].clone());
    let answer = server.push("easyssf", Some(AUTHORIZATION), &bench.transmitter().sign(&other));
    assert!(server.may_open("bob", "s-1", "d-1"), "{}", answer.text());
}

#[test]
fn transmitter_shows_who_it_is_byte_for_byte() {
    let bench = Bench::push();
    let server = bench.serve();
    let good = bench.claims("CaepSessionRevoked", iss_sub(&bench.issuer(), "alice"), json!({}));
    let set = bench.transmitter().sign(&good);
    let lower = AUTHORIZATION.to_lowercase();
    let unknown = server.push("nobody", Some(AUTHORIZATION), &set);
    for shown in [None, Some(lower.as_str()), Some("Bearer x"), Some(&AUTHORIZATION[1..])] {
        let answer = server.push("easyssf", shown, &set);
        assert!(
            is_refusal(&answer, &["authentication_failed"]),
            "{shown:?}: {} {}",
            answer.start,
            answer.text()
        );
        assert_eq!(answer.body, unknown.body, "{shown:?}");
        assert!(server.may_open("alice", "s-1", "d-1"), "{shown:?}");
    }
    assert_eq!(server.push("easyssf", Some(AUTHORIZATION), &set).status(), 202);
    assert!(!server.may_open("alice", "s-1", "d-1"));
}

#[test]
fn set_for_one_stream_is_refused_by_another() {
    let bench = Bench::push();
    let server = bench.serve();
    let mut good = bench.claims("CaepSessionRevoked", iss_sub(&bench.issuer(), "alice"), json!({}));
    let answer = server.push("other", Some(AUTHORIZATION), &bench.transmitter().sign(&good));
    assert!(is_refusal(&answer, &["invalid_audience"]), "{} {}", answer.start, answer.text());
    assert!(server.may_open("alice", "s-1", "d-1"));
    good.insert("aud".to_owned(), json!(["https://elsewhere.example", AUDIENCE]));
    assert_eq!(server.push("easyssf", Some(AUTHORIZATION), &bench.transmitter().sign(&good)).status(), 202);
}

/// Pushes a good SET, which is taken.
fn taken(bench: &Bench, server: &Server, event: &str, subject: Map<String, Value>, payload: Value) {
    let set = bench.transmitter().sign(&bench.claims(event, subject, payload));
    let answer = server.push("easyssf", Some(AUTHORIZATION), &set);
    assert_eq!((answer.status(), answer.text()), (202, String::new()), "{event}");
}

fn risk(level: &str) -> Value {
    json!({"principal": "USER", "current_level": level, "risk_reason": "IMPOSSIBLE_TRAVEL"})
}

/// Whether this is a refusal as of RFC 8935, section 2.4, with one of these codes.
fn is_refusal(answer: &Message, codes: &[&str]) -> bool {
    let told = || answer.json();
    answer.status() == 400
        && answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json"))
        && answer.header("content-language").is_some()
        && told()["err"].as_str().is_some_and(|code| codes.contains(&code))
        && told()["description"].is_string()
}
