//! Streams that are set up and looked after at their transmitter.

use procura::ports::{ControlError, StreamConnection, StreamStatus};

use super::*;

const COMPLIANCE: &str = "https://schemas.openid.net/secevent/caep/event-type/device-compliance-change";

/// The stream `idp` that this server makes for itself.
pub(super) fn managed(transmitter: &Transmitter, delivery: DeliverySettings) -> StreamSettings {
    let management = ManagementSettings {
        authorization: None,
        create: true,
        events: vec![REVOKED.to_owned(), COMPLIANCE.to_owned()],
        description: Some("the decision point".to_owned()),
        verify_every: None,
    };
    StreamSettings { management: Some(management), delivery, ..polled(transmitter, "idp") }
}

pub(super) fn by_poll() -> DeliverySettings {
    DeliverySettings::Poll { url: None, authorization: None, max_events: 20 }
}

pub(super) fn by_push(header: &str) -> DeliverySettings {
    let authorization = Some(SecretSource::Text(header.to_owned()));
    DeliverySettings::Push { url: "http://127.0.0.1:9/api/signals/streams/idp".to_owned(), authorization }
}

/// A transmitter whose streams are for us.
pub(super) async fn transmitter() -> Transmitter {
    let transmitter = Transmitter::start().await;
    transmitter.change(|state| state.configuration = json!({"aud": AUDIENCE}));
    transmitter
}

pub(super) fn connection(streams: &Streams) -> StreamConnection {
    streams.connections().remove(0)
}

/// Waits until the transmitter has been asked `count` times for the status: the last thing about a stream.
pub(super) async fn looked_at(
    transmitter: &Transmitter,
    intake: &RecordingIntake,
    streams: &Streams,
    count: usize,
) {
    transmitter
        .until(|state| state.requests.get(&Place::Status).is_some_and(|asked| *asked >= count))
        .await
        .unwrap();
    intake.until(|_| true).await;
    while connection(streams).status.is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stream_is_made_once_verified_and_polled_where_the_transmitter_says() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    let timing = StreamTiming { verification: Duration::from_millis(300), ..TIMING };
    for _ in 0..3 {
        let streams = start(vec![managed(&transmitter, by_poll())], timing, &intake);
        looked_at(&transmitter, &intake, &streams, 1).await;
        let id = connection(&streams).id.unwrap();
        let emitted = emit(&transmitter, &id, 5);
        transmitter.until_stream(&id, |stream| has_all(stream, &emitted)).await.unwrap();
        streams.stop(Duration::from_secs(5)).await;
    }
    let stream = transmitter.only_stream();
    assert_eq!(stream.config["events_requested"], json!([REVOKED, COMPLIANCE]));
    assert_eq!(stream.config["description"], "the decision point");
    assert_eq!(stream.config["delivery"]["method"], "urn:ietf:rfc:8936");
    let states: BTreeSet<_> = stream.verifications.iter().flatten().collect();
    assert_eq!(states.len(), 3, "each start asks with a state of its own: {:?}", stream.verifications);
    assert_eq!(intake.applied("idp").len(), 15);
    assert!(!intake.is_expecting("idp"));
    assert_eq!(intake.troubles("idp"), []);
}

#[tokio::test]
async fn a_stream_that_is_pushed_is_told_where_and_with_which_authorization() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    let streams = start(vec![managed(&transmitter, by_push("Bearer one"))], TIMING, &intake);
    looked_at(&transmitter, &intake, &streams, 1).await;
    let delivery = |transmitter: &Transmitter| transmitter.only_stream().config["delivery"].clone();
    assert_eq!(delivery(&transmitter)["method"], "urn:ietf:rfc:8935");
    assert_eq!(delivery(&transmitter)["endpoint_url"], "http://127.0.0.1:9/api/signals/streams/idp");
    assert_eq!(delivery(&transmitter)["authorization_header"], "Bearer one");
    streams.stop(Duration::from_secs(5)).await;
    let streams = start(vec![managed(&transmitter, by_push("Bearer two"))], TIMING, &intake);
    looked_at(&transmitter, &intake, &streams, 2).await;
    assert_eq!(delivery(&transmitter)["authorization_header"], "Bearer two");
    assert!(!format!("{:?}", connection(&streams)).contains("Bearer"));
}

