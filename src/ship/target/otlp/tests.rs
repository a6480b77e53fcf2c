use procura_core::model::Timestamp;
use procura_core::record::ChainHash;
use procura_testkit::calls::MadeUpCall;
use serde_json::{Value, json};

use super::*;

fn target(resource: &[(&str, &str)]) -> OtlpTarget {
    let endpoint = EndpointSettings {
        url: "http://127.0.0.1:4318/v1/logs".into(),
        headers: Vec::new(),
        gzip: false,
        timeout: std::time::Duration::from_secs(1),
        ca_file: None,
    };
    let resource = resource.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    OtlpTarget::new(&endpoint, &resource.collect()).unwrap()
}

fn parcel(principal: &str) -> Parcel {
    let at: Timestamp = "2026-11-22T15:00:00.000001Z".parse().unwrap();
    let call = MadeUpCall {
        at,
        number: 7,
        principal,
        action: "view",
        resource: "a1",
        effect: Effect::Deny,
        padding: 0,
    };
    let payload = call.record().payload;
    Parcel { seq: 42, at: at.as_microsecond(), hash: ChainHash::GENESIS, payload }
}

#[test]
fn record_is_a_log_record_in_the_json_mapping() {
    let (target, parcel) =
        (target(&[("service.instance.id", "pdp-1"), ("service.name", "mine")]), parcel("alice"));
    let batch = [parcel];
    let request = serde_json::to_value(target.request(&batch)).unwrap();
    let string = |text: &str| json!({ "stringValue": text });
    let list = |text: &str| json!({ "arrayValue": { "values": [{ "stringValue": text }] } });
    let attribute = |key: &str, value: Value| json!({ "key": key, "value": value });
    assert_eq!(
        request,
        json!({ "resourceLogs": [{
            "resource": { "attributes": [
                attribute("service.version", string(env!("CARGO_PKG_VERSION"))),
                attribute("service.instance.id", string("pdp-1")),
                attribute("service.name", string("mine")),
            ] },
            "scopeLogs": [{
                "scope": { "name": "procura.decision_log", "version": env!("CARGO_PKG_VERSION") },
                "logRecords": [{
                    "timeUnixNano": "1795359600000001000",
                    "observedTimeUnixNano": "1795359600000001000",
                    "severityNumber": 9,
                    "severityText": "INFO",
                    "eventName": "procura.decision",
                    "body": string(std::str::from_utf8(&batch[0].payload).unwrap()),
                    "attributes": [
                        attribute("procura.seq", json!({ "intValue": "42" })),
                        attribute("procura.hash", string(&"0".repeat(64))),
                        attribute("procura.kind", string("decision")),
                        attribute("procura.call.id", string("01a203c5-6d80-7000-8000-000000000007")),
                        attribute("procura.decisions", json!({ "intValue": "1" })),
                        attribute("procura.principal", string("alice")),
                        attribute("procura.actions", list("view")),
                        attribute("procura.resources", list("album:a1")),
                        attribute("procura.effects", list("deny")),
                        attribute("procura.reasons", list("deny_rule")),
                        attribute("procura.policies", list("resource.album.vdefault")),
                    ],
                }],
            }],
        }] })
    );
}

#[test]
fn attributes_are_bounded_and_records_that_are_not_understood_are_sent_as_they_are() {
    let long = format!("{}ä", "x".repeat(MAX_TEXT - 1));
    let parcels = [parcel(&long), Parcel { payload: b"{\"v\":9}".to_vec(), ..parcel("a") }];
    let target = target(&[]);
    let request = serde_json::to_value(target.request(&parcels)).unwrap();
    let records = &request["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
    assert_eq!(records[0]["attributes"][5]["value"]["stringValue"], "x".repeat(MAX_TEXT - 1));
    assert!(records[0]["body"]["stringValue"].as_str().unwrap().contains(&long));
    assert_eq!(records[1]["eventName"], "procura.unknown");
    assert_eq!(records[1]["attributes"].as_array().unwrap().len(), 3);

    let AnyValue::Array { values } = several((0..100).map(|i| (i % 50).to_string())) else { panic!() };
    assert_eq!(values.len(), MAX_VALUES);
}

#[test]
fn rejected_records_are_counted_however_the_number_is_written() {
    for (answer, count) in [
        ("", 0),
        ("{}", 0),
        ("null", 0),
        ("not json", 0),
        (r#"{"partialSuccess":{}}"#, 0),
        (r#"{"partialSuccess":{"errorMessage":"a warning"}}"#, 0),
        (r#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"x"}}"#, 3),
        (r#"{"partialSuccess":{"rejectedLogRecords":4}}"#, 4),
        (r#"{"partialSuccess":{"rejectedLogRecords":-1}}"#, 0),
    ] {
        assert_eq!(rejected(answer.as_bytes()), count, "{answer}");
    }
}
