//! Streams of events from a transmitter: fetched, acknowledged, set up and looked after, whatever the transmitter does.

mod intake;
mod managed;
mod refused;
mod served;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use procura::discovery::TransmitterPlace;
use procura::ports::{NotTaken, SetFault, StreamControl};
use procura::secret::SecretSource;
use procura::streams::{
    Authorization, DeliverySettings, ManagementSettings, StreamSettings, StreamTiming, Streams,
};
use procura_testkit::temp_dir::TempDir;
use procura_testkit::transmitter::{Misconduct, Place, Stream, Transmitter};
use serde_json::{Value, json};

use self::intake::RecordingIntake;
use procura_testkit::clock::SteppingClock;

const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

const AUDIENCE: &str = "https://pdp.example/signals/idp";

/// Pauses that nobody notices.
const TIMING: StreamTiming = StreamTiming {
    answer: Duration::from_millis(1500),
    long_poll: Duration::from_secs(10),
    shortest_pause: Duration::from_millis(1),
    refused_pause: Duration::from_millis(1),
    longest_pause: Duration::from_millis(10),
    refresh: Duration::from_secs(3600),
    verification: Duration::from_secs(3600),
};

/// The stream `name`, which was set up by hand and is polled.
fn polled(transmitter: &Transmitter, name: &str) -> StreamSettings {
    let url = Some(transmitter.poll_url(name));
    StreamSettings {
        name: name.into(),
        place: place(transmitter),
        audiences: vec![AUDIENCE.to_owned()],
        management: None,
        delivery: DeliverySettings::Poll { url, authorization: None, max_events: 20 },
    }
}

fn place(transmitter: &Transmitter) -> TransmitterPlace {
    let issuer = transmitter.issuer().to_owned();
    TransmitterPlace { url: issuer.clone(), issuer, plain_http: false }
}

fn start(streams: Vec<StreamSettings>, timing: StreamTiming, intake: &Arc<RecordingIntake>) -> Streams {
    let clock: Arc<dyn procura::ports::Clock> = Arc::new(SteppingClock::default());
    Streams::start(streams, timing, &RecordingIntake::shared(intake), &clock).unwrap()
}

/// A transmitter with the stream `idp`, which was set up by hand.
async fn transmitter() -> Transmitter {
    let transmitter = Transmitter::start().await;
    transmitter.add_poll_stream("idp", AUDIENCE);
    transmitter
}

fn emit(transmitter: &Transmitter, stream: &str, count: usize) -> BTreeSet<String> {
    let subject = json!({"format": "opaque", "id": "s-1"});
    (0..count).map(|_| transmitter.emit(stream, REVOKED, &subject, &json!({}))).collect()
}

fn has_all(stream: &Stream, emitted: &BTreeSet<String>) -> bool {
    emitted.iter().all(|jti| stream.acknowledged.contains(jti))
}

#[tokio::test]
async fn events_are_taken_once_and_acknowledged_after_that() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    let mut emitted = emit(&transmitter, "idp", 50);
    let streams = start(vec![polled(&transmitter, "idp")], TIMING, &intake);
    transmitter.until_stream("idp", |stream| has_all(stream, &emitted)).await.unwrap();
    for _ in 0..5 {
        emitted.extend(emit(&transmitter, "idp", 1));
        transmitter.until_stream("idp", |stream| has_all(stream, &emitted)).await.unwrap();
    }
    assert_eq!(intake.applied("idp").into_iter().collect::<BTreeSet<_>>(), emitted);
    assert_eq!((intake.applied("idp").len(), intake.repeats()), (55, 0));
    let stream = transmitter.stream("idp").unwrap();
    assert!(stream.polls.iter().all(|poll| poll["maxEvents"] == 20), "{:?}", stream.polls);
    assert!(stream.polls.len() < 20, "every request waits for events: {}", stream.polls.len());
    let connection = &streams.connections()[0];
    assert_eq!((connection.troubles.len(), connection.is_managed), (0, false));
    assert!(connection.last_answer.is_some());
}

#[tokio::test]
async fn refused_events_are_told_with_their_code_and_those_that_have_to_wait_come_again() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    let events: Vec<String> = emit(&transmitter, "idp", 3).into_iter().collect();
    let [good, bad, late] = events.try_into().unwrap();
    let (refused, waits) = (bad.clone(), late.clone());
    intake.judge_by(move |jti, tries| match jti {
        _ if jti == refused => {
            let reason = "it is for somebody else".to_owned();
            Err(NotTaken::Refused { fault: SetFault::InvalidAudience, reason })
        }
        _ if jti == waits && tries < 3 => Err(NotTaken::NotNow("the disk is short".to_owned())),
        _ => Ok(()),
    });
    transmitter.queue("idp", "odd", "no SET at all");
    let streams = start(vec![polled(&transmitter, "idp")], TIMING, &intake);
    transmitter.until_stream("idp", |stream| stream.pending.is_empty()).await.unwrap();
    let stream = transmitter.stream("idp").unwrap();
    let expected = json!({"err": "invalid_audience", "description": "it is for somebody else"});
    assert_eq!(stream.errors[&bad], expected);
    assert_eq!(stream.errors["odd"]["err"], "invalid_request");
    assert_eq!(stream.acknowledged.iter().collect::<BTreeSet<_>>(), BTreeSet::from([&good, &late]));
    let only_tells = |poll: &&Value| poll["maxEvents"] == 0 && poll["returnImmediately"] == true;
    let told = stream.polls.iter().filter(only_tells).collect::<Vec<_>>();
    assert!(told[0]["ack"].as_array().unwrap().contains(&json!(good)), "told before the pause: {told:?}");
    let troubles = intake.troubles("idp");
    assert!(troubles.iter().flatten().any(|trouble| trouble.contains("the disk is short")), "{troubles:?}");
    assert_eq!(troubles.last(), Some(&None));
    drop(streams);
}

