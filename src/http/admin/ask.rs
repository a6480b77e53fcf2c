//! What operators ask for: that the policies are loaded now, or that an archived set goes live again.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::Uri;
use axum::response::Response;
use procura_core::policy::Revision;
use serde::Deserialize;

use super::dto::Outcome;
use crate::http::body::Bounded;
use crate::http::caller::Operator;
use crate::http::error::{Refusal, reload_status};
use crate::http::json::{self, Object};
use crate::http::{Invalid, Services, answer};
use crate::pdp::{Ask, Caller, Cause, Force, ReloadOutcome};

pub(super) async fn reload(
    _: Operator,
    State(services): State<Arc<Services>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Refusal> {
    let ask = Ask { cause: Cause::Admin, caller: Some(caller), force: force(&uri)? };
    respond(&services.reload.reload(ask).await)
}

pub(super) async fn rollback(
    _: Operator,
    State(services): State<Arc<Services>>,
    caller: Caller,
    body: Bounded,
) -> Result<Response, Refusal> {
    let wanted = Wanted::parse(&body.bytes)?;
    respond(&services.reload.roll_back(caller, wanted).await)
}

fn respond(outcome: &ReloadOutcome) -> Result<Response, Refusal> {
    let mut response = answer::json(&Outcome::from(outcome))?;
    *response.status_mut() = reload_status(outcome);
    Ok(response)
}

/// Whether a set is to go live whatever recorded decisions it changes: `force=true`, or `force=` and its revision.
fn force(uri: &Uri) -> Result<Option<Force>, Invalid> {
    let Query(pairs): Query<Vec<(String, String)>> =
        Query::try_from_uri(uri).map_err(|refused| Invalid::at("query", refused.body_text()))?;
    let mut force = None;
    for (name, value) in &pairs {
        if name != "force" {
            return Err(Invalid::at(name, "no such parameter; there is `force`"));
        }
        let wanted = match value.as_str() {
            "false" => None,
            "true" => Some(Force::Any),
            text => Some(Force::Only(revision("force", text)?)),
        };
        if force.replace(wanted).is_some() {
            return Err(Invalid::at(name, "given more than once"));
        }
    }
    Ok(force.flatten())
}

/// The body of a rollback; an empty one asks for the set before the live one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    revision: Option<String>,
}

impl Wanted {
    fn parse(body: &[u8]) -> Result<Option<Revision>, Invalid> {
        if body.is_empty() {
            return Ok(None);
        }
        let Object(Self { revision: wanted }) = json::parse(body)?;
        wanted.map(|text| revision("revision", &text)).transpose()
    }
}

fn revision(place: &str, text: &str) -> Result<Revision, Invalid> {
    Revision::parse(text).ok_or_else(|| {
        Invalid::at(
            place,
            "must be a revision, 64 hexadecimal digits: each answer names one in `procura-policy-revision`",
        )
    })
}
