//! The management API of a transmitter (Shared Signals Framework 1.0, section 8.1), one function for each thing it does.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{self, Asker, Question, object};
use super::configuration::{Configuration, Configurations};
use super::failure::Failure;
use super::settings::StreamTiming;
use crate::discovery::Metadata;
use crate::outgoing::Answer;
use crate::outgoing::encoded;
use crate::ports::StreamStatus;

/// Largest answer, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// Asks the management API.
pub(super) struct Management<'a> {
    pub(super) asker: &'a Asker,
    pub(super) metadata: &'a Metadata,
    pub(super) timing: &'a StreamTiming,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

impl Management<'_> {
    /// Every stream of ours. A transmitter that says that there is none, or that it lists none, has none.
    pub(super) async fn list(&self) -> Result<Vec<Configuration>, Failure> {
        let none = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
        match self.send(Method::GET, self.configuration()?, None).await {
            Ok(answer) if answer.body.is_empty() => Ok(Vec::new()),
            Ok(answer) => ask::json::<Configurations>(&answer).map(Into::into),
            Err(failure) if none.iter().any(|status| failure.has_status(*status)) => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }

    /// The stream `id`; `None` if there is none.
    pub(super) async fn read(&self, id: &str) -> Result<Option<Configuration>, Failure> {
        match self.send(Method::GET, &of_stream(self.configuration()?, id), None).await {
            Ok(answer) => ask::json(&answer).map(Some),
            Err(failure) if failure.has_status(StatusCode::NOT_FOUND) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// A new stream; `None` if the transmitter has one for us (409).
    pub(super) async fn create(&self, wanted: &Value) -> Result<Option<Configuration>, Failure> {
        match self.send(Method::POST, self.configuration()?, Some(wanted)).await {
            Ok(answer) => ask::json(&answer).map(Some),
            Err(failure) if failure.has_status(StatusCode::CONFLICT) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Changes members of a stream, or, at a transmitter that cannot do that, replaces all of them. `None` if that is
    /// accepted and not done yet (202).
    pub(super) async fn update(
        &self,
        changes: &Value,
        all: &Value,
    ) -> Result<Option<Configuration>, Failure> {
        let url = self.configuration()?;
        let answer = match self.send(Method::PATCH, url, Some(changes)).await {
            Err(failure) if is_no_method(&failure) => self.send(Method::PUT, url, Some(all)).await?,
            other => other?,
        };
        if answer.status == StatusCode::ACCEPTED { Ok(None) } else { ask::json(&answer).map(Some) }
    }

    /// Deletes the stream `id`. That there is none is as good.
    pub(super) async fn delete(&self, id: &str) -> Result<(), Failure> {
        match self.send(Method::DELETE, &of_stream(self.configuration()?, id), None).await {
            Err(failure) if !failure.has_status(StatusCode::NOT_FOUND) => Err(failure),
            _ => Ok(()),
        }
    }

    /// The status of the stream `id`; `None` if the transmitter tells none.
    pub(super) async fn status(&self, id: &str) -> Result<Option<StreamStatus>, Failure> {
        let Some(url) = &self.metadata.status_endpoint else { return Ok(None) };
        status_in(&self.send(Method::GET, &of_stream(url, id), None).await?).map(Some)
    }

    /// Asks for another status of the stream `id`. Returns the one that it has then, which may be another one (202).
    pub(super) async fn set_status(
        &self,
        id: &str,
        status: StreamStatus,
        reason: Option<&str>,
    ) -> Result<StreamStatus, Failure> {
        let url = self.metadata.status_endpoint.as_ref().ok_or(Failure::NotOffered("status_endpoint"))?;
        let body = object([
            ("stream_id", Some(id.into())),
            ("status", Some(status.as_str().into())),
            ("reason", reason.map(Into::into)),
        ]);
        let answer = self.send(Method::POST, url, Some(&body)).await?;
        if answer.status == StatusCode::ACCEPTED && answer.body.is_empty() {
            return self.status(id).await?.ok_or(Failure::NotOffered("status_endpoint"));
        }
        status_in(&answer)
    }

    /// Asks for a verification event with `state` on the stream `id`.
    pub(super) async fn verify(&self, id: &str, state: &str) -> Result<(), Failure> {
        let url = &self.metadata.verification_endpoint;
        let url = url.as_ref().ok_or(Failure::NotOffered("verification_endpoint"))?;
        self.send(Method::POST, url, Some(&json!({"stream_id": id, "state": state}))).await.map(|_| ())
    }

    /// Asks for the events about `subject` on the stream `id`.
    pub(super) async fn add_subject(
        &self,
        id: &str,
        subject: &Value,
        verified: Option<bool>,
    ) -> Result<(), Failure> {
        let url = &self.metadata.add_subject_endpoint;
        let url = url.as_ref().ok_or(Failure::NotOffered("add_subject_endpoint"))?;
        let body = object([
            ("stream_id", Some(id.into())),
            ("subject", Some(subject.clone())),
            ("verified", verified.map(Into::into)),
        ]);
        self.send(Method::POST, url, Some(&body)).await.map(|_| ())
    }

    /// Asks for no more events about `subject` on the stream `id`.
    pub(super) async fn remove_subject(&self, id: &str, subject: &Value) -> Result<(), Failure> {
        let url = &self.metadata.remove_subject_endpoint;
        let url = url.as_ref().ok_or(Failure::NotOffered("remove_subject_endpoint"))?;
        let body = json!({"stream_id": id, "subject": subject});
        self.send(Method::POST, url, Some(&body)).await.map(|_| ())
    }

    fn configuration(&self) -> Result<&str, Failure> {
        let url = self.metadata.configuration_endpoint.as_deref();
        url.ok_or(Failure::NotOffered("configuration_endpoint"))
    }

    async fn send(&self, method: Method, url: &str, body: Option<&Value>) -> Result<Answer, Failure> {
        let deadline = self.timing.answer;
        self.asker.ask(&Question { method, url, body, deadline, most: MAX_BYTES }).await
    }
}

fn of_stream(url: &str, id: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}stream_id={}", encoded(id))
}

fn is_no_method(failure: &Failure) -> bool {
    failure.has_status(StatusCode::METHOD_NOT_ALLOWED) || failure.has_status(StatusCode::NOT_IMPLEMENTED)
}

fn status_in(answer: &Answer) -> Result<StreamStatus, Failure> {
    let Status { status } = ask::json(answer)?;
    let unknown = || Failure::Invalid("a stream is `enabled`, `paused` or `disabled`".to_owned());
    StreamStatus::named(&status).ok_or_else(unknown)
}
