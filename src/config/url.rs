//! URLs that the server sends requests to.

use std::net::IpAddr;

use hyper::Uri;

/// Why the server cannot be told to ask `url`, if it cannot. `plain_http` allows `http` to other machines;
/// `danger` says what could happen then.
pub(super) fn check(url: &str, plain_http: bool, danger: &str) -> Result<(), String> {
    let Ok(uri) = url.parse::<Uri>() else {
        return Err("must be a URL such as `https://host/path`".into());
    };
    let is_encrypted = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err("must begin with `https://`".into()),
    };
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err("must name a host, and neither user nor password".into());
    }
    if !is_encrypted && !plain_http && !uri.host().is_some_and(is_loopback) {
        return Err(format!(
            "must begin with `https://`: {danger}; to accept that, set `insecure.plainHttp`"
        ));
    }
    Ok(())
}

/// Whether `host` is this machine.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
