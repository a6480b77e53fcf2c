//! `POST /api/signals/streams/{stream}`: security event tokens that their transmitter pushes (RFC 8935).

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Serialize;

use super::Services;
use super::body::Bounded;
use super::caller::Connection;
use super::error::Refusal;
use super::routes::{Place, Route};
use crate::pdp::{Action, Caller, Intake, NotHeard, Pusher, Unknown};
use crate::ports::SetFault;

/// Where streams are.
const STREAMS: &str = "/api/signals/streams/";

/// The media type of a SET (RFC 8417, section 7.2).
const SET: &str = "application/secevent+jwt";

/// Largest SET, in bytes.
const MAX_BYTES: usize = 64 * 1024;

pub(super) fn routes() -> Vec<Route> {
    vec![Place::needing(Action::Signals, "/api/signals/streams/{stream}").with(post(push))]
}

/// The stream has recognised whoever sends a request.
#[derive(Clone, Copy)]
struct Recognised;

/// The transmitter that sends a request over `connection`, if its stream recognises it by itself. What was shown to the
/// stream is no credential of a caller, and is taken out of the head.
pub(super) fn transmitter(services: &Services, connection: &Connection, head: &mut Parts) -> Option<Caller> {
    let stream = head.uri.path().strip_prefix(STREAMS)?;
    let authorization = head.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let is_one = head.headers.get_all(header::AUTHORIZATION).iter().count() <= 1;
    let intake = services.signals.as_ref().filter(|_| is_one)?;
    match intake.pusher(stream, authorization, connection.address) {
        Pusher::Transmitter(caller) => {
            head.extensions.insert(Recognised);
            Some(caller)
        }
        Pusher::Caller { shown } => {
            head.extensions.insert(Recognised);
            if shown {
                head.headers.remove(header::AUTHORIZATION);
            }
            None
        }
        Pusher::Stranger => None,
    }
}

/// What somebody is told who is not known and sends a request to `path`: at a stream the same as who is known and is not
/// its transmitter (RFC 8935, section 2.4), whether there is such a stream or not.
pub(super) fn stranger(path: &str, unknown: Unknown) -> Refusal {
    let is_stream = path.strip_prefix(STREAMS).is_some_and(|rest| !rest.contains('/'));
    match unknown {
        Unknown::NoCredential | Unknown::BadCredential if is_stream => Refusal::NotTransmitter,
        unknown => unknown.into(),
    }
}

/// Takes a SET. It is answered once it is on disk and every later decision knows it.
async fn push(
    caller: Caller,
    recognised: Option<Extension<Recognised>>,
    State(services): State<Arc<Services>>,
    stream: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Bounded,
) -> Result<Response, Refusal> {
    let Path(stream) = stream.map_err(|_| Refusal::NotTransmitter)?;
    let intake = services.signals.as_deref().filter(|_| recognised.is_some());
    let intake = intake.filter(|intake| intake.may_push(&stream, &caller)).ok_or(Refusal::NotTransmitter)?;
    match heard(intake, &stream, &caller, &headers, &body.bytes).await {
        Ok(()) => Ok(StatusCode::ACCEPTED.into_response()),
        Err(NotHeard::Refused { fault, reason }) => Ok(refused(fault, &reason)),
        Err(NotHeard::TooOften { wait }) => Err(Refusal::TooOften { wait }),
        Err(NotHeard::NoRoom(reason) | NotHeard::NotNow(reason)) => Ok(not_now(&reason)),
    }
}

async fn heard(
    intake: &Intake,
    stream: &str,
    caller: &Caller,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), NotHeard> {
    match readable(headers, body) {
        Ok(set) => intake.push(stream, set, Some(caller)).await.map(drop),
        Err(reason) => {
            intake.admit(stream)?;
            let fault = SetFault::InvalidRequest;
            intake.refuse(stream, fault.code(), reason, Some(caller)).await;
            Err(NotHeard::Refused { fault, reason: reason.to_owned() })
        }
    }
}

/// What may be a SET, or why this is none.
fn readable<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<&'b str, &'static str> {
    let declared =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = declared.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(SET) {
        return Err("the `content-type` is not `application/secevent+jwt`");
    }
    if body.len() > MAX_BYTES {
        return Err("the body is larger than 65536 bytes, the limit for a security event token");
    }
    str::from_utf8(body).map_err(|_| "the body is not text")
}

/// RFC 8935, section 2.3.
pub(super) fn refused(fault: SetFault, description: &str) -> Response {
    let told = Told { err: fault.code(), description };
    let language = [(header::CONTENT_LANGUAGE, HeaderValue::from_static("en"))];
    (StatusCode::BAD_REQUEST, language, Json(told)).into_response()
}

/// What may come again. The standard has no code for it: only the status counts.
fn not_now(description: &str) -> Response {
    let told = Told { err: "unavailable", description };
    let headers = [
        (header::CONTENT_LANGUAGE, HeaderValue::from_static("en")),
        (header::RETRY_AFTER, HeaderValue::from_static("1")),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, Json(told)).into_response()
}

#[derive(Serialize)]
struct Told<'a> {
    err: &'static str,
    description: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_of_the_type_of_sets_are_read() {
        let large = "a".repeat(MAX_BYTES + 1);
        for (declared, body, expected) in [
            (Some("application/secevent+jwt"), "a.b.c".as_bytes(), true),
            (Some("Application/SecEvent+JWT; charset=utf-8"), b"a.b.c", true),
            (Some("application/jwt"), b"a.b.c", false),
            (Some("application/json"), b"a.b.c", false),
            (Some(""), b"a.b.c", false),
            (None, b"a.b.c", false),
            (Some("application/secevent+jwt"), large.as_bytes(), false),
            (Some("application/secevent+jwt"), b"\xff", false),
        ] {
            let declared = declared.map(|text| (header::CONTENT_TYPE, HeaderValue::from_static(text)));
            let headers: HeaderMap = declared.into_iter().collect();
            assert_eq!(readable(&headers, body).is_ok(), expected, "{headers:?}");
        }
    }
}
