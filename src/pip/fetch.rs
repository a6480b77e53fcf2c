//! Fetching keys over HTTP.

use std::io;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::ACCEPT;
use hyper::{Request, StatusCode, Uri};

use crate::discovery::{MetadataError, TransmitterPlace};
use crate::outgoing::{Client, SendError, Trust};

/// Largest answer, in bytes: a hundred of the largest keys with their certificates.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// Fetches from servers that the certificate authorities of the system vouch for.
#[derive(Clone, Debug)]
pub(super) struct Fetcher(Client);

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The URL cannot be asked for.
    #[error("the URL is not valid")]
    Url(#[source] hyper::http::Error),
    /// There is no answer.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The answer is not what was asked for.
    #[error("the answer has status {0}; redirects are not followed")]
    Status(StatusCode),
}

/// Why it is not known where keys are.
#[derive(Debug, thiserror::Error)]
pub(super) enum FindError {
    /// The metadata cannot be used.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// They do not say it.
    #[error("the metadata of the transmitter have no `jwks_uri`")]
    Absent,
}

impl Fetcher {
    /// A client.
    ///
    /// # Errors
    /// If the system has no certificate authorities.
    pub(super) fn new() -> io::Result<Self> {
        Client::new(&Trust::System).map(Self)
    }

    /// The URL of the keys of `transmitter`.
    pub(super) async fn find(
        &self,
        transmitter: &TransmitterPlace,
        deadline: Duration,
    ) -> Result<String, FindError> {
        transmitter.metadata(&self.0, deadline).await?.jwks_uri.ok_or(FindError::Absent)
    }

    /// The body at `url`, complete within `deadline`.
    pub(super) async fn get(&self, url: &str, deadline: Duration) -> Result<Bytes, FetchError> {
        let uri = Uri::try_from(url).map_err(|error| FetchError::Url(error.into()))?;
        let request = Request::get(uri)
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .body(http_body_util::Full::default())
            .map_err(FetchError::Url)?;
        let answer = self.0.send(request, deadline, MAX_BYTES).await?;
        if answer.status != StatusCode::OK {
            return Err(FetchError::Status(answer.status));
        }
        Ok(answer.body)
    }
}
