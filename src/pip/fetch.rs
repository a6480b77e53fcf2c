//! Fetching keys over HTTP. The only module that knows the TLS library.

use std::error::Error;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Largest answer, in bytes: a hundred of the largest keys with their certificates.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// An HTTP client that trusts the certificate authorities of the system and follows no redirect.
#[derive(Clone, Debug)]
pub(super) struct Fetcher(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The URL cannot be asked for.
    #[error("the URL is not valid")]
    Url(#[source] hyper::http::Error),
    /// The server does not answer.
    #[error("no answer")]
    NoAnswer(#[source] hyper_util::client::legacy::Error),
    /// The answer is not what was asked for.
    #[error("the answer has status {0}; redirects are not followed")]
    Status(StatusCode),
    /// The answer breaks off, or is too large.
    #[error("the answer of at most {MAX_BYTES} bytes cannot be read")]
    Body(#[source] Box<dyn Error + Send + Sync>),
    /// The answer takes too long.
    #[error("the answer is not complete after {0:?}")]
    Deadline(Duration),
}

impl Fetcher {
    /// A client.
    ///
    /// # Errors
    /// If the system has no certificate authorities.
    pub(super) fn new() -> io::Result<Self> {
        let connector =
            HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// The body at `url`, complete within `deadline`.
    pub(super) async fn get(&self, url: &str, deadline: Duration) -> Result<Bytes, FetchError> {
        match tokio::time::timeout(deadline, self.answer(url)).await {
            Ok(answer) => answer,
            Err(_) => Err(FetchError::Deadline(deadline)),
        }
    }

    async fn answer(&self, url: &str) -> Result<Bytes, FetchError> {
        let uri = Uri::try_from(url).map_err(|error| FetchError::Url(error.into()))?;
        let request = Request::get(uri)
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .header(USER_AGENT, concat!("procura/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(FetchError::Url)?;
        let response = self.0.request(request).await.map_err(FetchError::NoAnswer)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(FetchError::Body)?;
        Ok(body.to_bytes())
    }
}