#[tokio::test]
async fn what_differs_is_changed_also_at_a_transmitter_that_only_replaces() {
    for replaces in [false, true] {
        let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
        let streams = start(vec![managed(&transmitter, by_poll())], TIMING, &intake);
        looked_at(&transmitter, &intake, &streams, 1).await;
        streams.stop(Duration::from_secs(5)).await;
        transmitter.change(|state| state.only_replaces = replaces);
        let mut settings = managed(&transmitter, by_poll());
        let wanted = settings.management.as_mut().unwrap();
        (wanted.events, wanted.description) = (vec![REVOKED.to_owned()], Some("another".to_owned()));
        let streams = start(vec![settings], TIMING, &intake);
        looked_at(&transmitter, &intake, &streams, 2).await;
        let stream = transmitter.only_stream();
        assert_eq!(stream.config["events_requested"], json!([REVOKED]), "{replaces}");
        assert_eq!(stream.config["description"], "another");
        assert_eq!(stream.config["delivery"]["method"], "urn:ietf:rfc:8936");
        assert_eq!(connection(&streams).events, [REVOKED]);
    }
}

#[tokio::test]
async fn the_stream_that_there_is_is_taken_over_if_the_transmitter_makes_no_other() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    let streams = start(vec![managed(&transmitter, by_push("Bearer one"))], TIMING, &intake);
    looked_at(&transmitter, &intake, &streams, 1).await;
    let id = connection(&streams).id.unwrap();
    streams.stop(Duration::from_secs(5)).await;
    // Somebody had it pushed; now it is to be polled.
    let streams = start(vec![managed(&transmitter, by_poll())], TIMING, &intake);
    looked_at(&transmitter, &intake, &streams, 2).await;
    assert_eq!(connection(&streams).id.as_ref(), Some(&id));
    let emitted = emit(&transmitter, &id, 5);
    transmitter.until_stream(&id, |stream| has_all(stream, &emitted)).await.unwrap();
}

#[tokio::test]
async fn whatever_is_wrong_with_the_transmitter_or_the_stream_is_told_and_nothing_is_polled() {
    let other = json!({"aud": "https://other.example/\u{1b}[31m"});
    type Break = fn(&mut procura_testkit::transmitter::State);
    let cases: [(Break, Option<Value>, &str); 8] = [
        (|state| state.metadata = json!({"issuer": "https://evil.example"}), None, "not those of the issuer"),
        (|state| state.metadata = json!({"spec_version": "2_0"}), None, "another version"),
        (|state| state.metadata = json!({"status_endpoint": "http://10.0.0.1/x"}), None, "`status_endpoint`"),
        (
            |state| state.metadata = json!({"configuration_endpoint": null}),
            None,
            "no `configuration_endpoint`",
        ),
        (|state| state.configuration["iss"] = json!("https://evil.example"), None, "not from"),
        (|_| {}, Some(other), "`https://other.example/\\u{1b}[31m`"),
        (|state| state.configuration["delivery"] = json!({"method": "carrier pigeon"}), None, "by poll"),
        (
            |state| state.configuration = json!({"aud": AUDIENCE, "events_delivered": [REVOKED]}),
            None,
            "not deliver",
        ),
    ];
    for (wrong, configuration, expected) in cases {
        let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
        transmitter.change(|state| {
            wrong(state);
            if let Some(configuration) = configuration {
                state.configuration = configuration;
            }
        });
        let _streams = start(vec![managed(&transmitter, by_poll())], TIMING, &intake);
        let told = |intake: &RecordingIntake| {
            intake.troubles("idp").iter().flatten().any(|trouble| trouble.contains(expected))
        };
        intake.until(told).await;
        if !expected.contains("not deliver") {
            assert_eq!(transmitter.requests(Place::Poll), 0, "{expected}");
        }
    }
}

