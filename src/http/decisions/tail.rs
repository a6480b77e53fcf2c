//! What comes into the decision log, as server-sent events: one for each record that matches.
//!
//! Each listener has a thread of its own that reads the log, and a channel of a few events. Whoever does not read is ended
//! once the channel stays full, and can come back: the log itself is the buffer.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use hyper::body::Frame;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::dto::Found;
use super::params::Params;
use crate::http::caller::Operator;
use crate::http::error::Refusal;
use crate::http::serve::Stopping;
use crate::http::{Invalid, Services};
use crate::pdp::Caller;
use crate::ports::{DecisionFilter, DecisionQuery, Followed, StoredRecord};

/// Events that wait for a listener.
const CHANNEL: usize = 16;

/// How long they wait for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often in a row nothing comes in before that is said: the log asks about every half a second.
const QUIET: u32 = 20;

/// What is sent when nothing comes in, so that everybody knows that the connection stands.
const STILL_HERE: &[u8] = b": nothing new\n\n";

/// The header with which a listener that comes back says what it has seen.
const LAST_EVENT_ID: &str = "last-event-id";

pub(super) async fn tail(
    _: Operator,
    caller: Caller,
    State(services): State<Arc<Services>>,
    Extension(stopping): Extension<Stopping>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refusal> {
    let filter = Params::tail(&uri, &caller)?;
    let log = services.decisions.clone().ok_or(Refusal::NotFound)?;
    let after = seen(&headers)?.unwrap_or_else(|| log.last_seq());
    let room = services.budget.listener().await?;
    let (events, receiver) = mpsc::channel(CHANNEL);
    tokio::task::spawn_blocking(move || {
        send(&*log, &filter, after, &events, &stopping);
        drop(room);
    });
    let mut response = Response::new(Body::new(Events(receiver)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

/// The last record that the listener has seen, if it says so.
fn seen(headers: &HeaderMap) -> Result<Option<u64>, Invalid> {
    let Some(id) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let seq = id.to_str().ok().and_then(|id| id.parse().ok());
    seq.map(Some).ok_or_else(|| Invalid::at(LAST_EVENT_ID, "expected the `id` of an earlier event"))
}

/// Sends what matches until nobody listens, or the server stops.
fn send(
    log: &dyn DecisionQuery,
    filter: &DecisionFilter,
    after: u64,
    events: &mpsc::Sender<Bytes>,
    stopping: &Stopping,
) {
    let runtime = Handle::current();
    let mut idle = 0;
    let ended = log.follow(filter, after, &mut |followed| {
        if stopping.is_true() || events.is_closed() {
            return ControlFlow::Break(());
        }
        let event = match &followed {
            Followed::Record(record) => event(record),
            Followed::Reached(_) if idle < QUIET => {
                idle += 1;
                return ControlFlow::Continue(());
            }
            Followed::Reached(_) => Some(Bytes::from_static(STILL_HERE)),
        };
        idle = 0;
        match event.map(|event| runtime.block_on(events.send_timeout(event, PATIENCE))) {
            Some(Ok(())) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    });
    if ended.is_err() {
        let _ = events.try_send(Bytes::from_static(b"event: error\ndata: the log cannot be read\n\n"));
    }
}

/// A record as an event whose id is its number; `None` if it is no record.
fn event(record: &StoredRecord) -> Option<Bytes> {
    let data = serde_json::to_string(&Found::new(record).ok()?).ok()?;
    Some(format!("id: {}\ndata: {data}\n\n", record.seq).into())
}

/// The events as a body that ends when there will be no more.
struct Events(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}
