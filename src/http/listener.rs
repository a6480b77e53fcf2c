//! Those who listen to server-sent events, whatever the events are.
//!
//! Each has a channel of a few events. Whoever does not read is ended once the channel stays full, and can come back. Whether
//! a listener may still listen is asked before events, and about twice a second without any.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::FromRequest;
use axum::http::{HeaderValue, Request, header};
use axum::response::Response;
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::Services;
use super::caller::Connection;
use super::error::Refusal;
use super::serve::Stopping;
use crate::pdp::{Action, Caller};

/// Events that wait for a listener.
const CHANNEL: usize = 16;

/// How long they wait for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is sent when nothing comes in, so that everybody knows that the connection stands.
pub(super) const STILL_HERE: &[u8] = b": nothing new\n\n";

/// The header with which a listener that comes back says what it has seen.
pub(super) const LAST_EVENT_ID: &str = "last-event-id";

/// The wish to listen: a request without its body, and what is known of who sent it.
pub(super) struct Wish {
    /// Who it was when it began.
    pub(super) caller: Caller,
    /// What it showed and asked for.
    pub(super) request: Request<()>,
    pub(super) services: Arc<Services>,
    connection: Arc<Connection>,
    stopping: Stopping,
}

/// Who listens.
pub(super) struct Listener {
    wish: Wish,
    /// What it must be allowed.
    action: Action,
    events: mpsc::Sender<Bytes>,
}

impl FromRequest<Arc<Services>> for Wish {
    type Rejection = Refusal;

    async fn from_request(request: Request<Body>, services: &Arc<Services>) -> Result<Self, Refusal> {
        let request = request.map(drop);
        let known = request.extensions();
        let caller = known.get::<Caller>().cloned().ok_or(Refusal::Internal)?;
        let connection = known.get::<Arc<Connection>>().cloned().ok_or(Refusal::Internal)?;
        let stopping = known.get::<Stopping>().cloned().ok_or(Refusal::Internal)?;
        Ok(Self { caller, request, services: Arc::clone(services), connection, stopping })
    }
}

impl Listener {
    /// The listener of `wish`, as long as it may do `action`, and the answer in which it hears.
    pub(super) fn new(wish: Wish, action: Action) -> (Self, Response) {
        let (events, receiver) = mpsc::channel(CHANNEL);
        let mut response = Response::new(Body::new(Events(receiver)));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        (Self { wish, action, events }, response)
    }

    /// Who listens.
    pub(super) const fn caller(&self) -> &Caller {
        &self.wish.caller
    }

    /// Whether somebody listens still, and may; who may not any more is told so.
    pub(super) async fn goes_on(&self) -> bool {
        if self.wish.stopping.is_true() || self.events.is_closed() {
            return false;
        }
        let may = self.may_listen().await;
        if !may {
            self.say_last("the credential is not good any more");
        }
        may
    }

    /// Sends `event`; whether that was possible.
    pub(super) async fn tell(&self, event: Bytes) -> bool {
        self.events.send_timeout(event, PATIENCE).await.is_ok()
    }

    /// Resolves once nobody listens any more.
    pub(super) async fn is_gone(&self) {
        self.events.closed().await;
    }

    /// Says why there will be no more, if there is room to say it.
    pub(super) fn say_last(&self, why: &str) {
        let _ = self.events.try_send(format!("event: error\ndata: {why}\n\n").into());
    }

    /// Whether what it showed still stands for the same caller, who may still do what it takes.
    async fn may_listen(&self) -> bool {
        let Wish { caller, request, services, connection, .. } = &self.wish;
        let found = connection.caller(&services.callers, request, false).await;
        found.is_ok_and(|now| now.may(self.action) && now.identity.tenants == caller.identity.tenants)
    }
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
