//! The readers of requests, for fuzz targets.

use axum::http::{Request, Uri, header};
use procura_core::model::Timestamp;

use super::admin::audit_log::params::Wanted;
use super::authzen::request::EvaluationCall;
use super::caller::{is_loopback_host, is_loopback_origin};
use super::cerbos::set::SetRequest;
use super::cerbos::{CheckCall, batch, direct};
use super::decisions::params::Params;
use super::{Invalid, RequestLimits, head};
use crate::pdp::Caller;

/// What both readers make of a check, for comparison: the direct one says nothing where it gives up.
pub fn both_readers(body: &[u8], limits: &RequestLimits) -> (Option<String>, Result<String, String>) {
    let direct = direct::parse(body, limits).map(|check| format!("{check:?}"));
    let any = CheckCall::parse_any(body, limits);
    (direct, any.map(|check| format!("{check:?}")).map_err(|invalid| invalid.to_string()))
}

/// The deprecated check of several instances of one resource.
///
/// # Errors
/// If `body` is none.
pub fn resource_set<'a>(body: &'a [u8], limits: &RequestLimits) -> Result<CheckCall<'a>, Invalid> {
    SetRequest::parse(body)?.validate(limits)
}

/// The deprecated check of several resources.
///
/// # Errors
/// If `body` is none.
pub fn resource_batch<'a>(body: &'a [u8], limits: &RequestLimits) -> Result<CheckCall<'a>, Invalid> {
    batch::parse_call(body, limits)
}

/// An evaluation of `AuthZEN`.
///
/// # Errors
/// If `body` is none.
pub fn evaluation<'a>(body: &'a [u8], limits: &RequestLimits) -> Result<CheckCall<'a>, Invalid> {
    EvaluationCall::parse(body, "", limits).map(|evaluation| evaluation.check)
}

/// Reads the query of a request to the decision log in every way that there is.
pub fn queries(uri: &Uri) {
    let _ = Params::page(uri, &Caller::unknown(None));
    let _ = Params::stats(uri, &Caller::unknown(None));
    let _ = Wanted::of(uri, Timestamp::UNIX_EPOCH);
}

/// Whether a request to `uri` with this `host` is unambiguous, and so read at all.
#[must_use]
pub fn is_unambiguous(uri: &Uri, host: &str) -> bool {
    let request = Request::builder().uri(uri).header(header::HOST, host).body(());
    request.is_ok_and(|request| head::check(&request).is_ok())
}

/// Whether `host` and `origin` are of this machine.
#[must_use]
pub fn are_loopback(host: &str, origin: &str) -> (bool, bool) {
    (is_loopback_host(host), is_loopback_origin(origin))
}
