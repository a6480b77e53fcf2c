//! The rules of a SET, one test for each check of the OpenID conformance suite that looks at SETs, and those for what
//! it leaves open.

use super::*;

const STREAM: &str = "stream-1";
const NOW: i64 = 1_795_300_100;
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

fn base() -> serde_json::Value {
    serde_json::json!({
        "iss": "https://idp.example/",
        "jti": "set-1",
        "iat": 1_795_300_000,
        "aud": "https://pdp.example/",
        "txn": "case-77",
        "sub_id": {"format": "opaque", "id": "u-17"},
        "events": {REVOKED: {"event_timestamp": 1_795_299_990}},
    })
}

/// [`base`] with `changes`; a member that is `null` is left out.
fn with(changes: &serde_json::Value) -> serde_json::Value {
    let mut claims = base();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            serde_json::Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn read_as(typ: Option<&str>, claims: &serde_json::Value) -> Result<Set, SetReject> {
    let text = claims.to_string();
    let claims: Map<'_> = serde_json::from_str(&text).unwrap();
    let rules = SetRules {
        issuer: "https://idp.example/",
        audiences: &["https://other.example/".to_owned(), "https://pdp.example/".to_owned()],
        stream: Some(STREAM),
        skew: SignedDuration::from_secs(60),
        scim_drafts: false,
    };
    Set::read(typ, &claims, &rules, Timestamp::from_second(NOW).unwrap())
}

fn read(claims: &serde_json::Value) -> Result<Set, SetReject> {
    read_as(Some("secevent+jwt"), claims)
}

/// Holds the outcome of each of `table` against why it is refused; empty if it is taken.
fn check(table: &[(serde_json::Value, &str)]) {
    for (changes, why) in table {
        let outcome = read(&with(changes));
        assert_eq!(outcome.map_or_else(|refused| refused.reason, |_| String::new()), *why, "{changes}");
    }
}

#[test]
fn typ_is_secevent_jwt() {
    for (typ, is_taken) in [
        (Some("secevent+jwt"), true),
        (Some("application/secevent+jwt"), true),
        (Some("JWT"), false),
        (Some("at+jwt"), false),
        (Some("secevent+jwt "), false),
        (Some(""), false),
        (None, false),
    ] {
        assert_eq!(read_as(typ, &base()).is_ok(), is_taken, "{typ:?}");
    }
}

#[test]
fn iss_is_that_of_the_stream() {
    for (issuer, fault) in [
        (serde_json::json!("https://idp.example"), SetFault::InvalidIssuer),
        (serde_json::json!(7), SetFault::InvalidIssuer),
        (serde_json::json!(null), SetFault::InvalidRequest),
    ] {
        let refused = read(&with(&serde_json::json!({"iss": issuer}))).unwrap_err();
        assert_eq!(refused.fault, fault, "{issuer}");
    }
}

#[test]
fn aud_is_that_of_the_stream() {
    let ours = "https://pdp.example/";
    for (audience, fault) in [
        (serde_json::json!(ours), None),
        (serde_json::json!(["x", ours]), None),
        (serde_json::json!(["x"]), Some(SetFault::InvalidAudience)),
        (serde_json::json!([]), Some(SetFault::InvalidAudience)),
        (serde_json::json!([ours, 1]), Some(SetFault::InvalidAudience)),
        (serde_json::json!({"aud": ours}), Some(SetFault::InvalidAudience)),
        (serde_json::json!(vec![ours; SET_AUDIENCES + 1]), Some(SetFault::InvalidRequest)),
        (serde_json::json!(null), Some(SetFault::InvalidRequest)),
    ] {
        let outcome = read(&with(&serde_json::json!({"aud": audience})));
        assert_eq!(outcome.err().map(|refused| refused.fault), fault, "{audience}");
    }
}

#[test]
fn iat_is_not_in_the_future() {
    check(&[
        (serde_json::json!({"iat": NOW + 60}), ""),
        (serde_json::json!({"iat": NOW + 61}), "`iat` is in the future"),
        (serde_json::json!({"iat": null}), "`iat` is missing"),
        (serde_json::json!({"iat": "1795300000"}), "`iat` is not a number"),
        (serde_json::json!({"iat": -1}), "`iat` is no instant"),
        (serde_json::json!({"iat": 1e300}), "`iat` is no instant"),
        (serde_json::json!({"toe": NOW + 61}), "`toe` is in the future"),
    ]);
}

#[test]
fn exp_is_absent() {
    check(&[(serde_json::json!({"exp": NOW + 600}), "`exp` does not belong into a security event token")]);
}

#[test]
fn sub_is_absent() {
    check(&[(serde_json::json!({"sub": "u-17"}), "`sub` does not belong into a security event token")]);
}

#[test]
fn there_is_exactly_one_event_or_one_by_several_names() {
    let disabled = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
    let more_than_one = "`events` has events of more than one type";
    let many: serde_json::Map<_, _> =
        (0..=SET_EVENTS).map(|n| (format!("urn:{n}/x"), serde_json::json!({}))).collect();
    check(&[
        (serde_json::json!({"events": null}), "`events` is missing"),
        (serde_json::json!({"events": {}}), "`events` is empty"),
        (serde_json::json!({"events": [REVOKED]}), "`events` is not an object"),
        (serde_json::json!({"events": {REVOKED: null}}), "`events` has an event that is not an object"),
        (serde_json::json!({"events": many}), "`events` has too many events"),
        (serde_json::json!({"events": {REVOKED: {}, disabled: {}}}), more_than_one),
        (serde_json::json!({"events": {REVOKED: {}, "urn:x": {}}}), more_than_one),
        (serde_json::json!({"events": {REVOKED: {}, "urn:x/session-revoked": {"a": 1}}}), more_than_one),
        (serde_json::json!({"events": {"urn:a/x": {}, "urn:b/y": {}}}), more_than_one),
        (serde_json::json!({"events": {"urn:a/x": {}, "urn:b/x": {}}}), ""),
    ]);
    let aliases = serde_json::json!({"events": {"a:x/session-revoked": {}, REVOKED: {}}});
    let set = read(&with(&aliases)).unwrap();
    assert_eq!(set.events.iter().map(|dated| &*dated.uri).collect::<Vec<_>>(), [REVOKED]);
}

#[test]
fn several_scim_events_are_about_one_change() {
    let sub_id = serde_json::json!({"format": "scim", "uri": "/Users/7"});
    let events = serde_json::json!({
        "urn:ietf:params:scim:event:prov:deactivate": {},
        "urn:ietf:params:scim:event:prov:put:full": {"data": {"active": false}},
    });
    let set = read(&with(&serde_json::json!({"sub_id": sub_id, "events": events}))).unwrap();
    assert_eq!(set.events.len(), 2);
}

#[test]
fn txn_is_a_text() {
    check(&[
        (serde_json::json!({"txn": null}), ""),
        (serde_json::json!({"txn": 7}), "`txn` is not a text"),
        (serde_json::json!({"txn": ""}), "`txn` is empty"),
        (serde_json::json!({"txn": "a".repeat(SET_TEXT_BYTES + 1)}), "`txn` is too long"),
    ]);
    assert_eq!(read(&base()).unwrap().txn.as_deref(), Some("case-77"));
}

#[test]
fn jti_is_a_bounded_text() {
    check(&[
        (serde_json::json!({"jti": null}), "`jti` is missing"),
        (serde_json::json!({"jti": 1}), "`jti` is not a text"),
        (serde_json::json!({"jti": ""}), "`jti` is empty"),
        (serde_json::json!({"jti": "a\nb"}), "`jti` has control characters"),
        (serde_json::json!({"jti": "a".repeat(SET_TEXT_BYTES + 1)}), "`jti` is too long"),
    ]);
}

#[test]
fn sub_id_is_a_subject_identifier() {
    let same = serde_json::json!({"id": "u-17", "format": "opaque"});
    let other = serde_json::json!({"format": "opaque", "id": "u-18"});
    check(&[
        (serde_json::json!({"sub_id": null}), "`sub_id` is missing"),
        (serde_json::json!({"sub_id": "u-17"}), "`sub_id` is not an object"),
        (serde_json::json!({"sub_id": {"format": "opaque"}}), "`id` is missing"),
        (serde_json::json!({"sub_id": null, "events": {REVOKED: {"subject": same}}}), "`sub_id` is missing"),
        (serde_json::json!({"events": {REVOKED: {"subject": same}}}), ""),
        (
            serde_json::json!({"events": {REVOKED: {"subject": other}}}),
            "`subject` is not the same as `sub_id`",
        ),
        (serde_json::json!({"events": {REVOKED: {"subject": {"user": other}}}}), "`format` is missing"),
        (
            serde_json::json!({"events": {"urn:ietf:params:scim:event:prov:delete": {"subject": same}}}),
            "`subject` does not belong into this event",
        ),
        (serde_json::json!({"events": {"urn:unknown": {"subject": 7}}}), ""),
    ]);
}

fn verification(content: &serde_json::Value, stream: &str) -> Result<Set, SetReject> {
    let sub_id = serde_json::json!({"format": "opaque", "id": stream});
    read(&with(&serde_json::json!({"sub_id": sub_id, "events": {VERIFICATION: content}})))
}

#[test]
fn verification_echoes_the_state() {
    let set = verification(&serde_json::json!({"state": "abc"}), STREAM).unwrap();
    assert_eq!(set.events[0].event, Event::Verification { state: Some("abc".into()) });
    assert!(verification(&serde_json::json!({"state": 7}), STREAM).is_err());
}

#[test]
fn verification_that_nobody_asked_for_has_no_state() {
    let set = verification(&serde_json::json!({}), STREAM).unwrap();
    assert_eq!(set.events[0].event, Event::Verification { state: None });
}

#[test]
fn sub_id_of_a_verification_is_the_stream() {
    let refused = verification(&serde_json::json!({}), "stream-2").unwrap_err();
    assert_eq!(refused.reason, "`sub_id` does not name the stream that the event is about");
    let email = serde_json::json!({"format": "email", "email": "a@x"});
    let updated = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated";
    for events in [serde_json::json!({VERIFICATION: {}}), serde_json::json!({updated: {"status": "paused"}})]
    {
        let refused = read(&with(&serde_json::json!({"sub_id": email, "events": events}))).unwrap_err();
        assert_eq!(refused.reason, "`sub_id` does not name the stream that the event is about");
    }
}

#[test]
fn time_of_an_event_is_its_own_else_toe_else_iat() {
    for (changes, at) in [
        (serde_json::json!({"toe": 1_795_299_000}), 1_795_299_990),
        (serde_json::json!({"toe": 1_795_299_000, "events": {REVOKED: {}}}), 1_795_299_000),
        (serde_json::json!({"events": {REVOKED: {}}}), 1_795_300_000),
    ] {
        let set = read(&with(&changes)).unwrap();
        assert_eq!(set.events[0].at, Timestamp::from_second(at).unwrap(), "{changes}");
    }
    check(&[(
        serde_json::json!({"events": {REVOKED: {"event_timestamp": NOW + 61}}}),
        "`event_timestamp` is in the future",
    )]);
}
