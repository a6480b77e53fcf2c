//! Request bodies: bounded in size, in the time they may take to arrive, and in what all of them occupy.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};

use super::budget::{Budget, Room};
use super::error::Refusal;
use super::{Invalid, RequestLimits, Services, json};

/// How many times the limit an oversized body is read and dropped, so that the connection stays usable and the caller
/// is there to read why. Beyond that the connection is closed.
const DRAIN_FACTOR: u64 = 4;

/// First allocation for a body in several frames: what a caller announces is not what it sends.
const FIRST_ALLOCATION: usize = 16 * 1024;

/// A whole body within the limits. It occupies its share of the budget until it is dropped.
pub(super) struct Bounded {
    /// The body.
    pub(super) bytes: Bytes,
    _in_flight: Room,
    _work: Room,
}

impl Bounded {
    /// Reads `body`, which came with `headers`.
    pub(super) async fn read<B>(services: &Services, headers: &HeaderMap, body: B) -> Result<Self, Refusal>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let limits = &services.limits;
        refuse_hopeless(headers, &body, limits)?;
        let mut read = pin!(Arriving::new(services).read(body));
        // Most bodies came together with their heads, and a timer is not free.
        let at_once = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await;
        let (bytes, in_flight) = match at_once {
            Poll::Ready(read) => read?,
            Poll::Pending => {
                let deadline = limits.body_timeout;
                let seconds = deadline.as_secs_f64();
                tokio::time::timeout(deadline, read).await.map_err(|_| Refusal::TooSlow { seconds })??
            }
        };
        let structure = json::structure(&bytes, limits)?;
        let work = services.budget.work(bytes.len(), structure).await?;
        Ok(Self { bytes, _in_flight: in_flight, _work: work })
    }
}

impl FromRequest<Arc<Services>> for Bounded {
    type Rejection = Refusal;

    async fn from_request(request: Request, services: &Arc<Services>) -> Result<Self, Refusal> {
        let (head, body) = request.into_parts();
        Self::read(services, &head.headers, body).await
    }
}

/// Refuses by its announced length a body that is not worth reading to its end.
fn refuse_hopeless(headers: &HeaderMap, body: &impl HttpBody, limits: &RequestLimits) -> Result<(), Refusal> {
    let limit = limits.max_body_bytes;
    let announced = body.size_hint().lower();
    let waits_for_leave = || headers.contains_key(header::EXPECT);
    if announced > drain_limit(limit) || (announced > limit as u64 && waits_for_leave()) {
        Err(Refusal::TooLarge { limit })
    } else {
        Ok(())
    }
}

fn drain_limit(limit: usize) -> u64 {
    (limit as u64).saturating_mul(DRAIN_FACTOR)
}

/// A body on its way. Once it is refused it is read to its end, within bounds, and dropped.
struct Arriving<'s> {
    limits: &'s RequestLimits,
    budget: &'s Budget,
    whole: Vec<u8>,
    room: Room,
    seen: u64,
    refused: Option<Refusal>,
}

impl<'s> Arriving<'s> {
    fn new(services: &'s Services) -> Self {
        let Services { limits, budget, .. } = services;
        Self { limits, budget, whole: Vec::new(), room: Room::default(), seen: 0, refused: None }
    }

    async fn read<B>(mut self, mut body: B) -> Result<(Bytes, Room), Refusal>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let limit = self.limits.max_body_bytes;
        while let Some(data) = next_data(&mut body).await? {
            self.seen = self.seen.saturating_add(data.len() as u64);
            if self.seen > drain_limit(limit) {
                return Err(Refusal::TooLarge { limit });
            }
            if self.seen > limit as u64 {
                self.refuse(Refusal::TooLarge { limit });
            }
            if self.refused.is_some() {
                continue;
            }
            if self.whole.is_empty() && body.is_end_stream() {
                return Ok((data, self.room));
            }
            match self.make_room(data.len()).await {
                Ok(()) => self.whole.extend_from_slice(&data),
                Err(refusal) => self.refuse(refusal),
            }
        }
        self.refused.map_or(Ok((self.whole.into(), self.room)), Err)
    }

    /// Room for `more` bytes, doubled as often as it takes, so that a body in many pieces is not copied for each.
    async fn make_room(&mut self, more: usize) -> Result<(), Refusal> {
        let (length, capacity) = (self.whole.len(), self.whole.capacity());
        let needed = length.saturating_add(more);
        if needed <= capacity {
            return Ok(());
        }
        let capacity = capacity.saturating_mul(2).min(self.limits.max_body_bytes);
        let capacity = capacity.max(FIRST_ALLOCATION).max(needed);
        self.budget.grow(&mut self.room, capacity).await?;
        self.whole.reserve_exact(capacity - length);
        Ok(())
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refused = Some(refusal);
        self.whole = Vec::new();
        self.room = Room::default();
    }
}

/// The next piece of data; trailers are dropped.
async fn next_data<B>(body: &mut B) -> Result<Option<Bytes>, Refusal>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Invalid::at("$", "the body ended before its announced end"))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
