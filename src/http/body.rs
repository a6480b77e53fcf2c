//! Request bodies: bounded in size, in the time they may take to arrive, and in what all of them occupy.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use tokio::time::timeout;

use super::admission::{Account, Share};
use super::budget::UNCOUNTED;
use super::error::Refusal;
use super::{Invalid, RequestLimits, Services, json};

/// How many times the limit an oversized body is read and dropped, so that the connection stays usable and the caller
/// is there to read why. Beyond that the connection is closed.
const DRAIN_FACTOR: u64 = 4;

/// In how many parts of the time for a body something has to arrive.
const PARTS: u32 = 3;

/// How many bytes have to arrive in each of them.
const LEAST_PER_PART: u64 = 16 * 1024;

/// First allocation for a body in several frames: what a caller announces is not what it sends.
const FIRST_ALLOCATION: usize = 16 * 1024;

/// A whole body within the limits. It occupies its share of the budget until it is dropped.
pub(super) struct Bounded {
    /// The body.
    pub(super) bytes: Bytes,
    _arriving: Share,
    _work: Share,
}

impl Bounded {
    /// Reads `body`, which came with `headers` from a caller of `account`.
    pub(super) async fn read<B>(
        services: &Services,
        account: &Arc<Account>,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Self, Refusal>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let limits = &services.limits;
        refuse_hopeless(headers, &body, limits)?;
        let arriving = services.budget.arriving(account);
        let seen = AtomicU64::new(0);
        let mut read = pin!(Arriving::new(limits, arriving, &seen).read(body));
        // Most bodies came together with their heads, and a timer is not free.
        let at_once = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await;
        let (bytes, arriving) = match at_once {
            Poll::Ready(read) => read?,
            Poll::Pending => in_time(limits.body_timeout, &seen, read).await?,
        };
        let structure = json::structure(&bytes, limits)?;
        let work = services.budget.work(account, bytes.len(), structure).await?;
        Ok(Self { bytes, _arriving: arriving, _work: work })
    }
}

/// Reads `body` to its end and drops it, as far as it is worth it, so that whoever sent it is there to read why it was
/// refused, and the connection stays usable.
pub(super) async fn drop_unread<B>(limits: &RequestLimits, headers: &HeaderMap, mut body: B)
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    // Whoever waits for leave has sent nothing yet, and must not be given leave now.
    if body.is_end_stream() || headers.contains_key(header::EXPECT) {
        return;
    }
    let limit = limits.max_body_bytes as u64;
    let seen = AtomicU64::new(0);
    let read = pin!(async {
        while let Some(data) = next_data(&mut body).await? {
            if seen.fetch_add(data.len() as u64, Ordering::Relaxed) > limit {
                break;
            }
        }
        Ok(())
    });
    // Whatever comes of it, the answer is the same.
    let _ = in_time(limits.body_timeout, &seen, read).await;
}

impl FromRequest<Arc<Services>> for Bounded {
    type Rejection = Refusal;

    async fn from_request(request: Request, services: &Arc<Services>) -> Result<Self, Refusal> {
        let (head, body) = request.into_parts();
        let account = head.extensions.get::<Arc<Account>>().ok_or(Refusal::Internal)?;
        Self::read(services, account, &head.headers, body).await
    }
}

/// What `read` comes to, if it ends within `limit` and enough is `seen` in each part of it: who sends a little now and
/// then would hold for a long time what others need.
async fn in_time<T>(
    limit: Duration,
    seen: &AtomicU64,
    mut read: Pin<&mut impl Future<Output = Result<T, Refusal>>>,
) -> Result<T, Refusal> {
    for _ in 0..PARTS {
        let before = seen.load(Ordering::Relaxed);
        if let Ok(read) = timeout(limit / PARTS, read.as_mut()).await {
            return read;
        }
        if seen.load(Ordering::Relaxed) - before < LEAST_PER_PART {
            break;
        }
    }
    Err(Refusal::TooSlow { seconds: limit.as_secs_f64() })
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
    whole: Vec<u8>,
    room: Share,
    seen: &'s AtomicU64,
    refused: Option<Refusal>,
}

impl<'s> Arriving<'s> {
    fn new(limits: &'s RequestLimits, room: Share, seen: &'s AtomicU64) -> Self {
        Self { limits, whole: Vec::new(), room, seen, refused: None }
    }

    async fn read<B>(mut self, mut body: B) -> Result<(Bytes, Share), Refusal>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let limit = self.limits.max_body_bytes;
        while let Some(data) = next_data(&mut body).await? {
            let seen = self.seen.load(Ordering::Relaxed).saturating_add(data.len() as u64);
            // Only this future writes.
            self.seen.store(seen, Ordering::Relaxed);
            if seen > drain_limit(limit) {
                return Err(Refusal::TooLarge { limit });
            }
            if seen > limit as u64 {
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
        if capacity > UNCOUNTED {
            self.room.grow(u32::try_from(capacity).unwrap_or(u32::MAX)).await?;
        }
        self.whole.reserve_exact(capacity - length);
        Ok(())
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refused = Some(refusal);
        self.whole = Vec::new();
        self.room.clear();
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
