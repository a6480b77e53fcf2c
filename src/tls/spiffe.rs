//! SPIFFE ids in certificates (X509-SVID §2 to §5, SPIFFE-ID §2).

/// Longest id, and longest trust domain in it, in bytes (SPIFFE-ID §2.3).
const MAX_ID: usize = 2048;
const MAX_TRUST_DOMAIN: usize = 255;

const SCHEME: &str = "spiffe://";

/// Whether `uri` claims to be a SPIFFE id, well formed or not.
pub(super) fn is_claimed(uri: &str) -> bool {
    uri.get(..SCHEME.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

/// The trust domain of `id`, the SPIFFE id of a workload; `None` if it is not well formed.
pub(super) fn trust_domain(id: &str) -> Option<&str> {
    let (domain, path) = id.strip_prefix(SCHEME).filter(|_| id.len() <= MAX_ID)?.split_once('/')?;
    let of_domain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b);
    let of_path = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    let is_domain = !domain.is_empty() && domain.len() <= MAX_TRUST_DOMAIN && domain.bytes().all(of_domain);
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(of_path);
    Some(domain).filter(|_| is_domain && path.split('/').all(is_segment))
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
            assert_eq!(trust_domain(id), domain, "{id}");
        }
        let long =
            |domain: usize, path: usize| format!("spiffe://{}/{}", "a".repeat(domain), "b".repeat(path));
        assert!(trust_domain(&long(255, 1)).is_some() && trust_domain(&long(256, 1)).is_none());
        assert!(trust_domain(&long(1, 2037)).is_some() && trust_domain(&long(1, 2038)).is_none());
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