#[tokio::test]
async fn whenever_either_side_ends_no_event_is_lost_and_none_applied_twice() {
    let (mut transmitter, intake) = (transmitter().await, RecordingIntake::new());
    let mut emitted = BTreeSet::new();
    for round in 0..24_usize {
        emitted.extend(emit(&transmitter, "idp", 30));
        let streams = start(vec![polled(&transmitter, "idp")], TIMING, &intake);
        let enough = intake.applied("idp").len() + round;
        match round % 6 {
            0 => intake.until(|intake| intake.applied("idp").len() >= enough).await,
            1 => transmitter.misbehave(Place::Poll, Misconduct::Lost, 1 + round % 3),
            2 => transmitter.misbehave(Place::Poll, Misconduct::Close, 2),
            3 => {
                transmitter.go_down().await;
                transmitter.come_up().await;
            }
            4 => transmitter.misbehave(Place::Poll, Misconduct::Status(503), 2),
            _ => tokio::task::yield_now().await,
        }
        if round % 4 == 0 {
            transmitter.until_stream("idp", |stream| has_all(stream, &emitted)).await.unwrap();
        }
        if round % 2 == 0 { streams.stop(Duration::from_secs(5)).await } else { drop(streams) }
    }
    let streams = start(vec![polled(&transmitter, "idp")], TIMING, &intake);
    transmitter.until_stream("idp", |stream| has_all(stream, &emitted)).await.unwrap();
    streams.stop(Duration::from_secs(5)).await;
    assert_eq!(intake.applied("idp").len(), emitted.len());
    assert_eq!(intake.applied("idp").into_iter().collect::<BTreeSet<_>>(), emitted);
    assert!(transmitter.stream("idp").unwrap().errors.is_empty());
}

#[tokio::test]
async fn at_the_end_what_was_taken_is_acknowledged() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    let emitted = emit(&transmitter, "idp", 10);
    intake.hold();
    let streams = start(vec![polled(&transmitter, "idp")], TIMING, &intake);
    intake.until(|intake| intake.waiting() == 10).await;
    let (stopping, ()) = tokio::join!(streams.stop(Duration::from_secs(30)), async { intake.release() });
    let () = stopping;
    let stream = transmitter.stream("idp").unwrap();
    assert!(has_all(&stream, &emitted), "{stream:?}");
    assert_eq!(stream.polls.last().unwrap()["maxEvents"], 0);
}

