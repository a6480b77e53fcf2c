//! What transmitters of security events publish about themselves (Shared Signals Framework 1.0, section 7).

use std::time::Duration;

use http_body_util::Full;
use hyper::header::ACCEPT;
use hyper::{Request, StatusCode, Uri};
use serde::Deserialize;

use crate::outgoing::{Client, SendError};

/// Where metadata are, between host and path; the second is that of the time before the framework.
const WELL_KNOWN: [&str; 2] = ["/.well-known/ssf-configuration", "/.well-known/risc-configuration"];

/// Largest metadata, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// A transmitter as configured: who it is, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransmitterPlace {
    /// Its URL, to which the place of the metadata belongs.
    pub url: String,
    /// Its name, which the metadata must have.
    pub issuer: String,
    /// Whether it may name places without encryption, also on other machines than the one that `url` names.
    pub plain_http: bool,
}

/// The metadata of a transmitter (section 7.1). Every URL may be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Metadata {
    issuer: String,
    spec_version: Option<String>,
    /// Where its keys are.
    pub(crate) jwks_uri: Option<String>,
    /// Where streams are made, read, changed and deleted.
    pub(crate) configuration_endpoint: Option<String>,
    /// Where the status of a stream is.
    pub(crate) status_endpoint: Option<String>,
    /// Where subjects are added.
    pub(crate) add_subject_endpoint: Option<String>,
    /// Where subjects are removed.
    pub(crate) remove_subject_endpoint: Option<String>,
    /// Where a verification event is asked for.
    pub(crate) verification_endpoint: Option<String>,
}

/// Why the metadata cannot be used. No text repeats anything of them but what may be seen by everyone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetadataError {
    /// The URL of the transmitter is none.
    #[error("`{0}` is not a URL that metadata can be found with: it must have a host, and no query")]
    Url(String),
    /// There is no answer.
    #[error("cannot fetch the metadata of the transmitter")]
    Send(#[from] SendError),
    /// The answer is not what was asked for.
    #[error("the metadata of the transmitter have status {0}; redirects are not followed")]
    Status(StatusCode),
    /// They are no metadata.
    #[error("the metadata of the transmitter are not valid")]
    Invalid(#[source] serde_json::Error),
    /// They are those of somebody else.
    #[error("the metadata are not those of the issuer `{0}`")]
    Issuer(String),
    /// They follow other rules.
    #[error("the transmitter follows another version of the framework than `1_0`")]
    Version,
    /// A URL in them must not be asked.
    #[error(
        "the `{0}` of the metadata must begin with `https://`, or be on the same host as the transmitter"
    )]
    Place(&'static str),
}

impl TransmitterPlace {
    /// Its metadata, complete within `deadline`.
    pub(crate) async fn metadata(
        &self,
        client: &Client,
        deadline: Duration,
    ) -> Result<Metadata, MetadataError> {
        let [current, legacy] = self.well_known()?;
        let metadata = match self.fetch(client, current, deadline).await {
            Err(MetadataError::Status(StatusCode::NOT_FOUND)) => self.fetch(client, legacy, deadline).await?,
            other => other?,
        };
        self.check(metadata)
    }

    /// Whether `url` may be asked: it is encrypted, or as little as the transmitter itself is.
    pub(crate) fn vouches_for(&self, url: &str) -> bool {
        let (Ok(uri), Ok(own)) = (url.parse::<Uri>(), self.url.parse::<Uri>()) else { return false };
        let Some(host) = uri.host().filter(|_| !url.contains('@')) else { return false };
        match uri.scheme_str() {
            Some("https") => true,
            Some("http") => self.plain_http || (own.scheme_str() == Some("http") && own.host() == Some(host)),
            _ => false,
        }
    }

    /// The places where the metadata may be: between host and path, which ends without a slash.
    fn well_known(&self) -> Result<[Uri; 2], MetadataError> {
        let invalid = || MetadataError::Url(self.url.split('?').next().unwrap_or_default().to_owned());
        let uri: Uri = self.url.parse().map_err(|_| invalid())?;
        let (Some(scheme), Some(authority), None) = (uri.scheme_str(), uri.authority(), uri.query()) else {
            return Err(invalid());
        };
        let path = uri.path().trim_end_matches('/');
        let at = |place| format!("{scheme}://{authority}{place}{path}").parse().map_err(|_| invalid());
        let [current, legacy] = WELL_KNOWN.map(at);
        Ok([current?, legacy?])
    }

