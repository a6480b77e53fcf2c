//! Request bodies: bounded in size and in the time they may take to arrive.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};

use super::error::Refusal;
use super::{Invalid, RequestLimits, Services};

/// How many times the limit an oversized body is read and dropped, so that the connection stays usable and the caller
/// is there to read why. Beyond that the connection is closed.
const DRAIN_FACTOR: u64 = 4;

/// First allocation for a body in several frames: what a caller announces is not what it sends.
const FIRST_ALLOCATION: usize = 16 * 1024;

/// A whole body within the limits.
pub(super) struct Bounded(pub(super) Bytes);

impl FromRequest<Arc<Services>> for Bounded {
    type Rejection = Refusal;

    async fn from_request(request: Request, services: &Arc<Services>) -> Result<Self, Refusal> {
        let limits = &services.limits;
        let (head, body) = request.into_parts();
        refuse_hopeless(&head.headers, limits)?;
        let deadline = limits.body_timeout;
        match tokio::time::timeout(deadline, read(body, limits)).await {
            Ok(read) => read.map(Self),
            Err(_) => Err(Refusal::TooSlow { seconds: deadline.as_secs_f64() }),
        }
    }
}

/// Refuses by its announced length a body that is not worth reading to its end.
fn refuse_hopeless(headers: &HeaderMap, limits: &RequestLimits) -> Result<(), Refusal> {
    let limit = limits.max_body_bytes;
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let waits_for_leave = headers.contains_key(header::EXPECT);
    let worth_reading = if waits_for_leave { limit as u64 } else { drain_limit(limit) };
    if announced.is_some_and(|length| length > worth_reading) {
        Err(Refusal::TooLarge { limit })
    } else {
        Ok(())
    }
}

fn drain_limit(limit: usize) -> u64 {
    (limit as u64).saturating_mul(DRAIN_FACTOR)
}

async fn read(mut body: Body, limits: &RequestLimits) -> Result<Bytes, Refusal> {
    let limit = limits.max_body_bytes;
    let mut whole = Vec::new();
    let mut seen: u64 = 0;
    while let Some(data) = next_data(&mut body).await? {
        seen = seen.saturating_add(data.len() as u64);
        if seen > drain_limit(limit) {
            return Err(Refusal::TooLarge { limit });
        }
        if seen > limit as u64 {
            whole = Vec::new();
            continue;
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        if whole.is_empty() {
            whole.reserve(FIRST_ALLOCATION);
        }
        whole.extend_from_slice(&data);
    }
    if seen > limit as u64 { Err(Refusal::TooLarge { limit }) } else { Ok(whole.into()) }
}

/// The next piece of data; trailers are dropped.
async fn next_data(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Invalid::at("$", "the body ended before its announced end"))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
