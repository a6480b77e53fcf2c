//! URLs that the server sends requests to.

use std::borrow::Cow;
use std::net::IpAddr;

use hyper::Uri;

/// What stands for a secret.
pub(super) const NOT_SHOWN: &str = "(not shown)";

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

/// `text` for people: of a URL in it, what may be a secret is not shown, which is user and password, and the query.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else { return Cow::Borrowed(text) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map(|(_, host)| format!("{NOT_SHOWN}@{host}"));
    let hidden = path.split_once('?').map(|(path, _)| format!("{path}?{NOT_SHOWN}"));
    match (host, hidden) {
        (None, None) => Cow::Borrowed(text),
        (host, hidden) => {
            let host = host.as_deref().unwrap_or(authority);
            Cow::Owned(format!("{scheme}://{host}{}", hidden.as_deref().unwrap_or(path)))
        }
    }
}

/// Whether `host` is this machine.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_a_url_are_not_shown() {
        for (text, expected) in [
            ("https://host/a/b", "https://host/a/b"),
            ("https://user:pass@host:1/a@b", "https://(not shown)@host:1/a@b"),
            ("https://a@b@host", "https://(not shown)@host"),
            ("https://host?key=1", "https://host?(not shown)"),
            ("https://user@host/a?key=1#x", "https://(not shown)@host/a?(not shown)"),
            ("127.0.0.1:3592", "127.0.0.1:3592"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
