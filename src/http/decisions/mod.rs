//! The decision log, read: one page of what matches, how many match, what comes in, or one call by its id.
//!
//! For callers that may do [`Action::Audit`]. Who is bound to tenants finds only what is about nothing but them.

mod dto;
pub(super) mod params;
mod tail;

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use procura_core::record::DecisionId;

pub(super) use self::dto::Page;
use self::dto::{Found, Stats};
pub(super) use self::params::Params;
pub(super) use self::tail::follow;
use super::error::Refusal;
use super::routes::{Place, Route};
use super::{Invalid, Services, answer};
use crate::pdp::{Action, Caller};
use crate::ports::{DecisionQuery, LogError, RecordProof, StoredRecord};

pub(super) fn routes() -> Vec<Route> {
    let audits = |path| Place::needing(Action::Audit, path);
    vec![
        audits("/api/decisions").with(get(find)),
        audits("/api/decisions/stats").with(get(stats)),
        audits("/api/decisions/tail").with(get(tail::tail)),
        audits("/api/decisions/{call}").with(get(call)),
        audits("/api/decisions/{call}/proof").with(get(proof)),
        audits("/api/decisions/{call}/{number}").with(get(decision)),
    ]
}

async fn find(caller: Caller, State(services): State<Arc<Services>>, uri: Uri) -> Result<Response, Refusal> {
    let filter = Params::page(&uri, &caller)?;
    let _room = services.budget.log_reader().await?;
    let page = query(&services, move |log| log.find(&filter)).await?;
    answer::json(&Page::new(&page)?)
}

async fn stats(caller: Caller, State(services): State<Arc<Services>>, uri: Uri) -> Result<Response, Refusal> {
    let (filter, by) = Params::stats(&uri, &caller)?;
    let _room = services.budget.log_reader().await?;
    let limit = filter.limit;
    let fields = by.clone();
    let counted = query(&services, move |log| log.count(&filter, &fields)).await;
    let counts = counted.map_err(|refusal| match refusal {
        Refusal::LogUnavailable(error @ LogError::TooManyGroups { .. }) => Invalid::at("by", error).into(),
        other => other,
    })?;
    answer::json(&Stats::new(&counts, &by, limit))
}

/// A call by its id, or one decision of it by `<call id>/<n>` with the slash encoded.
async fn call(
    caller: Caller,
    services: State<Arc<Services>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let Path(id) = id.map_err(not_text)?;
    by_id(&services, &caller, id).await
}

async fn decision(
    caller: Caller,
    services: State<Arc<Services>>,
    id: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Refusal> {
    let Path((call, number)) = id.map_err(not_text)?;
    by_id(&services, &caller, format!("{call}/{number}")).await
}

/// The record of a call with its proof, as `procura audit prove` writes it.
async fn proof(
    caller: Caller,
    services: State<Arc<Services>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let Path(id) = id.map_err(not_text)?;
    let call_id = DecisionId::parse(&id).map_or(id.clone(), |decision| decision.call.to_string());
    let proofs = services.proofs.clone().ok_or(Refusal::NotFound)?;
    let _room = services.budget.log_reader().await?;
    stored(&services, &caller, call_id.clone()).await?;
    let proof = tokio::task::spawn_blocking(move || proofs.prove(&call_id)).await;
    match proof.map_err(|_| Refusal::Internal)?.map_err(Refusal::LogUnavailable)? {
        None => Err(Refusal::NotFound),
        Some(RecordProof::Pending { seq }) => Err(Refusal::NotYetProven { seq }),
        Some(RecordProof::Proven(bundle)) => {
            let json = HeaderValue::from_static("application/json");
            Ok(([(header::CONTENT_TYPE, json)], bundle).into_response())
        }
    }
}

fn not_text(_: PathRejection) -> Invalid {
    Invalid::at("id", "the text between the slashes is not UTF-8")
}

async fn by_id(services: &Services, caller: &Caller, id: String) -> Result<Response, Refusal> {
    let decision = DecisionId::parse(&id);
    let call_id = decision.as_ref().map_or(id.clone(), |decision| decision.call.to_string());
    let _room = services.budget.log_reader().await?;
    let stored = stored(services, caller, call_id).await?;
    let found = Found::new(&stored)?;
    match decision {
        None => answer::json(&found),
        Some(decision) => answer::json(&found.with_decision(decision.number)?),
    }
}

/// The record of this call. One that is not only of the caller's tenants is not there.
async fn stored(services: &Services, caller: &Caller, call_id: String) -> Result<StoredRecord, Refusal> {
    let found = query(services, move |log| log.get(&call_id)).await?;
    found.filter(|stored| caller.sees(&stored.payload)).ok_or(Refusal::NotFound)
}

/// Reading the log blocks, so it is done where that is allowed.
pub(super) async fn query<T: Send + 'static>(
    services: &Services,
    read: impl FnOnce(&dyn DecisionQuery) -> Result<T, LogError> + Send + 'static,
) -> Result<T, Refusal> {
    let log = services.decisions.clone().ok_or(Refusal::NotFound)?;
    let read = tokio::task::spawn_blocking(move || read(&*log)).await;
    read.map_err(|_| Refusal::Internal)?.map_err(Refusal::LogUnavailable)
}
