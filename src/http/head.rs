//! What the head of a request must be beyond what the HTTP library asks for (RFC 9112).
//!
//! A head that another server could read in another way is refused and its connection closed, so that nothing that comes
//! after it is read as a request which nobody has sent.

use axum::http::{HeaderValue, Method, Request, Version, header};

use super::error::Refusal;

/// Refuses what is ambiguous in the head of `request`, or asks for what is not done here.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    let mut host = None;
    let mut codings = 0;
    for (name, value) in request.headers() {
        if name == header::HOST {
            if host.replace(value).is_some() {
                return Err(Refusal::Malformed("there is more than one `host`"));
            }
        } else if name == header::TRANSFER_ENCODING {
            codings += 1;
            if codings > 1 || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(Refusal::Malformed("the only `transfer-encoding` that is read is `chunked`"));
            }
        } else if name == header::EXPECT && !value.as_bytes().eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal::Malformed("the only expectation that is met is `100-continue`"));
        }
    }
    check_host(request, host)?;
    check_target(request)
}

/// A host, and the same one in a target that names one (RFC 9112, sections 3.2 and 3.2.2).
fn check_host<B>(request: &Request<B>, host: Option<&HeaderValue>) -> Result<(), Refusal> {
    let Some(host) = host.map(HeaderValue::as_bytes) else {
        let may_be_missing = request.version() < Version::HTTP_11;
        return if may_be_missing { Ok(()) } else { Err(Refusal::Malformed("the `host` is missing")) };
    };
    if !host.iter().all(|byte| is_of_host(*byte)) {
        return Err(Refusal::Malformed("the `host` is not one"));
    }
    match request.uri().authority() {
        Some(named) if !named.as_str().as_bytes().eq_ignore_ascii_case(host) => {
            Err(Refusal::Malformed("the `host` is not that of the target"))
        }
        _ => Ok(()),
    }
}

/// What a name, an address or a port is made of.
const fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':' | b'[' | b']' | b'%')
}

/// A path, or `*` for what `OPTIONS` asks of the server itself.
fn check_target<B>(request: &Request<B>) -> Result<(), Refusal> {
    let path = request.uri().path();
    if path.starts_with('/') || (path == "*" && *request.method() == Method::OPTIONS) {
        Ok(())
    } else {
        Err(Refusal::Malformed("the target is no path: this server is no proxy"))
    }
}
