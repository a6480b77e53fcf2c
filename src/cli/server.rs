//! Asking a running server, for the commands that do.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::credential::Credential;
use super::health::local;
use super::options::Options;
use crate::outgoing::{Client, Trust};

/// How long the server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most bytes of an answer: more than the largest page of the decision log.
const MOST: usize = 1024 * 1024 * 1024;

/// Which server is asked, and as whom.
#[derive(Debug, clap::Args)]
pub(super) struct ServerArgs {
    #[command(flatten)]
    options: Options,
    /// URL of the server [default: where the configured server listens on this machine]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Certificate authorities to believe, in PEM [default: those of the system]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    credential: Credential,
}

/// In which form the answer is shown.
#[derive(Debug, clap::Args)]
pub(super) struct Shown {
    /// How to show it
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(super) output: Format,
}

/// The forms of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs: one JSON object to a line
    Json,
}

/// A server that can be asked.
pub(super) struct Server {
    url: String,
    authorization: Option<String>,
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl ServerArgs {
    /// The server, ready to be asked.
    pub(super) fn open(&self) -> anyhow::Result<Server> {
        let url = match &self.server {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => {
                let server = self.options.load()?.server;
                let scheme = if server.tls.is_some() { "https" } else { "http" };
                format!("{scheme}://{}", local(&server.listen)?)
            }
        };
        let trust = match &self.ca {
            Some(file) => Trust::Pem(fs::read(file).with_context(|| cannot_read(file))?),
            None if url.starts_with("https:") => Trust::System,
            None => Trust::Nobody,
        };
        let authorization = self.credential.authorization()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Server { url, authorization, client: Client::new(&trust)?, runtime })
    }
}

impl Server {
    /// What the server answers to `method` of `path`; `None` if there is nothing at this path for whoever asks.
    pub(super) fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> anyhow::Result<Option<T>> {
        self.send(method, path, Bytes::new())
    }

    /// The same with a body.
    pub(super) fn tell<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<Option<T>> {
        self.send(method, path, serde_json::to_vec(body)?.into())
    }

    /// Lets `hear` have the data of each server-sent event at `path` as it comes, until the server ends them or `hear`
    /// fails; `None` if there is nothing at this path for whoever asks.
    pub(super) fn listen(
        &self,
        path: &str,
        mut hear: impl FnMut(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<()>> {
        let (mut status, mut text, mut outcome) = (StatusCode::OK, Vec::new(), Ok(()));
        let listened = self.client.listen(self.request(Method::GET, path, Bytes::new())?, |of, piece| {
            status = of;
            text.extend_from_slice(piece);
            while of.is_success()
                && outcome.is_ok()
                && let Some(event) = next_event(&mut text)
            {
                outcome = data_of(&event).map_or(Ok(()), &mut hear);
            }
            outcome.is_ok() && text.len() <= MOST
        });
        self.runtime.block_on(listened).with_context(|| self.no_answer())?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(refused(status, &text));
        }
        outcome.map(Some)
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Request<Full<Bytes>>> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        let mut request = request.header(header::CONTENT_TYPE, "application/json");
        if let Some(shown) = &self.authorization {
            request = request.header(header::AUTHORIZATION, shown);
        }
        request.body(Full::new(body)).context("the server cannot be asked")
    }

    fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<Option<T>> {
        let request = self.request(method, path, body)?;
        let answer = self.runtime.block_on(self.client.send(request, PATIENCE, MOST));
        let answer = answer.with_context(|| self.no_answer())?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(refused(answer.status, &answer.body));
        }
        Ok(Some(serde_json::from_slice(&answer.body).context("the answer of the server is not understood")?))
    }

    fn no_answer(&self) -> String {
        let hint = if self.url.starts_with("https:") {
            ", or it shows a certificate that `--ca` does not cover"
        } else {
            ""
        };
        format!("no server answers at {}{hint}", self.url)
    }
}

fn refused(status: StatusCode, body: &[u8]) -> anyhow::Error {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let hint = if status == StatusCode::UNAUTHORIZED { "; here: `--token-file FILE`" } else { "" };
    anyhow!("the server refuses with status {}: {}{hint}", status.as_u16(), problem.detail)
}

/// Takes the first whole event out of `text`: it ends with an empty line.
fn next_event(text: &mut Vec<u8>) -> Option<String> {
    let end = text.windows(2).position(|two| two == b"\n\n")?;
    let event: Vec<u8> = text.drain(..end + 2).collect();
    Some(String::from_utf8_lossy(&event).into_owned())
}

/// The data of an event, if it has any.
fn data_of(event: &str) -> Option<&str> {
    event.lines().find_map(|line| line.strip_prefix("data: "))
}

/// What matters here of a refusal (RFC 9457).
#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    detail: String,
}

fn cannot_read(file: &Path) -> String {
    format!("cannot read `{}`", file.display())
}
