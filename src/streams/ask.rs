//! Asking a transmitter: one request, one answer that is bounded in size and time, and JSON if it has any content.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::credential::Credential;
use super::failure::Failure;
use crate::outgoing::{Answer, Client};

/// Asks a transmitter as somebody whom it knows.
pub(super) struct Asker {
    /// The connections.
    pub(super) client: Client,
    /// Who asks.
    pub(super) credential: Credential,
}

/// What is asked.
pub(super) struct Question<'a> {
    /// What is to be done.
    pub(super) method: Method,
    /// Where.
    pub(super) url: &'a str,
    /// With what.
    pub(super) body: Option<&'a Value>,
    /// How long the answer may take.
    pub(super) deadline: Duration,
    /// How many bytes it may have.
    pub(super) most: usize,
}

impl Asker {
    /// The answer, of a status that means success. A token that was refused is replaced, once.
    pub(super) async fn ask(&self, question: &Question<'_>) -> Result<Answer, Failure> {
        let answer = self.send(question).await?;
        let answer = match answer.status {
            StatusCode::UNAUTHORIZED if self.credential.forget() => self.send(question).await?,
            _ => answer,
        };
        successful(answer)
    }

    async fn send(&self, question: &Question<'_>) -> Result<Answer, Failure> {
        let body = question.body.map(ToString::to_string).unwrap_or_default();
        let mut request = Request::builder()
            .method(question.method.clone())
            .uri(question.url)
            .header(ACCEPT, "application/json")
            .body(Full::from(Bytes::from(body)))
            .map_err(|_| Failure::Url)?;
        if question.body.is_some() {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(value) = self.credential.header(&self.client, question.deadline).await? {
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        self.client.send(request, question.deadline, question.most).await.map_err(Failure::Unreachable)
    }
}

/// `answer`, if its status means success.
pub(super) fn successful(answer: Answer) -> Result<Answer, Failure> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    Err(Failure::Refused { status: answer.status, retry_after: answer.retry_after() })
}

/// What `answer` says.
pub(super) fn json<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    let kind = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Failure::ContentType);
    }
    serde_json::from_slice(&answer.body).map_err(|error| {
        // The text of the error may repeat what was answered.
        Failure::Invalid(format!("line {}, column {}", error.line(), error.column()))
    })
}

/// An object with those of `members` that there are.
pub(super) fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
