//! Who calls, read from the connection and the head of the request.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, header};

use super::error::Refusal;
use crate::pdp::Caller;

/// Headers by which a proxy says that it speaks for someone else.
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

/// How the other headers of that kind begin: `X-Forwarded-For`, `X-Forwarded-Host` and so on.
const PROXY_PREFIX: &str = "x-forwarded-";

/// Header by which a browser says whose page sends the request (W3C Fetch Metadata).
const SEC_FETCH_SITE: &str = "sec-fetch-site";

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(|| Self::unknown(address(parts))))
    }
}

/// A caller that may use administration and the decision log: until callers authenticate, whoever is on this
/// machine, but not the pages that a browser here shows. For everyone else these paths do not exist.
pub(super) struct Operator;

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let may = made_on_this_machine(parts) && !sent_by_foreign_page(&parts.headers);
        if may { Ok(Self) } else { Err(Refusal::NotFound) }
    }
}

fn address(parts: &Parts) -> Option<SocketAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0)
}

/// Whether the request itself was made on this machine: neither relayed by a proxy nor made in the name of another host.
fn made_on_this_machine(parts: &Parts) -> bool {
    address(parts).is_some_and(|address| address.ip().to_canonical().is_loopback())
        && !parts.headers.keys().any(|name| is_of_proxy(name.as_str()))
        && addressed_to_loopback(&parts.headers, &parts.uri)
}

fn is_of_proxy(header: &str) -> bool {
    PROXY_HEADERS.contains(&header) || header.starts_with(PROXY_PREFIX)
}

/// Whether the request names this machine as its host. A page that a browser here has loaded from elsewhere, or under
/// a name that was pointed at this machine, does not.
fn addressed_to_loopback(headers: &HeaderMap, uri: &Uri) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.or_else(|| uri.authority().map(Authority::as_str)).is_some_and(is_loopback_host)
}

/// Whether a browser says that the page which sends the request is not of this machine, or of another server on it.
/// Programs other than browsers say nothing of the kind.
fn sent_by_foreign_page(headers: &HeaderMap) -> bool {
    let of_loopback = |origin: &HeaderValue| origin.to_str().is_ok_and(is_loopback_origin);
    let of_own_page = |site: &HeaderValue| site == "none" || site == "same-origin";
    !headers.get_all(header::ORIGIN).iter().all(of_loopback)
        || !headers.get_all(SEC_FETCH_SITE).iter().all(of_own_page)
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
    use axum::http::{HeaderName, Request};

    use super::*;

    async fn is_operator(address: Option<&str>, headers: &[(&'static str, &'static str)]) -> bool {
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        if let Some(address) = address {
            let address: SocketAddr = address.parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(address));
        }
        let (mut parts, ()) = request.into_parts();
        Operator::from_request_parts(&mut parts, &()).await.is_ok()
    }

    #[tokio::test]
    async fn only_requests_made_on_this_machine_are_an_operators() {
        let here = [("host", "localhost:3592")];
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:3592", "127.1.2.3", "[::1]:3592", "[::1]"] {
            assert!(is_operator(Some("127.0.0.1:9"), &[("host", host)]).await, "{host}");
        }
        assert!(is_operator(Some("[::1]:9"), &here).await);
        assert!(is_operator(Some("[::ffff:127.0.0.1]:9"), &here).await);

        assert!(!is_operator(Some("10.0.0.1:9"), &here).await);
        assert!(!is_operator(None, &here).await);
        assert!(!is_operator(Some("127.0.0.1:9"), &[]).await);
        for host in ["example.org", "localhost.example.org", "10.0.0.1:3592", "127.0.0.1.nip.io", ""] {
            assert!(!is_operator(Some("127.0.0.1:9"), &[("host", host)]).await, "{host}");
        }
        for proxy in PROXY_HEADERS.into_iter().chain(["x-forwarded-for", "x-forwarded-host"]) {
            assert!(!is_operator(Some("127.0.0.1:9"), &[here[0], (proxy, "127.0.0.1")]).await, "{proxy}");
        }
    }

    #[tokio::test]
    async fn page_in_a_browser_of_this_machine_is_no_operator() {
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
            assert_eq!(is_operator(Some("127.0.0.1:9"), &headers).await, expected, "{name}: {value}");
        }
    }
}
