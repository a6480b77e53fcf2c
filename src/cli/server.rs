//! Asking a running server, for the commands that do.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
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

    fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<Option<T>> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        let mut request = request.header(header::CONTENT_TYPE, "application/json");
        if let Some(shown) = &self.authorization {
            request = request.header(header::AUTHORIZATION, shown);
        }
        let request = request.body(Full::new(body)).context("the server cannot be asked")?;
        let answer = self.runtime.block_on(self.client.send(request, PATIENCE, MOST));
        let answer = answer.with_context(|| {
            let hint = if self.url.starts_with("https:") {
                ", or it shows a certificate that `--ca` does not cover"
            } else {
                ""
            };
            format!("no server answers at {}{hint}", self.url)
        })?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !answer.status.is_success() {
            let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
            let hint =
                if answer.status == StatusCode::UNAUTHORIZED { "; here: `--token-file FILE`" } else { "" };
            bail!("the server refuses with status {}: {}{hint}", answer.status.as_u16(), problem.detail);
        }
        Ok(Some(serde_json::from_slice(&answer.body).context("the answer of the server is not understood")?))
    }
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
