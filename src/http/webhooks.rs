//! What systems send that know nothing of Security Event Tokens, and what of signals is taken and refused as it comes in.
//!
//! Webhooks show who sends them in a way of their own, so their path is there for everybody; who shows nothing good learns
//! nothing, not even which sources there are.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use procura_core::query::Condition;
use procura_core::record::Record;
use serde::Serialize;

use super::body::Bounded;
use super::decisions::follow;
use super::decisions::params::pairs;
use super::error::Refusal;
use super::json::Invalid;
use super::listener::Wish;
use super::routes::{Place, Route};
use super::{Services, answer};
use crate::pdp::webhooks::NotTaken;
use crate::pdp::{Action, Caller, Heard};
use crate::ports::{Applied, DecisionFilter, StoredRecord};

/// The records of signals.
const SIGNALS: &str = r#"kind == "signal" || kind == "signals_refused""#;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Place::open("/api/signals/webhooks/{source}").with(post(hear)),
        Place::needing(Action::Facts, "/api/signals/events").with(get(events)),
    ]
}

async fn hear(
    caller: Caller,
    State(services): State<Arc<Services>>,
    source: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Bounded,
) -> Result<Response, Refusal> {
    let Ok(Path(source)) = source else { return Err(NotTaken::Unvouched.into()) };
    let webhooks = services.facts.as_ref().ok_or(NotTaken::Unvouched)?.webhooks();
    let taken = webhooks.take(&source, &caller, |name| one(&headers, name), &body.bytes).await?;
    let (became, ignored) = match taken.heard {
        Heard::Applied(Applied::Changed { .. }) => ("changed", None),
        Heard::Applied(Applied::Unchanged) => ("unchanged", None),
        Heard::Applied(Applied::Repeated) => ("repeated", None),
        Heard::Ignored(why) => ("ignored", Some(why.code())),
    };
    answer::json(&Answer { id: &taken.id, became, ignored })
}

/// The value of a header that is there once.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())?.to_str().ok()
}

/// Body of the answer to a webhook.
#[derive(Serialize)]
struct Answer<'h> {
    /// The name of the event.
    id: &'h str,
    became: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<&'static str>,
}

impl From<NotTaken> for Refusal {
    fn from(refused: NotTaken) -> Self {
        match refused {
            NotTaken::Unvouched => Self::Unauthenticated { shown: true },
            NotTaken::TooLarge | NotTaken::NotMapped(_) | NotTaken::NotSaid(_) => {
                Invalid::at("$", refused).into()
            }
            NotTaken::NotHeard(error) => error.into(),
        }
    }
}

async fn events(wish: Wish) -> Result<Response, Refusal> {
    if let Some((name, _)) = pairs(wish.request.uri())?.first() {
        return Err(Invalid::at(name, "no such parameter; there are none").into());
    }
    let condition = Condition::parse(SIGNALS).map_err(|_| Refusal::Internal)?;
    let filter = DecisionFilter { condition, ..DecisionFilter::default() };
    follow(wish, filter, Action::Facts, sees).await
}

/// Whether there is this record for `caller`: if it is bound to tenants, one that states something about nothing but them.
fn sees(caller: &Caller, record: &StoredRecord) -> bool {
    let Some(tenants) = &caller.identity.tenants else { return true };
    let Ok(Record::Signal(signal)) = Record::decode(&record.payload) else { return false };
    let is_theirs = |named: &str| tenants.iter().any(|tenant| tenant == named);
    let mut facts = signal.facts.iter();
    !signal.facts.is_empty()
        && facts.all(|fact| fact.subject.get("tenant").is_some_and(|named| is_theirs(named)))
}
