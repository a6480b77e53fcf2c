//! The JSON shapes of health and readiness.

use serde::Serialize;

use crate::pdp::{Check, Readiness};

/// Body of `GET /healthz`.
#[derive(Serialize)]
pub(super) struct Life {
    pub(super) status: &'static str,
}

/// Body of `GET /_cerbos/health`.
#[derive(Serialize)]
pub(super) struct Serving {
    pub(super) status: &'static str,
}

/// Body of `GET /readyz`.
#[derive(Serialize)]
pub(super) struct Ready<'r> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Vec<CheckEntry<'r>>>,
}

#[derive(Serialize)]
struct CheckEntry<'r> {
    name: &'static str,
    state: &'static str,
    detail: &'r str,
}

impl<'r> Ready<'r> {
    /// The status of `readiness`, and what it follows from if `detailed`.
    pub(super) fn of(readiness: &'r Readiness, detailed: bool) -> Self {
        let status = if readiness.ready { "ready" } else { "not_ready" };
        let checks = detailed.then(|| readiness.checks.iter().map(CheckEntry::from).collect());
        Self { status, checks }
    }
}

impl<'r> From<&'r Check> for CheckEntry<'r> {
    fn from(check: &'r Check) -> Self {
        Self { name: check.name, state: check.state.as_str(), detail: &check.detail }
    }
}
