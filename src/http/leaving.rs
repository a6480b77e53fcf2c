//! Large answers, which occupy their room until the connection has written them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};

use super::admission::{Account, Share};
use super::budget::{Budget, UNCOUNTED};
use super::error::Refusal;

/// `response` to a caller of `account`, with the room that its body needs.
pub(super) async fn with_room(
    budget: &Budget,
    account: &Arc<Account>,
    response: Response,
) -> Result<Response, Refusal> {
    let bytes = usize::try_from(response.body().size_hint().lower()).unwrap_or(usize::MAX);
    if bytes <= UNCOUNTED {
        return Ok(response);
    }
    let share = Arc::new(budget.leaving(account, bytes).await?);
    Ok(response.map(|body| Body::new(Leaving { body, share })))
}

struct Leaving {
    body: Body,
    share: Arc<Share>,
}

/// A piece of the body; the share goes with the last of them.
struct Piece {
    bytes: Bytes,
    _share: Arc<Share>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let share = Arc::clone(&self.share);
        Pin::new(&mut self.body).poll_frame(cx).map(|frame| {
            Some(
                frame?.map(|frame| frame.map_data(|bytes| Bytes::from_owner(Piece { bytes, _share: share }))),
            )
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
