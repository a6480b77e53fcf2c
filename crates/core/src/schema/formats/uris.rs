//! `uri`, `uri-reference` (RFC 3986), their international forms, and `uri-template` (RFC 6570).
//!
//! As lenient as the peer, which parses them as Go does.

use super::network::is_ipv6;

/// A reference with a scheme.
pub(super) fn is_uri(text: &str) -> bool {
    parse(text).is_some_and(|uri| uri.has_scheme)
}

/// A URI or a relative reference.
pub(super) fn is_reference(text: &str) -> bool {
    parse(text).is_some() && !text.contains('\\')
}

/// A reference with braces in pairs in each segment of its path.
pub(super) fn is_template(text: &str) -> bool {
    let is_balanced = |segment: &str| {
        let mut is_open = false;
        let in_pairs = segment.bytes().all(|byte| match byte {
            b'{' => !std::mem::replace(&mut is_open, true),
            b'}' => std::mem::replace(&mut is_open, false),
            _ => true,
        });
        in_pairs && !is_open
    };
    parse(text).is_some_and(|uri| uri.path.split('/').all(is_balanced))
}

struct Uri<'t> {
    has_scheme: bool,
    /// Empty where what follows the scheme does not begin with `/`.
    path: &'t str,
}

fn parse(text: &str) -> Option<Uri<'_>> {
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return None;
    }
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (has_scheme, rest) = after_scheme(text)?;
    let (rest, _) = rest.split_once('?').unwrap_or((rest, ""));
    if !escapes_fit(fragment) {
        return None;
    }
    if !rest.starts_with('/') {
        if has_scheme {
            return Some(Uri { has_scheme, path: "" });
        }
        let first = rest.split('/').next().unwrap_or_default();
        return (!first.contains(':') && escapes_fit(rest)).then_some(Uri { has_scheme, path: rest });
    }
    let hierarchy = rest.strip_prefix("//").filter(|_| has_scheme || !rest.starts_with("///"));
    let path = match hierarchy {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            is_authority(authority).then_some(path)?
        }
        None => rest,
    };
    escapes_fit(path).then_some(Uri { has_scheme, path })
}

/// Whether there is a scheme, and what follows it; `None` for a colon without one.
fn after_scheme(text: &str) -> Option<(bool, &str)> {
    let Some((scheme, rest)) = text.split_once(':') else { return Some((false, text)) };
    if scheme.is_empty() {
        return None;
    }
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    Some(if is_scheme { (true, rest) } else { (false, text) })
}

fn is_authority(authority: &str) -> bool {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let user_fits = escapes_fit(user)
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte));
    let port_fits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.rsplit_once(']') else { return false };
        let port = if port.is_empty() { Some("") } else { port.strip_prefix(':') };
        return user_fits && is_ipv6(address) && port.is_some_and(port_fits);
    }
    let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
    user_fits && port_fits(port) && is_host(name)
}

fn is_host(name: &str) -> bool {
    let is_host_byte =
        |byte: u8| byte >= 0x80 || byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=<>\"%".contains(&byte);
    let escapes_are_not_ascii = name
        .split('%')
        .skip(1)
        .all(|rest| rest.starts_with(['8', '9', 'a', 'b', 'c', 'd', 'e', 'f', 'A', 'B', 'C', 'D', 'E', 'F']));
    name.bytes().all(is_host_byte) && escapes_fit(name) && escapes_are_not_ascii
}

/// Whether every `%` is followed by two hexadecimal digits.
fn escapes_fit(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.get(..2);
        digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}
