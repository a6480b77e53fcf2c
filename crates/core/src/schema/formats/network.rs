//! `hostname` (RFC 1123), `email` (RFC 5321), `ipv4`, `ipv6`.

use std::net::Ipv6Addr;

/// Labels of letters, digits and hyphens, with dots between them.
pub(super) fn is_hostname(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// `local@domain`; the domain is a host name or an address in brackets.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    if text.len() > 254 || local.len() > 64 {
        return false;
    }
    let bracketed = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let domain_fits = match bracketed {
        Some(address) => address.strip_prefix("IPv6:").map_or_else(|| is_ipv4(address), is_ipv6),
        None => is_hostname(domain),
    };
    domain_fits && (is_dotted(local) || is_quoted(local))
}

/// Four numbers up to 255 without leading zeros.
pub(super) fn is_ipv4(text: &str) -> bool {
    let is_octet = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_digit())
            && (part.len() == 1 || !part.starts_with('0'))
            && part.parse::<u8>().is_ok()
    };
    text.split('.').count() == 4 && text.split('.').all(is_octet)
}

/// An address without a zone.
pub(super) fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

fn is_dotted(local: &str) -> bool {
    let is_part_char =
        |c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    local.split('.').all(|part| !part.is_empty() && part.chars().all(is_part_char))
}

fn is_quoted(local: &str) -> bool {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut escaped = false;
    let plain = inner.chars().all(|c| {
        let allowed = !c.is_control() && (escaped || c != '"');
        escaped = c == '\\' && !escaped;
        allowed
    });
    plain && !escaped && !inner.is_empty()
}
