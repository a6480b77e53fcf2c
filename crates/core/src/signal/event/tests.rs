//! What events state, and which are malformed.

use super::super::catalogue::EVENT_TYPES;
use super::*;

fn read(uri: &str, content: &str) -> Result<Event, String> {
    let content = serde_json::from_str(content).unwrap();
    Event::read(uri, &content, false).map_err(|malformed| malformed.to_string())
}

/// The URI that ends with `name`.
fn uri(name: &str) -> &'static str {
    EVENT_TYPES.iter().find(|known| known.uri.ends_with(name)).unwrap_or_else(|| panic!("{name}")).uri
}

/// The statements as text: `name slot rank`, in order.
fn made(name: &str, content: &str) -> String {
    match read(uri(name), content) {
        Ok(Event::Stated(said)) => {
            let text = |one: &Statement| format!("{} {} {}", one.name, one.slot, one.rank);
            said.made.iter().map(text).collect::<Vec<_>>().join(", ")
        }
        Ok(other) => format!("{other:?}"),
        Err(why) => why,
    }
}

#[test]
fn events_state_facts_in_their_slots_and_what_narrows_outranks() {
    for (name, content, stated) in [
        ("/session-revoked", "{}", "session-revoked session-revoked 0"),
        ("/sessions-revoked", "{}", "sessions-revoked sessions-revoked 0"),
        ("/session-established", r#"{"amr":["pwd"],"acr":"1"}"#, "session-established session-established 0"),
        ("/session-presented", r#"{"ext_id":"x"}"#, "session-presented session-presented 0"),
        (
            "/token-claims-change",
            r#"{"claims":{"role":"clerk","unit":null}}"#,
            "token-claims-change claim/role 0, token-claims-change claim/unit 0",
        ),
        (
            "/credential-change",
            r#"{"credential_type":"pin","change_type":"revoke"}"#,
            "credential-change credential/pin 1",
        ),
        (
            "/credential-change",
            r#"{"credential_type":"pin","change_type":"update"}"#,
            "credential-change credential/pin 0",
        ),
        ("/credential-compromise", r#"{"credential_type":"pin"}"#, "credential-compromise credential/pin 2"),
        (
            "/assurance-level-change",
            r#"{"namespace":"NIST-AAL","current_level":"1","change_direction":"decrease"}"#,
            "assurance-level-change assurance/NIST-AAL 1",
        ),
        (
            "/device-compliance-change",
            r#"{"current_status":"not-compliant","previous_status":"compliant"}"#,
            "device-compliance-change device-compliance-change 1",
        ),
        (
            "/risk-level-change",
            r#"{"principal":"USER","current_level":"HIGH"}"#,
            "risk-level-change risk/USER 2",
        ),
        ("/account-disabled", r#"{"reason":"hijacking"}"#, "account-disabled account 1"),
        ("/account-enabled", "{}", "account-enabled account 0"),
        ("/account-purged", "{}", "account-purged account 2"),
        ("/identifier-changed", r#"{"new-value":"b@x"}"#, "identifier-changed identifier-changed 0"),
        (":prov:deactivate", "{}", "account-disabled account 1"),
        (":prov:activate", "{}", "account-enabled account 0"),
        (":prov:delete", "{}", "account-purged account 2"),
        (":feed:add", "{}", "scim-feed-add scim-feed 0"),
        (":feed:remove", "{}", "scim-feed-remove scim-feed 1"),
        (":misc:asyncresp", r#"{"status":200}"#, ""),
        (":prov:put:notice", r#"{"attributes":["active"]}"#, "scim-attributes-stale scim-attributes 1"),
        (":prov:create:full", r#"{"data":{"userName":"u"}}"#, "scim-attributes scim-attributes 0"),
        (
            ":prov:put:full",
            r#"{"data":{"Active":false}}"#,
            "scim-attributes scim-attributes 0, account-disabled account 1",
        ),
        (
            ":prov:patch:full",
            r#"{"data":{"active":true}}"#,
            "scim-attributes scim-attributes/patch 0, account-enabled account 0",
        ),
        (
            ":prov:patch:full",
            r#"{"data":{"Operations":[{"op":"Replace","path":"active","value":"True"},
                {"op":"replace","value":{"active":false}},{"op":"remove","path":"active"}]}}"#,
            "scim-attributes scim-attributes/patch 0, account-disabled account 1",
        ),
        ("/verification", r#"{"state":"s"}"#, r#"Verification { state: Some("s") }"#),
        (
            "/stream-updated",
            r#"{"status":"paused","reason":"r"}"#,
            r#"StreamUpdated { status: "paused", reason: Some("r") }"#,
        ),
    ] {
        assert_eq!(made(name, content), stated, "{name} {content}");
    }
}

#[test]
fn caep_common_fields_are_of_their_types() {
    for (content, why) in [
        (r#"{"event_timestamp":1,"initiating_entity":"policy","reason_admin":{"en":"a"}}"#, ""),
        (r#"{"reason_user":"plain"}"#, ""),
        (r#"{"event_timestamp":"1"}"#, "`event_timestamp` is not a number"),
        (r#"{"event_timestamp":-1}"#, "`event_timestamp` is no instant"),
        (r#"{"initiating_entity":"devil"}"#, "`initiating_entity` is none of the values of the standard"),
        (r#"{"initiating_entity":1}"#, "`initiating_entity` is not a text"),
        (r#"{"reason_admin":{"en":1}}"#, "`reason_admin` is no text by language"),
        (r#"{"reason_admin":{}}"#, "`reason_admin` is no text by language"),
        (r#"{"reason_user":[]}"#, "`reason_user` is no text by language"),
    ] {
        for kind in ["/session-revoked", "/account-purged", ":prov:delete"] {
            let outcome = read(uri(kind), content).map_or_else(|why| why, |_| String::new());
            assert_eq!(outcome, why, "{kind} {content}");
        }
    }
}

#[test]
fn members_of_each_event_are_there_and_of_their_types() {
    let many = (0..=CHANGED_CLAIMS).map(|n| format!(r#""c{n}":1"#)).collect::<Vec<_>>().join(",");
    let many = format!(r#"{{"claims":{{{many}}}}}"#);
    let long = format!(r#"{{"credential_type":"{}"}}"#, "a".repeat(SLOT_TEXT_BYTES + 1));
    let no_value = "is none of the values of the standard";
    for (name, content, why) in [
        ("/token-claims-change", "{}", "`claims` is missing"),
        ("/token-claims-change", r#"{"claims":[]}"#, "`claims` is not an object"),
        ("/token-claims-change", r#"{"claims":{}}"#, "`claims` is empty"),
        ("/token-claims-change", r#"{"claims":{"":1}}"#, "`claims` is empty"),
        ("/token-claims-change", &many, "`claims` has too many members"),
        ("/credential-change", r#"{"change_type":"create"}"#, "`credential_type` is missing"),
        ("/credential-change", r#"{"credential_type":"pin"}"#, "`change_type` is missing"),
        (
            "/credential-change",
            r#"{"credential_type":"pin","change_type":"burn"}"#,
            &format!("`change_type` {no_value}"),
        ),
        (
            "/credential-change",
            r#"{"credential_type":"pin","change_type":"create","friendly_name":1}"#,
            "`friendly_name` is not a text",
        ),
        ("/credential-compromise", "{}", "`credential_type` is missing"),
        ("/credential-compromise", &long, "`credential_type` is too long"),
        ("/assurance-level-change", r#"{"current_level":"1"}"#, "`namespace` is missing"),
        ("/assurance-level-change", r#"{"namespace":"n"}"#, "`current_level` is missing"),
        ("/device-compliance-change", "{}", "`current_status` is missing"),
        (
            "/device-compliance-change",
            r#"{"current_status":"not_compliant"}"#,
            &format!("`current_status` {no_value}"),
        ),
        ("/risk-level-change", r#"{"current_level":"LOW"}"#, "`principal` is missing"),
        ("/risk-level-change", r#"{"principal":"USER"}"#, "`current_level` is missing"),
        (
            "/risk-level-change",
            r#"{"principal":"USER","current_level":"low"}"#,
            &format!("`current_level` {no_value}"),
        ),
        ("/session-established", r#"{"amr":"pwd"}"#, "`amr` is not a list"),
        ("/session-presented", r#"{"fp_ua":7}"#, "`fp_ua` is not a text"),
        ("/account-disabled", r#"{"reason":7}"#, "`reason` is not a text"),
        ("/stream-updated", "{}", "`status` is missing"),
        ("/stream-updated", r#"{"status":"gone"}"#, &format!("`status` {no_value}")),
        (":prov:put:full", "{}", "`data` is missing"),
        (
            ":prov:put:full",
            r#"{"data":{"a":1},"attributes":["a"]}"#,
            "`attributes` does not belong into this event",
        ),
        (":prov:put:notice", "{}", "`attributes` is missing"),
        (":prov:put:notice", r#"{"attributes":["a"],"data":{}}"#, "`data` does not belong into this event"),
    ] {
        assert_eq!(made(name, content), why, "{name} {content}");
    }
}

#[test]
fn content_of_a_fact_is_bounded() {
    let why = "`events` has an event that says too much";
    let wide = format!(r#"{{"x":[{}]}}"#, vec!["1"; FACT_VALUES].join(","));
    let long = format!(r#"{{"x":"{}"}}"#, "a".repeat(FACT_TEXT_BYTES));
    for content in [wide, long] {
        assert_eq!(made("/session-revoked", &content), why);
        assert_eq!(read("urn:unknown", &content), Ok(Event::Unknown), "nothing is kept of it");
    }
}

#[test]
fn each_claim_is_a_fact_with_its_own_value_and_what_they_have_in_common() {
    let content = r#"{"claims":{"role":"clerk","unit":3},"initiating_entity":"admin","subject":{"format":"opaque","id":"u"}}"#;
    let Ok(Event::Stated(said)) = read(uri("/token-claims-change"), content) else { panic!() };
    let values: Vec<String> =
        said.made.iter().map(|one| serde_json::to_string(&one.value).unwrap()).collect();
    assert_eq!(
        values,
        [
            r#"{"claims":{"role":"clerk"},"initiating_entity":"admin"}"#,
            r#"{"claims":{"unit":3},"initiating_entity":"admin"}"#,
        ]
    );
}

#[test]
fn kind_of_a_simple_subject_follows_from_the_event() {
    let risk = |principal: &str| format!(r#"{{"principal":"{principal}","current_level":"LOW"}}"#);
    for (name, content, about) in [
        ("/session-revoked", "{}".to_owned(), Some(EntityKind::Principal)),
        (
            "/device-compliance-change",
            r#"{"current_status":"compliant"}"#.to_owned(),
            Some(EntityKind::Device),
        ),
        ("/risk-level-change", risk("USER"), Some(EntityKind::Principal)),
        ("/risk-level-change", risk("DEVICE"), Some(EntityKind::Device)),
        ("/risk-level-change", risk("SESSION"), Some(EntityKind::Session)),
        ("/risk-level-change", risk("TENANT"), Some(EntityKind::Tenant)),
        ("/risk-level-change", risk("ORG_UNIT"), Some(EntityKind::Group)),
        ("/risk-level-change", risk("GROUP"), Some(EntityKind::Group)),
        ("/risk-level-change", risk("PLANET"), None),
    ] {
        let Ok(Event::Stated(said)) = read(uri(name), &content) else { panic!("{name} {content}") };
        assert_eq!(said.about, about, "{name} {content}");
    }
}

#[test]
fn types_are_known_by_their_uri_alone_and_drafts_of_scim_if_told_so() {
    let draft = "urn:ietf:params:SCIM:event:prov:deactivate";
    let nothing = Value::Map(Map::default());
    for (uri, drafts, is_known) in [
        (draft, true, true),
        (draft, false, false),
        ("urn:ietf:params:scim:event:prov:deactivate", false, true),
        ("https://vendor.example/session-revoked", true, false),
        ("https://schemas.openid.net/secevent/caep/event-type/Session-Revoked", true, false),
        ("", true, false),
    ] {
        assert_eq!(Event::read(uri, &nothing, drafts) != Ok(Event::Unknown), is_known, "{uri}");
    }
}
