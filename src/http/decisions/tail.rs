//! What comes into the decision log, as server-sent events: one for each record that matches.
//!
//! Each listener has a thread of its own that reads the log, and a channel of a few events. Whoever does not read is ended
//! once the channel stays full, and can come back: the log itself is the buffer. Whether a listener may still listen is asked
//! before each event, and about twice a second without one.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, Request, header};
use axum::response::Response;
use hyper::body::Frame;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::dto::Found;
use super::params::Params;
use crate::http::caller::Connection;
use crate::http::error::Refusal;
use crate::http::serve::Stopping;
use crate::http::{Invalid, Services};
use crate::pdp::{Action, Caller};
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
    caller: Caller,
    State(services): State<Arc<Services>>,
    Extension(stopping): Extension<Stopping>,
    Extension(connection): Extension<Arc<Connection>>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let request = request.map(drop);
    let filter = Params::tail(request.uri(), &caller)?;
    let log = services.decisions.clone().ok_or(Refusal::NotFound)?;
    let after = seen(request.headers())?.unwrap_or_else(|| log.last_seq());
    let room = services.budget.listener().await?;
    let (events, receiver) = mpsc::channel(CHANNEL);
    let listener = Listener { caller, connection, request, services, stopping, events };
    tokio::task::spawn_blocking(move || {
        listener.follow(&*log, &filter, after);
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

/// Who listens.
struct Listener {
    /// Who it was when it began.
    caller: Caller,
    connection: Arc<Connection>,
    /// What it showed.
    request: Request<()>,
    services: Arc<Services>,
    stopping: Stopping,
    events: mpsc::Sender<Bytes>,
}

impl Listener {
    /// Sends what matches until nobody listens any more, or may, or the server stops.
    fn follow(&self, log: &dyn DecisionQuery, filter: &DecisionFilter, after: u64) {
        let runtime = Handle::current();
        let mut idle = 0;
        let ended = log.follow(filter, after, &mut |followed| {
            if self.stopping.is_true() || self.events.is_closed() {
                return ControlFlow::Break(());
            }
            if !runtime.block_on(self.may_listen()) {
                self.say_last("the credential is not good any more");
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
            match event.map(|event| runtime.block_on(self.events.send_timeout(event, PATIENCE))) {
                Some(Ok(())) => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        });
        if ended.is_err() {
            self.say_last("the log cannot be read");
        }
    }

    /// Whether what it showed still stands for the same caller, who may still read the log.
    async fn may_listen(&self) -> bool {
        let found = self.connection.caller(&self.services.callers, &self.request, false).await;
        found.is_ok_and(|now| now.may(Action::Audit) && now.identity.tenants == self.caller.identity.tenants)
    }

    /// Says why there will be no more, if there is room to say it.
    fn say_last(&self, why: &str) {
        let _ = self.events.try_send(format!("event: error\ndata: {why}\n\n").into());
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
