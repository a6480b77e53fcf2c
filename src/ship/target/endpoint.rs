//! A server that is sent batches: how it is asked, and when a batch counts as confirmed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Uri};

use crate::outgoing::{Client, Trust};
use crate::secret::SecretSource;
use crate::ship::failure::Failure;
use crate::ship::settings::EndpointSettings;

/// Most bytes of an answer that are read.
const MAX_ANSWER: usize = 64 * 1024;

/// Largest file of certificate authorities, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// A server.
pub(super) struct Endpoint {
    client: Client,
    uri: Uri,
    headers: Vec<(HeaderName, SecretSource)>,
    gzip: bool,
    timeout: Duration,
}

impl Endpoint {
    /// Sets up the client; nothing is sent yet.
    pub(super) fn new(settings: &EndpointSettings) -> io::Result<Self> {
        let uri: Uri = settings.url.parse().map_err(io::Error::other)?;
        let trust = match &settings.ca_file {
            _ if uri.scheme_str() == Some("http") => Trust::Nobody,
            Some(path) => Trust::Pem(authorities(path)?),
            None => Trust::System,
        };
        let headers = settings.headers.iter().map(|(name, source)| {
            let name = HeaderName::try_from(name).map_err(io::Error::other)?;
            Ok((name, source.clone()))
        });
        let headers = headers.collect::<io::Result<_>>()?;
        let (gzip, timeout) = (settings.gzip, settings.timeout);
        Ok(Self { client: Client::new(&trust)?, uri, headers, gzip, timeout })
    }

    /// Posts `body` with these headers besides those of the settings. Everything but a status of 2xx is a failure.
    pub(super) async fn post(
        &self,
        content_type: &'static str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Bytes, Failure> {
        let mut request = Request::post(self.uri.clone()).body(Full::default()).unwrap_or_default();
        *request.headers_mut() = headers;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        for (name, source) in &self.headers {
            request
                .headers_mut()
                .insert(name, value(source).ok_or_else(|| Failure::Header(name.to_string()))?);
        }
        if self.gzip {
            request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        *request.body_mut() = Full::from(if self.gzip { compressed(&body) } else { body });
        let answer = self.client.send(request, self.timeout, MAX_ANSWER).await;
        let answer = answer.map_err(Failure::Unreachable)?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        Err(Failure::Refused { status: answer.status, retry_after: answer.retry_after() })
    }
}

/// The value of a header, marked as one that is not to be shown.
fn value(source: &SecretSource) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(source.read().ok()?).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn authorities(path: &Path) -> io::Result<Vec<u8>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display()));
    let text = text_of(path).map_err(named)?.into_bytes();
    // A text without certificates is better named here than by a client that does not know the file.
    Client::new(&Trust::Pem(text.clone())).map_err(named)?;
    Ok(text)
}

fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

fn compressed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // A vector takes everything.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}