    async fn fetch(&self, client: &Client, uri: Uri, deadline: Duration) -> Result<Metadata, MetadataError> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = uri;
        request.headers_mut().insert(ACCEPT, hyper::header::HeaderValue::from_static("application/json"));
        let answer = client.send(request, deadline, MAX_BYTES).await?;
        if answer.status != StatusCode::OK {
            return Err(MetadataError::Status(answer.status));
        }
        serde_json::from_slice(&answer.body).map_err(MetadataError::Invalid)
    }

    fn check(&self, metadata: Metadata) -> Result<Metadata, MetadataError> {
        if metadata.issuer != self.issuer {
            return Err(MetadataError::Issuer(self.issuer.clone()));
        }
        // Absent means the first implementer's draft; the drafts have `-ID` and a number behind.
        if metadata.spec_version.as_ref().is_some_and(|version| !version.starts_with("1_0")) {
            return Err(MetadataError::Version);
        }
        let places = [
            ("jwks_uri", &metadata.jwks_uri),
            ("configuration_endpoint", &metadata.configuration_endpoint),
            ("status_endpoint", &metadata.status_endpoint),
            ("add_subject_endpoint", &metadata.add_subject_endpoint),
            ("remove_subject_endpoint", &metadata.remove_subject_endpoint),
            ("verification_endpoint", &metadata.verification_endpoint),
        ];
        let wrong =
            places.into_iter().find(|(_, url)| url.as_ref().is_some_and(|url| !self.vouches_for(url)));
        wrong.map_or(Ok(()), |(name, _)| Err(MetadataError::Place(name)))?;
        Ok(metadata)
    }
}

/// What fuzz targets need of the metadata.
#[cfg(fuzzing)]
pub mod fuzzing {
    use super::TransmitterPlace;

    /// The places that metadata of a transmitter name, if they may be asked.
    #[must_use]
    pub fn places(bytes: &[u8]) -> Option<Vec<String>> {
        let issuer = "https://idp.example/".to_owned();
        let place = TransmitterPlace { url: issuer.clone(), issuer, plain_http: false };
        let found = place.check(serde_json::from_slice(bytes).ok()?).ok()?;
        let places = [
            found.jwks_uri,
            found.configuration_endpoint,
            found.status_endpoint,
            found.verification_endpoint,
        ];
        Some(places.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> TransmitterPlace {
        TransmitterPlace { url: url.to_owned(), issuer: "https://idp.example/".to_owned(), plain_http: false }
    }

    #[test]
    fn metadata_are_between_host_and_path() {
        for (url, expected) in [
            ("https://idp.example", "https://idp.example/.well-known/ssf-configuration"),
            ("https://idp.example/", "https://idp.example/.well-known/ssf-configuration"),
            ("https://idp.example:8443/a/b/", "https://idp.example:8443/.well-known/ssf-configuration/a/b"),
            ("http://127.0.0.1:1/a", "http://127.0.0.1:1/.well-known/ssf-configuration/a"),
        ] {
            let [current, legacy] = place(url).well_known().unwrap();
            assert_eq!(current.to_string(), expected);
            assert_eq!(legacy.to_string(), expected.replace("ssf-", "risc-"));
        }
        for url in ["", "idp.example", "/a", "https://idp.example/?a=b", "https://"] {
            assert!(place(url).well_known().is_err(), "{url}");
        }
    }

    #[test]
    fn no_place_is_less_encrypted_than_the_transmitter() {
        let cases = [
            ("https://idp.example", "https://keys.example/k", true),
            ("https://idp.example", "http://idp.example/k", false),
            ("https://idp.example", "http://127.0.0.1/k", false),
            ("https://idp.example", "https://user@keys.example/k", false),
            ("https://idp.example", "file:///etc/passwd", false),
            ("https://idp.example", "/k", false),
            ("http://127.0.0.1:1", "http://127.0.0.1:2/k", true),
            ("http://127.0.0.1:1", "http://10.0.0.1/k", false),
        ];
        for (own, other, expected) in cases {
            assert_eq!(place(own).vouches_for(other), expected, "{own} {other}");
        }
        assert!(TransmitterPlace { plain_http: true, ..place("http://a") }.vouches_for("http://b/k"));
    }

    #[test]
    fn metadata_of_another_issuer_version_or_with_plain_places_are_refused() {
        let read = |text: &str| place("https://idp.example").check(serde_json::from_str(text).unwrap());
        let issuer = r#""issuer": "https://idp.example/""#;
        assert!(read(&format!("{{{issuer}}}")).is_ok());
        for version in ["1_0", "1_0-ID3"] {
            assert!(read(&format!(r#"{{{issuer}, "spec_version": "{version}"}}"#)).is_ok());
        }
        assert!(matches!(read(r#"{"issuer": "https://idp.example"}"#), Err(MetadataError::Issuer(_))));
        let later = read(&format!(r#"{{{issuer}, "spec_version": "2_0"}}"#));
        assert!(matches!(later, Err(MetadataError::Version)));
        for name in ["jwks_uri", "configuration_endpoint", "status_endpoint", "verification_endpoint"] {
            let plain = read(&format!(r#"{{{issuer}, "{name}": "http://idp.example/x"}}"#));
            assert!(matches!(plain, Err(MetadataError::Place(place)) if place == name));
        }
    }
}
