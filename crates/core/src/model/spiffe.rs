//! The syntax of SPIFFE ids (SPIFFE-ID §2), the same in expressions, tokens, certificates and configuration.

/// Longest id, in bytes (SPIFFE-ID §2.3).
const ID_BYTES: usize = 2048;

/// Longest trust domain, in bytes (SPIFFE-ID §2.1).
const TRUST_DOMAIN_BYTES: usize = 255;

/// How every id begins.
const SCHEME: &str = "spiffe://";

/// The trust domain and the path of an id; the id of the trust domain itself has an empty path.
///
/// # Errors
/// What is wrong with `text`, if it is no id.
pub fn id(text: &str) -> Result<(&str, &str), &'static str> {
    if text.is_empty() {
        return Err("cannot be empty");
    }
    if text.len() > ID_BYTES {
        return Err("an ID has at most 2048 bytes");
    }
    let rest = text.strip_prefix(SCHEME).ok_or("scheme is missing or invalid")?;
    let (domain, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, ""));
    let domain = trust_domain(domain)?;
    check_path(path)?;
    Ok((domain, path))
}

/// `name`, if it is the name of a trust domain.
///
/// # Errors
/// What is wrong with it, if it is none.
pub fn trust_domain(name: &str) -> Result<&str, &'static str> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    if name.is_empty() {
        return Err("trust domain is missing");
    }
    if !name.bytes().all(allowed) {
        return Err(
            "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores",
        );
    }
    if name.len() > TRUST_DOMAIN_BYTES {
        return Err("a trust domain has at most 255 bytes");
    }
    Ok(name)
}

/// The trust domain of `text`, the id of a workload: one that has a path (X509-SVID §5.2). `None` if it is not.
#[must_use]
pub fn domain_of_workload(text: &str) -> Option<&str> {
    id(text).ok().filter(|(_, path)| !path.is_empty()).map(|(domain, _)| domain)
}

/// Whether `uri` claims to be an id, well formed or not.
#[must_use]
pub fn is_claimed(uri: &str) -> bool {
    uri.get(..SCHEME.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

/// A path is empty, or begins with a slash; its segments are neither empty nor `.` nor `..`.
fn check_path(path: &str) -> Result<(), &'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let Some(segments) = path.strip_prefix('/') else {
        return Ok(());
    };
    let mut rest = segments.split('/').peekable();
    while let Some(segment) = rest.next() {
        match segment {
            "" if rest.peek().is_none() => return Err("path cannot have a trailing slash"),
            "" => return Err("path cannot contain empty segments"),
            "." | ".." => return Err("path cannot contain dot segments"),
            segment if !segment.bytes().all(allowed) => {
                return Err("path segment characters are limited to letters, numbers, dots, dashes, and \
                            underscores");
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_workloads_in_their_one_form_have_a_trust_domain() {
        for (id, domain) in [
            ("spiffe://acme.org/a", Some("acme.org")),
            ("spiffe://acme_1-2.org/ns/prod/sa/Billing.v1", Some("acme_1-2.org")),
            ("spiffe://acme.org", None),
            ("spiffe://acme.org/", None),
            ("spiffe://acme.org/a/", None),
            ("spiffe://acme.org//a", None),
            ("spiffe://acme.org/./a", None),
            ("spiffe://acme.org/../a", None),
            ("spiffe:///a", None),
            ("spiffe://Acme.org/a", None),
            ("spiffe://acme.org:80/a", None),
            ("spiffe://u@acme.org/a", None),
            ("spiffe://acme.org/a?b", None),
            ("spiffe://acme.org/a#b", None),
            ("spiffe://acme.org/%61", None),
            ("spiffe://acme.org/ä", None),
            ("SPIFFE://acme.org/a", None),
            ("https://acme.org/a", None),
            ("", None),
        ] {
            assert_eq!(domain_of_workload(id), domain, "{id}");
        }
        let long =
            |domain: usize, path: usize| format!("spiffe://{}/{}", "a".repeat(domain), "b".repeat(path));
        assert!(domain_of_workload(&long(255, 1)).is_some() && domain_of_workload(&long(256, 1)).is_none());
        assert!(domain_of_workload(&long(1, 2037)).is_some() && domain_of_workload(&long(1, 2038)).is_none());
    }

    #[test]
    fn malformed_id_is_still_claimed_to_be_one() {
        for (uri, claimed) in [
            ("spiffe://", true),
            ("SPIFFE://Acme/a", true),
            ("spiffe:/a", false),
            ("urn:x", false),
            ("ä", false),
        ] {
            assert_eq!(is_claimed(uri), claimed, "{uri}");
        }
    }
}
