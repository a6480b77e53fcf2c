//! The decision log as the Admin API of the peer shows it: `GET /admin/auditlog/list/{kind}`.
//!
//! The answer is a stream of lines, `{"result": {"decisionLogEntry": {…}}}`, newest first, of which a page at a time is in
//! memory. Entries are a view of our records in the shape of the peer; the records themselves are at `/api/decisions`.

mod entry;
mod lines;
pub(in crate::http) mod params;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Uri, header};
use axum::response::Response;
use procura_core::record::Record;
use tokio::sync::mpsc::Sender;

use self::entry::write_entry;
use self::lines::{Line, Lines};
use self::params::Wanted;
use crate::http::caller::Operator;
use crate::http::error::Refusal;
use crate::http::{Invalid, Services};
use crate::pdp::Caller;
use crate::ports::{DecisionFilter, DecisionQuery, LogError, StoredRecord};

/// Records that are read at once.
const PAGE: usize = 100;

/// The log entries that the query asks for. There are no access logs: a list of them is empty.
pub(super) async fn list(
    _: Operator,
    caller: Caller,
    State(services): State<Arc<Services>>,
    Path(kind): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let wanted = Wanted::of(&uri, services.pdp.now())?;
    let log = services.decisions.clone().ok_or(Refusal::NotFound)?;
    let (lines, body) = Lines::channel();
    match kind.as_str() {
        "KIND_DECISION" => {
            tokio::spawn(Feed { services, caller, log, lines }.run(wanted));
        }
        "KIND_ACCESS" => drop(lines),
        _ => return Err(Invalid::at("kind", "expected `KIND_DECISION` or `KIND_ACCESS`").into()),
    }
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// What fills the answer, for as long as somebody reads it.
struct Feed {
    services: Arc<Services>,
    caller: Caller,
    log: Arc<dyn DecisionQuery>,
    lines: Sender<Line>,
}

impl Feed {
    async fn run(self, wanted: Wanted) {
        let feed = Arc::new(self);
        let fed = match wanted {
            Wanted::Call(id) => Arc::clone(&feed).look_up(id).await,
            Wanted::Records { filter, most } => Arc::clone(&feed).pages(filter, most).await,
        };
        if let Err(refusal) = fed {
            // Whoever has stopped reading is not to be told.
            let _ = feed.lines.send(Line::error(&refusal)).await;
        }
    }

    async fn look_up(self: Arc<Self>, id: String) -> Result<(), Refusal> {
        let found = self.in_turn(move |feed| {
            if let Some(stored) = feed.log.get(&id)?.filter(|stored| feed.caller.sees(&stored.payload)) {
                feed.tell(&stored);
            }
            Ok(())
        });
        found.await
    }

    async fn pages(self: Arc<Self>, mut filter: DecisionFilter, most: usize) -> Result<(), Refusal> {
        let mut left = most;
        filter.tenants = self.caller.tenants();
        loop {
            filter.limit = left.min(PAGE);
            let asked = filter.clone();
            let page = Arc::clone(&self).in_turn(move |feed| {
                let page = feed.log.find(&asked)?;
                let is_read = page.records.iter().all(|stored| feed.tell(stored));
                Ok((page.records.len(), page.next_before_seq.filter(|_| is_read)))
            });
            let (told, next) = page.await?;
            left -= told.min(left);
            filter.before_seq = next;
            if next.is_none() || left == 0 {
                return Ok(());
            }
        }
    }

    /// Does what blocks where that is allowed, when it is our turn to read the log.
    async fn in_turn<T: Send + 'static>(
        self: Arc<Self>,
        read: impl FnOnce(&Self) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let _room = self.services.budget.log_reader().await?;
        let feed = Arc::clone(&self);
        let read = tokio::task::spawn_blocking(move || read(&feed)).await;
        read.map_err(|_| Refusal::Internal)?.map_err(Refusal::LogUnavailable)
    }

    /// Sends the line of one record, and waits until there is room for it. Whether somebody still reads.
    fn tell(&self, stored: &StoredRecord) -> bool {
        let Ok(Record::Decision(record)) = Record::decode(&stored.payload) else {
            return self.lines.blocking_send(Line::error(&Refusal::Internal)).is_ok();
        };
        let trail = self.services.pdp.retrace(&record);
        let line = Line::result(|out| write_entry(out, &record, trail.as_ref()));
        self.lines.blocking_send(line).is_ok()
    }
}
