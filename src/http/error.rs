//! Everything that is not answered, and the only place with status codes.
//!
//! A handler returns a [`Refusal`]; `edge.rs` renders it in the shape of the path's surface.
//! A decision of *deny* is never a refusal.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::json::Invalid;
use super::signals;
use crate::pdp::{DecideError, ReloadOutcome, Unknown};
use crate::ports::{LogError, SetFault, TokenError};
use crate::telemetry::{Outcome, Shed, Surface};

/// Seconds after which a caller may try again what was refused for a passing reason.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// How a caller may show who it is (RFC 6750, section 3).
const NO_CREDENTIAL: HeaderValue = HeaderValue::from_static("Bearer realm=\"procura\"");

/// The same for one that has shown something.
const BAD_CREDENTIAL: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"procura\", error=\"invalid_token\"");

/// Why a request has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The request is not what the API takes.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// The body is not declared as JSON where the API demands it.
    #[error("the `content-type` is not `application/json`: send the body as JSON and say so")]
    NotJson,
    /// The body exceeds the limit.
    #[error("the body is larger than {limit} bytes, the limit")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body did not arrive in time, or too little of it.
    #[error("the body did not arrive within {seconds} s, the limit, or less than 16 KiB in a third of that")]
    TooSlow {
        /// The limit in seconds.
        seconds: f64,
    },
    /// Nobody vouches for the caller: it showed no credential, or a bad one.
    #[error(
        "show a good credential: a client certificate, or a token or an API key as `Authorization: Bearer …`"
    )]
    Unauthenticated {
        /// Whether it showed one.
        shown: bool,
    },
    /// Whoever pushes over a stream is not its transmitter, or there is no such stream: strangers are told the same.
    #[error("show what the stream demands; there is no such stream for anybody else")]
    NotTransmitter,
    /// The caller has no right to this.
    #[error("the caller has no right to ask this")]
    Forbidden,
    /// There is nothing at this path, or nothing for this caller.
    #[error("there is nothing here")]
    NotFound,
    /// Cerbos has this and we have not.
    #[error("{0} is not supported by this version")]
    NotSupported(&'static str),
    /// The path exists, but not with this method.
    #[error("the method is not allowed here")]
    MethodNotAllowed,
    /// The caller asks more often than it may.
    #[error("more requests than this caller may make")]
    TooOften {
        /// Until when it has to wait.
        wait: Duration,
    },
    /// The caller has as many calls on their way as it may.
    #[error("more calls at a time than this caller may make")]
    TooManyAtOnce,
    /// There was no room for the request or its answer beside the others.
    #[error("the server is handling as many requests as it can; try again later")]
    Overloaded,
    /// The head of the request is ambiguous or asks for what is not done here; the connection ends with the answer.
    #[error("{0}")]
    Malformed(&'static str),
    /// No policy set is live.
    #[error("no policy set has been loaded yet")]
    NoPolicySet,
    /// A token cannot be judged: the keys for it could not be fetched.
    #[error("{0}")]
    KeysUnavailable(String),
    /// A token is believed and must not be used like this.
    #[error("{reason}")]
    Distrusted {
        /// The stable code.
        code: &'static str,
        /// Which token, and why.
        reason: String,
    },
    /// The decision log cannot be written or read, or does not have a record any more.
    #[error("{0}")]
    LogUnavailable(LogError),
    /// What is there already forbids it.
    #[error("{0}")]
    Conflict(String),
    /// A change of quarantines is recorded, but could not be kept.
    #[error("{0}")]
    NotKept(String),
    /// There is no room for another fact.
    #[error("{0}")]
    FactsFull(String),
    /// Facts cannot be kept now.
    #[error("{0}")]
    FactsUnavailable(String),
    /// The transmitter of a stream did not do what it was asked.
    #[error("{0}")]
    Transmitter(String),
    /// The record is there, and no checkpoint covers it yet.
    #[error("no checkpoint covers record {seq} yet: ask again in a moment")]
    NotYetProven {
        /// The record.
        seq: u64,
    },
    /// The decision was made but can never be recorded, however often it is asked for.
    #[error("the decision cannot be recorded and is not told: {0}")]
    Unrecordable(String),
    /// An error of ours, reported where it happened.
    #[error("an internal error has been reported; nothing was decided")]
    Internal,
}

/// The status of a readiness check.
pub(super) const fn readiness_status(ready: bool) -> StatusCode {
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// The status of a reload: a caller that looks at nothing else learns whether the policies at the source are live.
pub(super) const fn reload_status(outcome: &ReloadOutcome) -> StatusCode {
    match outcome {
        ReloadOutcome::Activated { .. } | ReloadOutcome::Unchanged => StatusCode::OK,
        ReloadOutcome::Rejected { .. }
        | ReloadOutcome::TestsFailed { .. }
        | ReloadOutcome::WouldChange { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        ReloadOutcome::NotArchived { .. } => StatusCode::NOT_FOUND,
        ReloadOutcome::Failed { .. } => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl Refusal {
    /// The stable code, on the wire and in documentation.
    pub(super) const fn code(&self) -> &'static str {
        self.kind().0
    }

    /// The status of the response.
    pub(super) const fn status(&self) -> StatusCode {
        self.kind().1
    }

    /// The class in the metrics of calls.
    pub(super) const fn outcome(&self) -> Outcome {
        match self {
            Self::Unauthenticated { .. } | Self::NotTransmitter => Outcome::Unauthenticated,
            Self::Forbidden => Outcome::Forbidden,
            Self::Overloaded => Outcome::Overloaded,
            Self::TooOften { .. } | Self::TooManyAtOnce => Outcome::Limited,
            Self::NoPolicySet => Outcome::NoPolicySet,
            Self::KeysUnavailable(_) => Outcome::KeysUnavailable,
            Self::LogUnavailable(_) => Outcome::LogUnavailable,
            Self::Unrecordable(_) => Outcome::Unrecordable,
            Self::NotKept(_) => Outcome::Internal,
            Self::FactsUnavailable(_) | Self::Transmitter(_) => Outcome::Internal,
            Self::Internal => Outcome::Internal,
            Self::Invalid(_)
            | Self::Malformed(_)
            | Self::NotJson
            | Self::Distrusted { .. }
            | Self::TooLarge { .. }
            | Self::TooSlow { .. }
            | Self::NotFound
            | Self::Conflict(_)
            | Self::FactsFull(_)
            | Self::NotYetProven { .. }
            | Self::NotSupported(_)
            | Self::MethodNotAllowed => Outcome::Invalid,
        }
    }

    /// Why it was turned away so that others are served, if it was.
    pub(super) const fn shed(&self) -> Option<Shed> {
        match self {
            Self::TooOften { .. } => Some(Shed::Rate),
            Self::TooManyAtOnce => Some(Shed::Concurrency),
            Self::Overloaded => Some(Shed::Full),
            _ => None,
        }
    }

    /// The response in the shape of `surface`.
    pub(super) fn render(&self, surface: Surface) -> Response {
        let (_, status, _) = self.kind();
        let mut response = match surface {
            _ if matches!(self, Self::NotTransmitter) => {
                signals::refused(SetFault::AuthenticationFailed, &self.to_string())
            }
            Surface::Cerbos => (status, Json(self.cerbos_body())).into_response(),
            Surface::Authzen => (status, self.message()).into_response(),
            Surface::Decisions
            | Surface::Explain
            | Surface::Admin
            | Surface::Signals
            | Surface::Health
            | Surface::Unknown => self.problem(status),
        };
        let headers = response.headers_mut();
        match self {
            Self::TooOften { wait } => {
                // Whoever comes back in time finds a place: a second begun is a second.
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                headers.insert(header::RETRY_AFTER, seconds.max(1).into());
            }
            Self::TooManyAtOnce => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            Self::Malformed(_) => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ if status == StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            _ => {}
        }
        if let Self::Unauthenticated { shown } = self {
            let challenge = if *shown { BAD_CREDENTIAL } else { NO_CREDENTIAL };
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }

    /// What errors of the peer look like.
    pub(super) fn cerbos_body(&self) -> impl Serialize {
        let (_, _, code) = self.kind();
        CerbosBody { code, message: self.message(), details: [] }
    }

    /// Code, HTTP status and the gRPC status that the peer's errors carry.
    const fn kind(&self) -> (&'static str, StatusCode, u8) {
        match self {
            Self::Invalid(_) => ("invalid_request", StatusCode::BAD_REQUEST, 3),
            // AuthZEN knows no 415: its certification asks for 400 there.
            Self::NotJson => ("not_json", StatusCode::BAD_REQUEST, 3),
            Self::TooLarge { .. } => ("body_too_large", StatusCode::PAYLOAD_TOO_LARGE, 8),
            Self::TooSlow { .. } => ("body_too_slow", StatusCode::REQUEST_TIMEOUT, 4),
            Self::Unauthenticated { .. } => ("unauthenticated", StatusCode::UNAUTHORIZED, 16),
            Self::NotTransmitter => ("authentication_failed", StatusCode::BAD_REQUEST, 16),
            Self::Forbidden => ("permission_denied", StatusCode::FORBIDDEN, 7),
            Self::NotFound => ("not_found", StatusCode::NOT_FOUND, 5),
            Self::NotSupported(_) => ("not_supported", StatusCode::NOT_FOUND, 12),
            Self::MethodNotAllowed => ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, 12),
            Self::Malformed(_) => ("malformed_request", StatusCode::BAD_REQUEST, 3),
            Self::TooOften { .. } => ("rate_limited", StatusCode::TOO_MANY_REQUESTS, 8),
            Self::TooManyAtOnce => ("concurrency_limited", StatusCode::TOO_MANY_REQUESTS, 8),
            Self::Overloaded => ("overloaded", StatusCode::SERVICE_UNAVAILABLE, 14),
            Self::NoPolicySet => ("no_policy_set", StatusCode::SERVICE_UNAVAILABLE, 14),
            Self::KeysUnavailable(_) => ("keys_unavailable", StatusCode::SERVICE_UNAVAILABLE, 14),
            Self::Distrusted { code, .. } => (code, StatusCode::BAD_REQUEST, 3),
            Self::LogUnavailable(LogError::Deleted { .. }) => ("deleted_by_retention", StatusCode::GONE, 5),
            Self::LogUnavailable(_) => ("decision_log_unavailable", StatusCode::SERVICE_UNAVAILABLE, 14),
            Self::Conflict(_) => ("conflict", StatusCode::CONFLICT, 6),
            Self::NotKept(_) => ("quarantine_not_kept", StatusCode::SERVICE_UNAVAILABLE, 14),
            Self::FactsFull(_) => ("facts_full", StatusCode::INSUFFICIENT_STORAGE, 8),
            Self::FactsUnavailable(_) => ("facts_unavailable", StatusCode::SERVICE_UNAVAILABLE, 14),
            Self::Transmitter(_) => ("transmitter_failed", StatusCode::BAD_GATEWAY, 14),
            Self::NotYetProven { .. } => ("not_yet_proven", StatusCode::SERVICE_UNAVAILABLE, 14),
            Self::Unrecordable(_) => ("decision_unrecordable", StatusCode::INTERNAL_SERVER_ERROR, 13),
            Self::Internal => ("internal_error", StatusCode::INTERNAL_SERVER_ERROR, 13),
        }
    }

    /// Text for surfaces whose errors have no member for the code: invalid requests speak for themselves, everything
    /// else begins with its code.
    fn message(&self) -> String {
        match self {
            Self::Invalid(invalid) => invalid.to_string(),
            other => format!("{}: {other}", other.code()),
        }
    }

    /// RFC 9457, with our code as an extension member.
    fn problem(&self, status: StatusCode) -> Response {
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: self.code(),
        };
        let mut response = (status, Json(problem)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// Carries the refusal to `edge.rs`, which knows the surface.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.kind().1.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Unknown> for Refusal {
    fn from(unknown: Unknown) -> Self {
        match unknown {
            Unknown::NoCredential => Self::Unauthenticated { shown: false },
            Unknown::BadCredential => Self::Unauthenticated { shown: true },
            Unknown::Unheard { wait } => Self::TooOften { wait },
            Unknown::Unjudged => {
                Self::KeysUnavailable("the keys that vouch for the caller could not be fetched yet".into())
            }
        }
    }
}

impl From<DecideError> for Refusal {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::NoPolicySet => Self::NoPolicySet,
            DecideError::Token { token, error: TokenError::Invalid(reason) } => {
                Self::Invalid(Invalid::at(format_args!("auxData.{token}"), reason))
            }
            DecideError::Distrusted { token, distrust, reason } => {
                Self::Distrusted { code: distrust.code(), reason: format!("`auxData.{token}`: {reason}") }
            }
            error @ DecideError::Token { .. } => Self::KeysUnavailable(error.to_string()),
            DecideError::Unrecorded(error @ LogError::TooLarge { .. }) => {
                Self::Unrecordable(error.to_string())
            }
            DecideError::Unrecorded(error) => Self::LogUnavailable(error),
            DecideError::Unrecordable(error) => Self::Unrecordable(error.to_string()),
        }
    }
}

#[derive(Serialize)]
struct CerbosBody {
    code: u8,
    message: String,
    details: [(); 0],
}

#[derive(Serialize)]
struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
}

#[cfg(test)]
mod tests {
    use crate::pdp::Distrust;
    use std::collections::BTreeSet;

    /// What stands between the first two of `quote` in each of `lines` that has one.
    fn quoted<'t>(lines: impl Iterator<Item = &'t str>, quote: char) -> BTreeSet<&'t str> {
        lines.filter_map(|line| line.split(quote).nth(1)).collect()
    }

    #[test]
    fn every_code_is_in_the_reference_and_nothing_else() {
        let (source, page) = (include_str!("error.rs"), include_str!("../../docs/reference/http-api.md"));
        let (_, kinds) = source.split_once("const fn kind(").unwrap();
        let kinds = kinds.lines().take_while(|line| *line != "    }");
        let mut codes = quoted(kinds.filter(|line| line.contains("StatusCode::")), '"');
        let distrusts = [
            Distrust::ActorInvalid,
            Distrust::PrincipalMismatch,
            Distrust::HolderBindingFailed,
            Distrust::Quarantined,
        ];
        codes.extend(distrusts.map(Distrust::code));
        let (_, table) = page.split_once("## Codes").unwrap();
        let table =
            table.lines().skip_while(|line| !line.starts_with("| `")).take_while(|line| !line.is_empty());
        assert!(codes.len() > 15, "{codes:?}");
        assert_eq!(codes, quoted(table, '`'));
    }
}
