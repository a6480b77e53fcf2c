//! `POST /api/check_resource_batch` (CheckResourceBatch), which the peer deprecates: several resources, each with its own
//! actions, answered without metadata and outputs.

use procura_core::model::{Evaluation, Item, ResourceEvaluation};
use serde::{Deserialize, Serialize};

use super::request::{CheckCall, Entry, Head, Principal, items};
use super::response::{Effects, Mismatch};
use crate::http::aux_data::AuxData;
use crate::http::json::{List, Object, Text, parse};
use crate::http::{Invalid, RequestLimits};
use crate::telemetry::Api;

/// Parses and validates the JSON text `body`; strings are borrowed from it.
pub(in crate::http) fn parse_call<'a>(
    body: &'a [u8],
    limits: &RequestLimits,
) -> Result<CheckCall<'a>, Invalid> {
    let Object(BatchRequest { request_id, principal, resources, aux_data }) =
        parse::<Object<BatchRequest<'a>>>(body)?;
    let head = Head { request_id, principal, aux_data, context: None };
    let mut call = head.call(Api::CheckResourceBatch, limits)?;
    call.request.items = items(resources, limits)?;
    Ok(CheckCall { call, include_meta: false })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BatchRequest<'a> {
    #[serde(borrow, alias = "request_id")]
    request_id: Option<Text<'a>>,
    #[serde(borrow)]
    principal: Option<Object<Principal<'a>>>,
    #[serde(borrow)]
    resources: Option<List<Object<Entry<'a>>>>,
    #[serde(borrow, alias = "aux_data")]
    aux_data: Option<Object<AuxData<'a>>>,
}

/// The body of the response; results stand in the order of the request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchResponse<'r> {
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'r str,
    results: Vec<BatchResult<'r>>,
}

impl<'r> BatchResponse<'r> {
    /// What `check` is answered with `evaluation`.
    pub(super) fn new(check: &'r CheckCall<'_>, evaluation: &'r Evaluation) -> Self {
        let pairs = check.call.request.items.iter().zip(&evaluation.resources);
        let results = pairs.map(|(item, decided)| BatchResult::new(item, decided));
        Self { request_id: &check.call.request_id, results: results.collect() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchResult<'r> {
    resource_id: &'r str,
    actions: Effects<'r>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    validation_errors: Vec<Mismatch<'r>>,
}

impl<'r> BatchResult<'r> {
    fn new(item: &'r Item<'_>, decided: &'r ResourceEvaluation) -> Self {
        Self {
            resource_id: &item.resource.id,
            actions: Effects { item, decided },
            validation_errors: Mismatch::list(decided),
        }
    }
}
