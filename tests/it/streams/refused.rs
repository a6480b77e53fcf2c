//! What the transmitter plan of the OpenID conformance suite has a receiver do wrong: each refusal of a transmitter is told
//! by its status, nothing is polled meanwhile, and the stream is set up once the transmitter allows it.

use procura::ports::ControlError;

use super::managed::{by_poll, by_push, connection, looked_at, managed, transmitter};
use super::*;

/// Has `method` refused with `status` while a stream that is already there is to become another one, or a new one is made.
async fn refusal_is_told_and_outlived(method: &'static str, status: u16) {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    if ["PATCH", "PUT"].contains(&method) {
        let streams = start(vec![managed(&transmitter, by_push("Bearer one"))], TIMING, &intake);
        looked_at(&transmitter, &intake, &streams, 1).await;
        streams.stop(Duration::from_secs(5)).await;
    }
    transmitter
        .change(|state| (state.only_replaces, state.refuses) = (method == "PUT", Some((method, status))));
    let streams = start(vec![managed(&transmitter, by_poll())], TIMING, &intake);
    let last = |intake: &RecordingIntake| intake.troubles("idp").last().cloned().flatten();
    let expected = format!("answers {status}");
    intake.until(|intake| last(intake).is_some_and(|trouble| trouble.contains(&expected))).await;
    assert_eq!(transmitter.requests(Place::Poll), 0, "{method} {status}");
    transmitter.change(|state| state.refuses = None);
    intake.until(|intake| last(intake).is_none()).await;
    let emitted = emit(&transmitter, &connection(&streams).id.unwrap(), 3);
    transmitter.until(|state| state.streams.values().any(|stream| has_all(stream, &emitted))).await.unwrap();
    assert_eq!(transmitter.only_stream().config["delivery"]["method"], "urn:ietf:rfc:8936");
}

#[tokio::test]
async fn refused_creation_of_a_stream_is_told_and_outlived() {
    for status in [400, 401, 403] {
        refusal_is_told_and_outlived("POST", status).await;
    }
}

#[tokio::test]
async fn refused_reading_of_a_stream_is_told_and_outlived() {
    for status in [401, 403] {
        refusal_is_told_and_outlived("GET", status).await;
    }
}

#[tokio::test]
async fn refused_update_of_a_stream_is_told_and_outlived() {
    for status in [400, 401, 403, 404] {
        refusal_is_told_and_outlived("PATCH", status).await;
    }
}

#[tokio::test]
async fn refused_replacement_of_a_stream_is_told_and_outlived() {
    for status in [400, 401, 403, 404] {
        refusal_is_told_and_outlived("PUT", status).await;
    }
}

#[tokio::test]
async fn refused_deletion_of_a_stream_is_told_and_one_that_is_gone_is_deleted() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    let streams = start(vec![managed(&transmitter, by_poll())], TIMING, &intake);
    looked_at(&transmitter, &intake, &streams, 1).await;
    for status in [401, 403] {
        transmitter.change(|state| state.refuses = Some(("DELETE", status)));
        let refused = streams.delete("idp").await;
        assert!(matches!(refused, Err(ControlError::Refused { status: told, .. }) if told == status));
        assert!(connection(&streams).id.is_some());
    }
    transmitter.change(|state| state.refuses = Some(("DELETE", 404)));
    streams.delete("idp").await.unwrap();
    assert_eq!(connection(&streams).id, None);
}

#[tokio::test]
async fn stream_that_is_pushed_without_authorization_is_told_none() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    let url = "http://127.0.0.1:9/api/signals/streams/idp".to_owned();
    let open = DeliverySettings::Push { url, authorization: None };
    let streams = start(vec![managed(&transmitter, open)], TIMING, &intake);
    looked_at(&transmitter, &intake, &streams, 1).await;
    let delivery = transmitter.only_stream().config["delivery"].clone();
    assert_eq!(delivery["method"], "urn:ietf:rfc:8935");
    assert_eq!(delivery.get("authorization_header"), None);
}
