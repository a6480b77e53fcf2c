//! HTTP requests that this server makes. Beside `tls` the only module that knows the TLS library.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
#[cfg(feature = "otel")]
use hyper::header::HeaderName;
use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

#[cfg(feature = "otel")]
use crate::telemetry::spans::Asked;

/// Whose certificates a client believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those of the certificate authorities of the system.
    System,
    /// Those of these certificate authorities alone, in PEM.
    Pem(Vec<u8>),
    /// Nobody's: for requests without TLS.
    Nobody,
}

/// An HTTP/1.1 client that follows no redirect. Connections are kept for the next request.
#[derive(Clone, Debug)]
pub(crate) struct Client(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// An answer, of whatever status.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body, whole.
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The server does not answer.
    #[error("no answer")]
    NoAnswer(#[source] legacy::Error),
    /// The answer breaks off, or is too large.
    #[error("the answer of at most {0} bytes cannot be read")]
    Body(usize, #[source] Box<dyn Error + Send + Sync>),
    /// The answer takes too long.
    #[error("the answer is not complete after {0:?}")]
    Deadline(Duration),
}

impl Answer {
    /// How long whoever answers wants to be left alone. Seconds only: servers that name a date are asked again when our own
    /// pause is over.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
    }
}

impl Client {
    /// A client that believes whom `trust` says.
    ///
    /// # Errors
    /// If there is no certificate authority to believe, or the text of one is not valid.
    pub(crate) fn new(trust: &Trust) -> io::Result<Self> {
        let builder = HttpsConnectorBuilder::new();
        let builder = match trust {
            Trust::System => builder.with_native_roots()?,
            Trust::Pem(text) => builder.with_tls_config(believing(authorities(text)?)?),
            Trust::Nobody => builder.with_tls_config(believing(RootCertStore::empty())?),
        };
        let connector = builder.https_or_http().enable_http1().build();
        Ok(Self(legacy::Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// The answer to `request`, complete within `deadline` and with at most `most` bytes of body. Where traces are made, it
    /// is a span of one.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        deadline: Duration,
        most: usize,
    ) -> Result<Answer, SendError> {
        #[cfg(feature = "otel")]
        return self.send_traced(request, deadline, most).await;
        #[cfg(not(feature = "otel"))]
        self.send_untraced(request, deadline, most).await
    }

    #[cfg(feature = "otel")]
    async fn send_traced(
        &self,
        mut request: Request<Full<Bytes>>,
        deadline: Duration,
        most: usize,
    ) -> Result<Answer, SendError> {
        let asked = Asked::begin(request.method().as_str(), request.uri().host().unwrap_or_default());
        let header = asked.traceparent().and_then(|text| HeaderValue::from_str(&text).ok());
        request.headers_mut().extend(header.map(|header| (HeaderName::from_static("traceparent"), header)));
        let answer = self.send_untraced(request, deadline, most).await;
        asked.end(answer.as_ref().ok().map(|answer| answer.status.as_u16()));
        answer
    }

    /// The same without a span.
    pub(crate) async fn send_untraced(
        &self,
        mut request: Request<Full<Bytes>>,
        deadline: Duration,
        most: usize,
    ) -> Result<Answer, SendError> {
        let name = HeaderValue::from_static(concat!("procura/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, name);
        match tokio::time::timeout(deadline, self.answer(request, most)).await {
            Ok(answer) => answer,
            Err(_) => Err(SendError::Deadline(deadline)),
        }
    }

    /// Sends `request` and lets `hear` have each piece of the answer as it comes, until the answer ends or `hear` has had
    /// enough. The status comes first, with an empty piece.
    pub(crate) async fn listen(
        &self,
        mut request: Request<Full<Bytes>>,
        mut hear: impl FnMut(StatusCode, &[u8]) -> bool,
    ) -> Result<(), SendError> {
        let name = HeaderValue::from_static(concat!("procura/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, name);
        let (parts, mut body) = self.0.request(request).await.map_err(SendError::NoAnswer)?.into_parts();
        let mut goes_on = hear(parts.status, &[]);
        while goes_on && let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| SendError::Body(0, error.into()))?;
            goes_on = frame.data_ref().is_none_or(|data| hear(parts.status, data));
        }
        Ok(())
    }

    async fn answer(&self, request: Request<Full<Bytes>>, most: usize) -> Result<Answer, SendError> {
        let (parts, body) = self.0.request(request).await.map_err(SendError::NoAnswer)?.into_parts();
        let body = Limited::new(body, most).collect().await;
        let body = body.map_err(|error| SendError::Body(most, error))?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

/// `text` as one segment of a path, as part of a query or of a form.
pub(crate) fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let each = text.bytes();
    each.map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// `pause`, a little more or less each time, so that many servers do not try again at the same moment.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let [first, second, ..] = RandomState::new().hash_one(()).to_le_bytes();
    let below_one = f64::from(u16::from_le_bytes([first, second])) / 65536.0;
    pause.mul_f64(0.9 + 0.2 * below_one)
}

fn believing(roots: RootCertStore) -> io::Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn authorities(text: &[u8]) -> io::Result<RootCertStore> {
    let invalid = |error: &dyn Error| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text) {
        let certificate = certificate.map_err(|error| invalid(&error))?;
        roots.add(certificate).map_err(|error| invalid(&error))?;
    }
    if roots.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no certificate in PEM is in it"));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_a_certificate_authority_is_no_trust() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "x", "-----BEGIN CERTIFICATE-----\n", broken] {
            let refused = Client::new(&Trust::Pem(text.into())).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{text}");
        }
        Client::new(&Trust::Nobody).unwrap();
    }

    #[test]
    fn every_text_is_one_segment() {
        for (text, expected) in
            [("ada", "ada"), ("a/b c", "a%2Fb%20c"), ("é?#", "%C3%A9%3F%23"), ("a+b&c=d", "a%2Bb%26c%3Dd")]
        {
            assert_eq!(encoded(text), expected);
        }
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        for _ in 0..1000 {
            let pause = jittered(Duration::from_secs(10)).as_secs_f64();
            assert!((9.0..=11.0).contains(&pause), "{pause}");
        }
    }
}
