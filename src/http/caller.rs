//! Who calls, read from the connection and the head of the request.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Request, Uri, Version};
use procura_core::model::Timestamp;

use super::admission::Guest;
use crate::pdp::{Caller, Callers, Found, Identity, Shown, Unknown};
use crate::ports::ClientCertificate;

/// How headers begin by which a proxy says that it speaks for someone else: `X-Forwarded-For`, `X-Forwarded-Host`.
const PROXY_PREFIX: &str = "x-forwarded-";

/// A connection, as far as it says who calls over it.
pub(super) struct Connection {
    /// The address of its other end.
    pub(super) address: SocketAddr,
    /// The other end as admission sees it.
    pub(super) guest: Guest,
    is_loopback: bool,
    /// The certificate that was shown at its beginning.
    certificate: Option<Box<dyn ClientCertificate>>,
    /// Who the last request came from: most connections have one caller.
    last: Mutex<Option<Memo>>,
}

/// What was found out about the sender of a request.
struct Memo {
    certificate: Option<Arc<Identity>>,
    local: bool,
    authorization: Option<HeaderValue>,
    key: Option<HeaderValue>,
    epoch: u64,
    found: Found,
}

impl Connection {
    /// A connection of `guest` at `address`, over which `certificate` was shown.
    pub(super) fn new(
        address: SocketAddr,
        guest: Guest,
        certificate: Option<Box<dyn ClientCertificate>>,
    ) -> Self {
        let is_loopback = address.ip().to_canonical().is_loopback();
        Self { address, guest, is_loopback, certificate, last: Mutex::new(None) }
    }

    /// Whether a certificate was shown.
    pub(super) const fn has_certificate(&self) -> bool {
        self.certificate.is_some()
    }

    /// Who sends `request`. It is found out anew only if the request does not show what the one before has shown, or if that
    /// may mean somebody else by now. Where everybody is told what it asks for, `open`, it misses no credential.
    pub(super) async fn caller<B>(
        &self,
        callers: &Callers,
        request: &Request<B>,
        open: bool,
    ) -> Result<Caller, Unknown> {
        let head = Head::of(request.headers());
        // Programs speak HTTP/1.1 since 1999; what still speaks 1.0 is a proxy that adds no header (the default of nginx).
        let local =
            self.is_loopback && request.version() >= Version::HTTP_11 && head.is_made_here(request.uri());
        let certificate = self.certificate.as_ref().map(|shown| shown.holder()).transpose();
        let certificate = certificate.map_err(|_| callers.distrust(self.address))?;
        // The epoch is older than what is found out, so no change is missed.
        let epoch = callers.epoch();
        if let Some(caller) = self.remembered(&head, certificate.as_ref(), (local, epoch), callers.now()) {
            return Ok(caller);
        }
        let shows_credential = head.authorization.is_some() || head.key.is_some();
        if shows_credential && !self.had_caller() {
            self.guest.may_show_credential().map_err(|wait| Unknown::Unheard { wait })?;
        }
        let shown = Shown {
            certificate: certificate.as_ref(),
            authorization: head.authorization.and_then(|value| value.to_str().ok()),
            key: head.key.and_then(|value| value.to_str().ok()),
            garbled: head.is_garbled(),
            local,
            open,
        };
        let identified = callers.identify(&shown, Some(self.address)).await;
        if shows_credential && identified.as_ref().is_err_and(|unknown| *unknown == Unknown::BadCredential) {
            self.guest.has_shown_bad_credential();
        }
        let found = identified?;
        let caller = found.caller.clone();
        let (authorization, key) = (head.authorization.cloned(), head.key.cloned());
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Memo { certificate, local, authorization, key, epoch, found })
                .filter(|_| !head.is_garbled());
        Ok(caller)
    }

    /// Whether a request has come over it whose sender is known.
    fn had_caller(&self) -> bool {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn remembered(
        &self,
        head: &Head<'_>,
        certificate: Option<&Arc<Identity>>,
        (local, epoch): (bool, u64),
        now: Timestamp,
    ) -> Option<Caller> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.as_ref()?;
        let is_same = last.local == local
            && last.certificate.as_ref().map(Arc::as_ptr) == certificate.map(Arc::as_ptr)
            && last.authorization.as_ref() == head.authorization
            && last.key.as_ref() == head.key
            && !head.is_garbled();
        (is_same && last.epoch == epoch && now < last.found.until).then(|| last.found.caller.clone())
    }
}

/// The caller, as it was found out before the router was asked; one without rights if it was not.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(|| Self::unknown(None)))
    }
}

/// What the headers of a request say about who sent it.
#[derive(Default)]
struct Head<'r> {
    authorization: Option<&'r HeaderValue>,
    key: Option<&'r HeaderValue>,
    host: Option<&'r HeaderValue>,
    /// Whether one of these is there twice.
    repeated: bool,
    /// Whether a proxy says that it speaks for someone else.
    relayed: bool,
    /// Whether a browser says that the page which sends the request is not of this machine, or of another server on it.
    /// Programs other than browsers say nothing of the kind.
    foreign: bool,
}

