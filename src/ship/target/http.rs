//! A server that takes one record per line.

use std::io;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::endpoint::Endpoint;
use super::lines;
use crate::ship::failure::Failure;
use crate::ship::feed::Parcel;
use crate::ship::settings::EndpointSettings;

/// Posts batches as newline-delimited JSON. Their headers tell which records they hold, so that who has them already need
/// not look.
pub(in crate::ship) struct HttpTarget(Endpoint);

impl HttpTarget {
    pub(super) fn new(settings: &EndpointSettings) -> io::Result<Self> {
        Endpoint::new(settings).map(Self)
    }

    /// Posts `batch`.
    pub(super) async fn send(&self, batch: &[Parcel]) -> Result<(), Failure> {
        let mut headers = HeaderMap::new();
        let mut tell = |name: &'static str, text: String| {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        tell("procura-records", batch.len().to_string());
        if let (Some(first), Some(last)) = (batch.first(), batch.last()) {
            tell("procura-first-seq", first.seq.to_string());
            tell("procura-last-seq", last.seq.to_string());
            tell("procura-last-hash", last.hash.to_string());
        }
        self.0.post("application/x-ndjson", headers, lines(batch)).await.map(|_| ())
    }
}
