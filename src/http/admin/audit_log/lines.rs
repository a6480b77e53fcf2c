//! A body that is written line by line, each a JSON text.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use hyper::body::Frame;
use serde_json::json;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::http::error::Refusal;

/// One line with its end.
pub(super) struct Line(Bytes);

/// The body; it ends when nobody can send to it any more.
pub(super) struct Lines(Receiver<Line>);

impl Lines {
    /// A body and where its lines are sent to. One line waits for its reader; the next waits for room.
    pub(super) fn channel() -> (Sender<Line>, Self) {
        let (sender, receiver) = channel(1);
        (sender, Self(receiver))
    }
}

impl Line {
    /// What `write` writes as the member of a result.
    pub(super) fn result(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut line = br#"{"result":"#.to_vec();
        write(&mut line);
        line.extend_from_slice(b"}\n");
        Self(line.into())
    }

    /// Why the stream ends, as the peer says it.
    pub(super) fn error(refusal: &Refusal) -> Self {
        Self(format!("{}\n", json!({"error": refusal.cerbos_body()})).into())
    }
}

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|line| line.map(|Line(bytes)| Ok(Frame::data(bytes))))
    }
}
