//! What the transmitter of a stream is asked to do.

use anyhow::{Context, bail};
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Exit, ServerArgs, print};
use crate::outgoing::encoded;
use crate::ports::StreamStatus;

/// One stream.
#[derive(Debug, clap::Args)]
pub(super) struct StreamArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Name of the stream
    stream: String,
}

/// One stream, and why.
#[derive(Debug, clap::Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    of: StreamArgs,
    /// Why, for whoever looks after the transmitter
    #[arg(long)]
    reason: Option<String>,
}

/// One stream, and a subject of it.
#[derive(Debug, clap::Args)]
pub(super) struct SubjectArgs {
    #[command(flatten)]
    of: StreamArgs,
    /// The subject as an identifier of RFC 9493, in JSON, for example `{"format": "email", "email": "ada@example.com"}`
    #[arg(value_name = "IDENTIFIER")]
    subject: String,
}

/// What was asked.
#[derive(Deserialize)]
struct Told {
    stream: String,
    status: Option<String>,
}

pub(super) fn verify(args: &StreamArgs) -> anyhow::Result<Exit> {
    args.ask(Method::POST, "/verify", None, "is to send an event that shows that it works")
}

pub(super) fn status(args: &StatusArgs, status: StreamStatus) -> anyhow::Result<Exit> {
    let body = json!({"status": status.as_str(), "reason": args.reason});
    args.of.ask(Method::PUT, "/status", Some(&body), "answers")
}

pub(super) fn add(args: &SubjectArgs) -> anyhow::Result<Exit> {
    args.of.ask(
        Method::POST,
        "/subjects/add",
        Some(&args.body()?),
        "is to send the events about this subject",
    )
}

pub(super) fn remove(args: &SubjectArgs) -> anyhow::Result<Exit> {
    args.of.ask(
        Method::POST,
        "/subjects/remove",
        Some(&args.body()?),
        "is to send no more about this subject",
    )
}

pub(super) fn delete(args: &StreamArgs) -> anyhow::Result<Exit> {
    args.ask(Method::POST, "/delete", None, "has deleted it; it is made again when the server starts anew")
}

impl SubjectArgs {
    fn body(&self) -> anyhow::Result<Value> {
        let subject: Value = serde_json::from_str(&self.subject).context("the identifier is not JSON")?;
        Ok(json!({"subject": subject}))
    }
}

impl StreamArgs {
    fn ask(&self, method: Method, below: &str, body: Option<&Value>, done: &str) -> anyhow::Result<Exit> {
        let path = format!("/api/signals/streams/{}{below}", encoded(&self.stream));
        let server = self.server.open()?;
        let told: Option<Told> = match body {
            None => server.ask(method, &path)?,
            Some(body) => server.tell(method, &path, body)?,
        };
        let Some(Told { stream, status }) = told else {
            bail!("there is no stream `{}`, or this caller may not do `facts`", self.stream);
        };
        let status = status.map(|status| format!(": it is {status}")).unwrap_or_default();
        print(&format!("the transmitter of `{stream}` {done}{status}\n"))?;
        Ok(Exit::Ok)
    }
}