#[tokio::test]
async fn whatever_the_transmitter_answers_is_told_and_outlived() {
    let answer = |kind, body: &str| Misconduct::Answer(200, kind, body.to_owned());
    let deep = "[".repeat(200_000);
    let cases = [
        (Misconduct::Status(401), "does not know who asks"),
        (Misconduct::Status(403), "may not"),
        (Misconduct::Status(404), "no such stream"),
        (Misconduct::Status(302), "redirects are not followed"),
        (Misconduct::Status(500), "answers 500"),
        (Misconduct::RetryAfter(429, 0), "too often"),
        (Misconduct::Close, "cannot be reached"),
        (Misconduct::Endless, "cannot be read"),
        (answer("text/html", "<html>"), "not JSON"),
        (answer("application/json", "{"), "not valid"),
        (answer("application/json", "[]"), "not valid"),
        (answer("application/json", &deep), "not valid"),
        (answer("application/json", r#"{"sets": {"a": "b"}, "moreAvailable": "secret"}"#), "not valid"),
        (answer("application/json", r#"{"sets": {"again": "no SET"}}"#), "sends again"),
    ];
    for (misconduct, expected) in cases {
        let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
        transmitter.misbehave(Place::Poll, misconduct.clone(), usize::MAX);
        let _streams = start(vec![polled(&transmitter, "idp")], TIMING, &intake);
        let told = |intake: &RecordingIntake| intake.troubles("idp").last().cloned().flatten();
        intake.until(|intake| told(intake).is_some_and(|trouble| trouble.contains(expected))).await;
        assert!(!told(&intake).unwrap().contains("secret"));
        transmitter.behave();
        let emitted = emit(&transmitter, "idp", 1);
        transmitter.until_stream("idp", |stream| has_all(stream, &emitted)).await.unwrap();
        intake.until(|intake| told(intake).is_none()).await;
    }
}

#[tokio::test]
async fn silence_is_no_trouble_unless_the_transmitter_does_not_answer_when_it_must_either() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    let timing = StreamTiming { long_poll: Duration::from_millis(30), ..TIMING };
    let _streams = start(vec![polled(&transmitter, "idp")], timing, &intake);
    transmitter
        .until(|state| state.requests.get(&Place::Poll).is_some_and(|count| *count > 6))
        .await
        .unwrap();
    assert_eq!(intake.troubles("idp"), []);
    transmitter.misbehave(Place::Poll, Misconduct::Hang, usize::MAX);
    intake.until(|intake| intake.troubles("idp").last().is_some_and(Option::is_some)).await;
    transmitter.behave();
    let emitted = emit(&transmitter, "idp", 1);
    transmitter.until_stream("idp", |stream| has_all(stream, &emitted)).await.unwrap();
}

#[tokio::test]
async fn who_sends_too_much_at_once_is_asked_for_less() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    let subject = json!({"format": "opaque", "id": "s".repeat(600_000)});
    let emitted: BTreeSet<_> =
        (0..12).map(|_| transmitter.emit("idp", REVOKED, &subject, &json!({}))).collect();
    let _streams = start(vec![polled(&transmitter, "idp")], TIMING, &intake);
    transmitter.until_stream("idp", |stream| has_all(stream, &emitted)).await.unwrap();
    assert_eq!(intake.troubles("idp"), []);
}

#[tokio::test]
async fn a_stream_does_not_wait_for_another() {
    let (broken, good, intake) = (transmitter().await, Transmitter::start().await, RecordingIntake::new());
    good.add_poll_stream("other", AUDIENCE);
    broken.misbehave(Place::Poll, Misconduct::Hang, usize::MAX);
    let streams = vec![polled(&broken, "idp"), polled(&good, "other")];
    let streams = start(streams, TIMING, &intake);
    let emitted = emit(&good, "other", 100);
    good.until_stream("other", |stream| has_all(stream, &emitted)).await.unwrap();
    assert_eq!(intake.applied("other").len(), 100);
    assert_eq!(
        streams.connections().iter().map(|stream| &*stream.name).collect::<Vec<_>>(),
        ["idp", "other"]
    );
}

#[tokio::test]
async fn secret_in_a_file_is_read_again_for_every_request() {
    let (transmitter, intake, dir) = (transmitter().await, RecordingIntake::new(), TempDir::new("streams"));
    transmitter.change(|state| state.authorization = Some("Bearer new".to_owned()));
    let file = dir.path().join("secret");
    std::fs::write(&file, "Bearer old\n").unwrap();
    let mut settings = polled(&transmitter, "idp");
    let url = Some(transmitter.poll_url("idp"));
    let authorization = Some(Authorization::Header(SecretSource::file(&file)));
    settings.delivery = DeliverySettings::Poll { url, authorization, max_events: 20 };
    let _streams = start(vec![settings], TIMING, &intake);
    let told = |intake: &RecordingIntake, text: &str| {
        intake.troubles("idp").last().cloned().flatten().is_some_and(|trouble| trouble.contains(text))
    };
    intake.until(|intake| told(intake, "does not know who asks")).await;
    std::fs::write(&file, "").unwrap();
    intake.until(|intake| told(intake, "it is empty")).await;
    std::fs::write(&file, "Bearer new\n").unwrap();
    let emitted = emit(&transmitter, "idp", 1);
    transmitter.until_stream("idp", |stream| has_all(stream, &emitted)).await.unwrap();
}

#[tokio::test]
async fn client_is_given_a_token_and_another_when_that_is_refused() {
    let (transmitter, intake) = (transmitter().await, RecordingIntake::new());
    transmitter.change(|state| {
        state.authorization = Some("Bearer none".to_owned());
        state.client = Some(("pdp".to_owned(), "s3cret".to_owned()));
    });
    let mut settings = polled(&transmitter, "idp");
    let authorization = Some(Authorization::Client {
        token_url: format!("{}/token", transmitter.issuer()),
        id: "pdp".to_owned(),
        secret: SecretSource::Text("s3cret".to_owned()),
        scope: "ssf.read".to_owned(),
    });
    let url = Some(transmitter.poll_url("idp"));
    settings.delivery = DeliverySettings::Poll { url, authorization, max_events: 20 };
    let _streams = start(vec![settings], TIMING, &intake);
    let mut emitted = emit(&transmitter, "idp", 1);
    transmitter.until_stream("idp", |stream| has_all(stream, &emitted)).await.unwrap();
    assert_eq!(transmitter.requests(Place::Token), 1);
    transmitter.change(|state| state.authorization = Some("Bearer revoked".to_owned()));
    emitted.extend(emit(&transmitter, "idp", 1));
    transmitter.until_stream("idp", |stream| has_all(stream, &emitted)).await.unwrap();
    assert_eq!(transmitter.requests(Place::Token), 2);
    assert_eq!(intake.troubles("idp"), []);
}
