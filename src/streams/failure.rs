//! Why a transmitter could not be asked. No text of these repeats what it said, or anything that is secret.

use std::error::Error;
use std::time::Duration;

use hyper::StatusCode;

use crate::discovery::MetadataError;
use crate::outgoing::SendError;
use crate::ports::ControlError;

/// Longest time that a transmitter can ask to be left alone.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The metadata cannot be used.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// What it says of itself lacks a place that is needed.
    #[error("the metadata of the transmitter have no `{0}`")]
    NotOffered(&'static str),
    /// The request cannot be made.
    #[error("the URL to ask is not valid")]
    Url,
    /// The value of `Authorization` is not there.
    #[error("there is no valid value for `Authorization`: {0}")]
    Authorization(&'static str),
    /// No answer.
    #[error("the transmitter cannot be reached")]
    Unreachable(#[source] SendError),
    /// It does not do it.
    #[error("the transmitter answers {status}{}", hint(*.status))]
    Refused {
        /// The status of its answer.
        status: StatusCode,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The answer is not JSON.
    #[error("the answer of the transmitter is not JSON: its `Content-Type` must be `application/json`")]
    ContentType,
    /// The answer is not what was asked for.
    #[error("the answer of the transmitter is not valid: {0}")]
    Invalid(String),
    /// There is no stream, and none may be made.
    #[error("{0}")]
    NoStream(&'static str),
}

impl Failure {
    /// How long the transmitter asks to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => retry_after.map(|pause| pause.min(MAX_RETRY_AFTER)),
            _ => None,
        }
    }

    /// Whether it will hardly change by itself.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Refused { status, .. } | Self::Metadata(MetadataError::Status(status)) => {
                status.is_client_error() && !is_passing(*status)
            }
            Self::Metadata(MetadataError::Send(_)) => false,
            Self::Metadata(_) | Self::NoStream(_) | Self::NotOffered(_) => true,
            _ => false,
        }
    }

    /// Whether the answer has more bytes than are read.
    pub(super) fn is_too_large(&self) -> bool {
        matches!(self, Self::Unreachable(SendError::Body(_, cause)) if cause.is::<http_body_util::LengthLimitError>())
    }

    /// Whether the time for the answer was over.
    pub(super) fn is_late(&self) -> bool {
        matches!(self, Self::Unreachable(SendError::Deadline(_)))
    }

    /// Whether the transmitter answers this status.
    pub(super) fn has_status(&self, expected: StatusCode) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == expected)
    }

    /// All that is to be said, with what it comes from.
    pub(super) fn told(&self) -> String {
        let (mut text, mut cause) = (self.to_string(), self.source());
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl From<Failure> for ControlError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused { status, .. } => Self::Refused { status: status.as_u16(), hint: hint(status) },
            Failure::NotOffered(name) => Self::NotOffered(name),
            other => Self::Failed(other.told()),
        }
    }
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// What a status means for who looks after the server.
fn hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => ", it does not know who asks: look at `authorization`",
        403 => ", whoever asks may not: look at what `authorization` stands for",
        404 => ", it knows no such stream or place",
        429 => ", it is asked too often",
        300..=399 => ", and redirects are not followed: name the final URL",
        _ => "",
    }
}
