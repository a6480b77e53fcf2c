//! What is no longer relied on: begun, lifted, listed, and what had relied on it.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use procura_core::model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::http::body::Bounded;
use crate::http::decisions::{Page, Params, query};
use crate::http::error::Refusal;
use crate::http::json::{self, Object};
use crate::http::routes::demand;
use crate::http::{Invalid, Services, answer};
use crate::pdp::{Action, Caller, QuarantineError, WantedQuarantine};
use crate::ports::{Quarantined, Suspect};

/// Longest id, in bytes.
const MAX_ID: usize = 64;

/// Longest text of another member, in bytes.
const MAX_TEXT: usize = 1024;

/// Every quarantine, oldest first.
pub(super) async fn list(State(services): State<Arc<Services>>) -> Result<Response, Refusal> {
    let all = services.quarantine.quarantines().all();
    answer::json(&Listed { quarantines: &all })
}

/// One quarantine.
pub(super) async fn get(
    State(services): State<Arc<Services>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    answer::json(&known(&services, id)?)
}

/// Begins one; to ask for the same again changes nothing.
pub(super) async fn begin(
    caller: Caller,
    State(services): State<Arc<Services>>,
    id: Result<Path<String>, PathRejection>,
    body: Bounded,
) -> Result<Response, Refusal> {
    let wanted = Wanted::parse(text(id)?, &body.bytes)?;
    answer::json(&services.quarantine.begin(caller, wanted).await?)
}

/// Lifts one.
pub(super) async fn lift(
    caller: Caller,
    State(services): State<Arc<Services>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let lifted = services.quarantine.lift(caller, text(id)?).await?;
    answer::json(&lifted.ok_or(Refusal::NotFound)?)
}

/// A page of the recorded calls that had relied on it since it is suspect, newest first. It shows records, which is for
/// those who may read the log.
pub(super) async fn affected(
    caller: Caller,
    State(services): State<Arc<Services>>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, Refusal> {
    demand(&caller, Action::Audit, &services.metrics)?;
    let entry = known(&services, id)?;
    let filter = Params::narrowing(&uri, &caller, entry.affected())?;
    let _room = services.budget.log_reader().await?;
    let mut page = query(&services, move |log| log.find(&filter)).await?;
    page.records.retain(|stored| entry.has_affected(&stored.payload));
    answer::json(&Page::new(&page)?)
}

fn known(services: &Services, id: Result<Path<String>, PathRejection>) -> Result<Quarantined, Refusal> {
    let id = text(id)?;
    let all = services.quarantine.quarantines().all();
    all.iter().find(|entry| entry.id == id).cloned().ok_or(Refusal::NotFound)
}

fn text(id: Result<Path<String>, PathRejection>) -> Result<String, Invalid> {
    let text = id.map(|Path(id)| id);
    text.map_err(|_| Invalid::at("id", "the text between the slashes is not UTF-8"))
}

/// Body of `GET /admin/quarantine`.
#[derive(Serialize)]
struct Listed<'q> {
    quarantines: &'q [Quarantined],
}

/// Body of `PUT /admin/quarantine/{id}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wanted {
    issuer: Option<String>,
    key_set: Option<String>,
    key: Option<String>,
    since: Option<String>,
    reason: Option<String>,
}

impl Wanted {
    fn parse(id: String, body: &[u8]) -> Result<WantedQuarantine, Invalid> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(is_plain) {
            let expected = format_args!("expected 1 to {MAX_ID} letters, digits, `.`, `_` and `-`");
            return Err(Invalid::at("id", expected));
        }
        let Object(Self { issuer, key_set, key, since, reason }) = json::parse(body)?;
        for (name, value) in [("issuer", &issuer), ("keySet", &key_set), ("key", &key), ("reason", &reason)] {
            if value.as_ref().is_some_and(|value| value.is_empty() || value.len() > MAX_TEXT) {
                return Err(Invalid::at(name, format_args!("expected a text of 1 to {MAX_TEXT} bytes")));
            }
        }
        let suspect = Suspect { issuer, key_set, key };
        if suspect == Suspect::default() {
            return Err(Invalid::at("issuer", "one of `issuer`, `keySet` and `key` is required"));
        }
        let reason = reason.ok_or_else(|| Invalid::at("reason", "a value is required"))?;
        let instant = |text: String| {
            let expected = "expected an instant such as `2026-01-31T12:00:00Z`";
            text.parse::<Timestamp>().map_err(|_| Invalid::at("since", expected))
        };
        Ok(WantedQuarantine { id, suspect, since: since.map(instant).transpose()?, reason })
    }
}

impl From<QuarantineError> for Refusal {
    fn from(error: QuarantineError) -> Self {
        match error {
            QuarantineError::Taken | QuarantineError::TooMany => Refusal::Conflict(error.to_string()),
            QuarantineError::NotYet => Invalid::at("since", error).into(),
            QuarantineError::Unrecorded(error) => Refusal::LogUnavailable(error),
            QuarantineError::Unrecordable(error) => Refusal::Unrecordable(error.to_string()),
            QuarantineError::NotKept(error) => Refusal::NotKept(error.to_string()),
            QuarantineError::Unfinished(_) => Refusal::Internal,
        }
    }
}
