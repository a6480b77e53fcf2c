//! What comes into the decision log, as server-sent events: one for each record that matches.
//!
//! Each listener has a thread of its own that reads the log: the log itself is the buffer.

use std::ops::ControlFlow;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::runtime::Handle;

use super::dto::Found;
use super::params::Params;
use crate::http::Invalid;
use crate::http::error::Refusal;
use crate::http::listener::{LAST_EVENT_ID, Listener, STILL_HERE, Wish};
use crate::pdp::{Action, Caller};
use crate::ports::{DecisionFilter, Followed, StoredRecord};

/// How often in a row nothing comes in before that is said: the log asks about every half a second.
const QUIET: u32 = 20;

pub(super) async fn tail(wish: Wish) -> Result<Response, Refusal> {
    let filter = Params::tail(wish.request.uri(), &wish.caller)?;
    follow(wish, filter, Action::Audit, |_, _| true).await
}

/// What comes into the log that matches `filter` and that the listener `sees`, for those that may do `action`.
pub(in crate::http) async fn follow(
    wish: Wish,
    filter: DecisionFilter,
    action: Action,
    sees: fn(&Caller, &StoredRecord) -> bool,
) -> Result<Response, Refusal> {
    let log = wish.services.decisions.clone().ok_or(Refusal::NotFound)?;
    let after = seen(wish.request.headers())?.unwrap_or_else(|| log.last_seq());
    let room = wish.services.budget.listener().await?;
    let (listener, response) = Listener::new(wish, action);
    tokio::task::spawn_blocking(move || {
        let followed = log.follow(&filter, after, &mut told(&listener, sees));
        if followed.is_err() {
            listener.say_last("the log cannot be read");
        }
        drop(room);
    });
    Ok(response)
}

/// The last record that the listener has seen, if it says so.
fn seen(headers: &HeaderMap) -> Result<Option<u64>, Invalid> {
    let Some(id) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let seq = id.to_str().ok().and_then(|id| id.parse().ok());
    seq.map(Some).ok_or_else(|| Invalid::at(LAST_EVENT_ID, "expected the `id` of an earlier event"))
}

/// Tells `listener` what matches until nobody listens any more, or may, or the server stops.
fn told<'l>(
    listener: &'l Listener,
    sees: fn(&Caller, &StoredRecord) -> bool,
) -> impl FnMut(Followed) -> ControlFlow<()> + 'l {
    let runtime = Handle::current();
    let mut idle = 0;
    move |followed| {
        if !runtime.block_on(listener.goes_on()) {
            return ControlFlow::Break(());
        }
        let event = match &followed {
            Followed::Record(record) if sees(listener.caller(), record) => event(record),
            Followed::Record(_) => return ControlFlow::Continue(()),
            Followed::Reached(_) if idle < QUIET => {
                idle += 1;
                return ControlFlow::Continue(());
            }
            Followed::Reached(_) => Some(Bytes::from_static(STILL_HERE)),
        };
        idle = 0;
        let is_told = event.is_some_and(|event| runtime.block_on(listener.tell(event)));
        if is_told { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// A record as an event whose id is its number; `None` if it is no record.
fn event(record: &StoredRecord) -> Option<Bytes> {
    let data = serde_json::to_string(&Found::new(record).ok()?).ok()?;
    Some(format!("id: {}\ndata: {data}\n\n", record.seq).into())
}