#[tokio::test]
async fn hostile_answers_of_the_management_are_told_and_outlived() {
    let answer = |kind, body: &str| Misconduct::Answer(200, kind, body.to_owned());
    let cases = [
        (Place::Metadata, Misconduct::Status(500), "status 500"),
        (Place::Metadata, Misconduct::Endless, "cannot be read"),
        (Place::Configuration, Misconduct::Status(401), "does not know who asks"),
        (Place::Configuration, Misconduct::Status(403), "may not"),
        (Place::Configuration, Misconduct::Status(429), "too often"),
        (Place::Configuration, Misconduct::Hang, "is not complete"),
        (Place::Configuration, Misconduct::Endless, "cannot be read"),
        (Place::Configuration, answer("text/html", "<html>"), "not JSON"),
        (Place::Configuration, answer("application/json", r#"[{"stream_id": 7}]"#), "not valid"),
        (Place::Status, Misconduct::Status(404), "no such stream"),
        (Place::Status, answer("application/json", r#"{"status": "asleep"}"#), "`enabled`"),
        (Place::Verification, Misconduct::Status(429), "no verification"),
    ];
    for (place, misconduct, expected) in cases {
        let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
        transmitter.misbehave(place, misconduct, usize::MAX);
        let timing = StreamTiming { answer: Duration::from_millis(300), ..TIMING };
        let streams = start(vec![managed(&transmitter, by_poll())], timing, &intake);
        let last = |intake: &RecordingIntake| intake.troubles("idp").last().cloned().flatten();
        intake.until(|intake| last(intake).is_some_and(|trouble| trouble.contains(expected))).await;
        transmitter.behave();
        if place == Place::Verification {
            transmitter
                .until(|state| state.streams.values().all(|stream| !stream.verifications.is_empty()))
                .await
                .unwrap();
        } else {
            intake.until(|intake| last(intake).is_none()).await;
        }
        assert!(connection(&streams).id.is_some(), "{expected}");
    }
}

#[tokio::test]
async fn a_transmitter_whose_verification_does_not_come_is_told_of_until_one_does() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    transmitter.misbehave(Place::Verification, Misconduct::Status(204), 1);
    let timing = StreamTiming { verification: Duration::from_millis(200), ..TIMING };
    transmitter
        .change(|state| state.configuration = json!({"aud": AUDIENCE, "min_verification_interval": 0}));
    let _streams = start(vec![managed(&transmitter, by_poll())], timing, &intake);
    intake
        .until(|intake| {
            let troubles = intake.troubles("idp");
            troubles.iter().flatten().any(|trouble| trouble.contains("no verification event"))
                && troubles.last() == Some(&None)
        })
        .await;
}

#[tokio::test]
async fn the_transmitter_is_asked_for_another_status_and_for_subjects() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    let streams = start(vec![managed(&transmitter, by_poll())], TIMING, &intake);
    looked_at(&transmitter, &intake, &streams, 1).await;
    for (status, troubled) in
        [(StreamStatus::Paused, true), (StreamStatus::Disabled, true), (StreamStatus::Enabled, false)]
    {
        assert_eq!(streams.set_status("idp", status, Some("maintenance")).await.unwrap(), status);
        assert_eq!(transmitter.only_stream().status, status.as_str());
        assert_eq!(transmitter.only_stream().reason.as_deref(), Some("maintenance"));
        assert_eq!(connection(&streams).status, Some(status));
        assert_eq!(!connection(&streams).troubles.is_empty(), troubled);
    }
    let subject = json!({"format": "email", "email": "a@example.com"});
    streams.add_subject("idp", &subject, Some(true)).await.unwrap();
    assert_eq!(transmitter.only_stream().subjects, std::slice::from_ref(&subject));
    streams.remove_subject("idp", &subject).await.unwrap();
    assert_eq!(transmitter.only_stream().subjects, [] as [Value; 0]);
    let before = transmitter.only_stream().verifications.len();
    streams.verify("idp").await.unwrap();
    assert_eq!(transmitter.only_stream().verifications.len(), before + 1);
    streams.delete("idp").await.unwrap();
    assert!(transmitter.stream("stream-1").is_none());
    assert!(matches!(streams.verify("idp").await, Err(ControlError::NotReady { .. })));
    assert_eq!(connection(&streams).id, None);
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    transmitter.change(|state| state.metadata = json!({"add_subject_endpoint": null}));
    transmitter.add_poll_stream("by-hand", AUDIENCE);
    transmitter.change(|state| state.one_stream = false);
    let by_hand = polled(&transmitter, "by-hand");
    let streams = start(vec![managed(&transmitter, by_push("x")), by_hand], TIMING, &intake);
    looked_at(&transmitter, &intake, &streams, 1).await;
    // The keeper asks for nothing more by itself after this.
    transmitter.until_stream("stream-1", |stream| !stream.verifications.is_empty()).await.unwrap();
    let unknown = streams.verify("other").await.unwrap_err();
    assert_eq!(unknown, ControlError::UnknownStream("other".to_owned()));
    let unmanaged = streams.verify("by-hand").await.unwrap_err();
    assert_eq!(unmanaged, ControlError::Unmanaged("by-hand".to_owned()));
    let subject = json!({"format": "opaque", "id": "x"});
    let not_offered = streams.add_subject("idp", &subject, None).await.unwrap_err();
    assert_eq!(not_offered, ControlError::NotOffered("add_subject_endpoint"));
    for status in [400, 401, 403, 404, 429, 500] {
        for place in [Place::Status, Place::RemoveSubject, Place::Verification] {
            transmitter.misbehave(place, Misconduct::Status(status), 1);
        }
        let refusals = [
            streams.set_status("idp", StreamStatus::Enabled, None).await.map(|_| ()),
            streams.remove_subject("idp", &subject).await,
            streams.verify("idp").await,
        ];
        for refusal in refusals {
            assert!(matches!(refusal, Err(ControlError::Refused { status: told, .. }) if told == status));
        }
    }
    transmitter.misbehave(Place::Configuration, Misconduct::Status(403), 1);
    let refused = streams.delete("idp").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the transmitter answers 403, whoever asks may not: look at what `authorization` stands for"
    );
    assert!(connection(&streams).id.is_some());
}

#[tokio::test]
async fn a_stream_that_vanishes_is_made_again_and_none_is_made_unasked() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    let timing = StreamTiming { refresh: Duration::from_millis(20), ..TIMING };
    let streams = start(vec![managed(&transmitter, by_poll())], timing, &intake);
    looked_at(&transmitter, &intake, &streams, 1).await;
    transmitter.change(|state| state.streams.clear());
    transmitter.until(|state| !state.streams.is_empty()).await.unwrap();
    let id = transmitter.only_stream().config["stream_id"].as_str().unwrap().to_owned();
    let emitted = emit(&transmitter, &id, 5);
    transmitter.until_stream(&id, |stream| has_all(stream, &emitted)).await.unwrap();
    streams.stop(Duration::from_secs(5)).await;

    transmitter.change(|state| state.streams.clear());
    let mut settings = managed(&transmitter, by_poll());
    settings.management.as_mut().unwrap().create = false;
    let _streams = start(vec![settings], timing, &intake);
    let told = |intake: &RecordingIntake| {
        intake
            .troubles("idp")
            .last()
            .cloned()
            .flatten()
            .is_some_and(|trouble| trouble.contains("`transmitter.create`"))
    };
    intake.until(told).await;
    assert!(transmitter.change(|state| state.streams.is_empty()));
}