impl<'r> Head<'r> {
    fn of(headers: &'r HeaderMap) -> Self {
        let mut head = Self::default();
        for (name, value) in headers {
            match name.as_str() {
                "host" => head.repeated |= head.host.replace(value).is_some(),
                "authorization" => head.repeated |= head.authorization.replace(value).is_some(),
                "x-api-key" => head.repeated |= head.key.replace(value).is_some(),
                "origin" => head.foreign |= !value.to_str().is_ok_and(is_loopback_origin),
                "sec-fetch-site" => head.foreign |= value != "none" && value != "same-origin",
                "forwarded"
                | "via"
                | "x-real-ip"
                | "x-client-ip"
                | "true-client-ip"
                | "cf-connecting-ip"
                | "x-original-forwarded-for"
                | "x-envoy-external-address" => head.relayed = true,
                name if name.starts_with(PROXY_PREFIX) => head.relayed = true,
                _ => {}
            }
        }
        head
    }

    /// Whether a credential is there twice, or is no text.
    fn is_garbled(&self) -> bool {
        let is_text = |value: &HeaderValue| value.to_str().is_ok();
        self.repeated || !self.authorization.is_none_or(is_text) || !self.key.is_none_or(is_text)
    }

    /// Whether the request itself was made on this machine, if its connection was: neither relayed by a proxy, nor sent by
    /// a page that a browser here has loaded from elsewhere or under a name that was pointed at this machine.
    fn is_made_here(&self, uri: &Uri) -> bool {
        !self.relayed && !self.foreign && !self.repeated && self.is_addressed_to_loopback(uri)
    }

    fn is_addressed_to_loopback(&self, uri: &Uri) -> bool {
        let host = self.host.and_then(|host| host.to_str().ok());
        host.or_else(|| uri.authority().map(Authority::as_str)).is_some_and(is_loopback_host)
    }
}

pub(super) fn is_loopback_origin(origin: &str) -> bool {
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.is_some_and(is_loopback_host)
}

/// Whether `host`, with or without a port, is a name or an address of loopback.
pub(super) fn is_loopback_host(host: &str) -> bool {
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    const PROXY_HEADERS: [&str; 8] = [
        "forwarded",
        "via",
        "x-real-ip",
        "x-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "x-original-forwarded-for",
        "x-envoy-external-address",
    ];

    fn is_made_here(address: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let address: SocketAddr = address.parse().unwrap();
        address.ip().to_canonical().is_loopback() && Head::of(&map).is_made_here(&Uri::from_static("/"))
    }

    #[test]
    fn only_requests_made_on_this_machine_are_local() {
        let here = [("host", "localhost:3592")];
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:3592", "127.1.2.3", "[::1]:3592", "[::1]"] {
            assert!(is_made_here("127.0.0.1:9", &[("host", host)]), "{host}");
        }
        assert!(is_made_here("[::1]:9", &here));
        assert!(is_made_here("[::ffff:127.0.0.1]:9", &here));

        assert!(!is_made_here("10.0.0.1:9", &here));
        assert!(!is_made_here("127.0.0.1:9", &[]));
        for host in ["example.org", "localhost.example.org", "10.0.0.1:3592", "127.0.0.1.nip.io", ""] {
            assert!(!is_made_here("127.0.0.1:9", &[("host", host)]), "{host}");
        }
        for proxy in PROXY_HEADERS.into_iter().chain(["x-forwarded-for", "x-forwarded-host"]) {
            assert!(!is_made_here("127.0.0.1:9", &[here[0], (proxy, "127.0.0.1")]), "{proxy}");
        }
        assert!(!is_made_here("127.0.0.1:9", &[here[0], ("host", "127.0.0.1")]), "two hosts");
    }

    #[test]
    fn page_in_a_browser_of_this_machine_is_not_local() {
        for (name, value, expected) in [
            ("origin", "http://localhost:3592", true),
            ("origin", "https://127.0.0.1", true),
            ("origin", "http://[::1]:3592", true),
            ("origin", "https://example.org", false),
            ("origin", "http://localhost.example.org", false),
            ("origin", "http://localhost@example.org", false),
            ("origin", "http://10.0.0.1:3592", false),
            ("origin", "localhost", false),
            ("origin", "file://", false),
            ("origin", "null", false),
            ("origin", "", false),
            ("sec-fetch-site", "none", true),
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "something-new", false),
        ] {
            let headers = [("host", "localhost:3592"), (name, value)];
            assert_eq!(is_made_here("127.0.0.1:9", &headers), expected, "{name}: {value}");
        }
    }
}
