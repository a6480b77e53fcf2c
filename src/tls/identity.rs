//! Who the holder of a client certificate is, and what the configuration gives it.

use procura_core::model::spiffe;
use procura_core::value::hex;
use sha2::{Digest, Sha256};

use super::der::Facts;
use crate::ports::{Identity, Method};

/// Longest common name that is a name of a caller, in bytes: the upper bound of RFC 5280, in characters of four bytes.
const MAX_COMMON_NAME: usize = 256;

/// What the holders of certificates with certain names are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateRule {
    /// The names: `*` stands for any characters but `/`, `**` for any characters.
    pub names: String,
    /// Their roles.
    pub roles: Vec<String>,
    /// The tenants they are bound to; `None` if they are bound to none.
    pub tenants: Option<Vec<String>>,
    /// Whether they are agents.
    pub agent: bool,
}

/// The holder of the certificate in `der`, which says `facts`: with what the first of `rules` gives that is about its
/// name, or else without roles. The error says why the certificate names nobody.
pub(super) fn holder(
    der: &[u8],
    facts: &Facts<'_>,
    rules: &[CertificateRule],
) -> Result<Identity, &'static str> {
    let (name, issuer) = name(facts)?;
    let rule = rules.iter().find(|rule| covers(&rule.names, &name)).cloned().unwrap_or_default();
    Ok(Identity {
        name: Some(name),
        method: Some(Method::Certificate),
        issuer,
        key: Some(hex(&Sha256::digest(der))),
        roles: rule.roles,
        tenants: rule.tenants,
        agent: rule.agent,
    })
}

/// The name of a holder and who vouches for it: the SPIFFE id and its trust domain, or else the first DNS name, or else
/// the common name as `CN=…`, and the common name of the authority. So the three kinds of names never meet.
fn name(facts: &Facts<'_>) -> Result<(String, Option<String>), &'static str> {
    if facts.uris.iter().any(|uri| spiffe::is_claimed(uri)) {
        let [id] = facts.uris.as_slice() else {
            return Err("it has a SPIFFE id and another URI: a SPIFFE certificate has exactly one");
        };
        let domain = spiffe::domain_of_workload(id)
            .ok_or("its SPIFFE id is malformed, or is not that of a workload")?;
        return Ok(((*id).to_owned(), Some(domain.to_owned())));
    }
    let issuer = facts.issuer.map(str::to_owned);
    if let Some(name) = facts.dns_names.iter().find(|name| is_host(name)) {
        return Ok((name.to_ascii_lowercase(), issuer));
    }
    let is_name = |name: &&str| {
        !name.is_empty() && name.len() <= MAX_COMMON_NAME && !name.chars().any(char::is_control)
    };
    let name = facts.subject.filter(is_name);
    let name = name.ok_or("it names nobody: it has no SPIFFE id, no DNS name and no common name")?;
    Ok((format!("CN={name}"), issuer))
}

/// Whether `name` is the DNS name of one host, which a wildcard is not.
fn is_host(name: &str) -> bool {
    let of_host = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    (1..=253).contains(&name.len()) && name.bytes().all(of_host)
}

/// Whether `pattern` is about `name`.
pub(super) fn covers(pattern: &str, name: &str) -> bool {
    // How far into the name the pattern so far may have come: every place that is true.
    let mut places = vec![false; name.len() + 1];
    if let Some(start) = places.first_mut() {
        *start = true;
    }
    let mut rest = pattern.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let is_star = byte == b'*';
        let beyond = after.strip_prefix(b"*").filter(|_| is_star);
        rest = beyond.unwrap_or(after);
        let mut carried = false;
        let mut next = vec![false; places.len()];
        for (at, place) in next.iter_mut().enumerate() {
            let here = places.get(at).copied().unwrap_or_default();
            let last = at.checked_sub(1).and_then(|before| name.as_bytes().get(before));
            if is_star {
                carried = here || (carried && (beyond.is_some() || last != Some(&b'/')));
                *place = carried;
            } else {
                let came = at.checked_sub(1).and_then(|before| places.get(before)).copied();
                *place = came.unwrap_or_default() && last == Some(&byte);
            }
        }
        places = next;
    }
    places.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(
        uris: &[&'static str],
        dns_names: &[&'static str],
        subject: &'static str,
    ) -> Result<String, String> {
        let facts = Facts {
            uris: uris.to_vec(),
            dns_names: dns_names.to_vec(),
            subject: Some(subject),
            issuer: Some("ca"),
            ..Facts::default()
        };
        let (name, issuer) = name(&facts)?;
        Ok(format!("{name} by {}", issuer.unwrap()))
    }

    #[test]
    fn holder_has_the_name_that_says_most() {
        let spiffe = "spiffe://acme.org/a";
        for (uris, dns_names, subject, expected) in [
            (&[spiffe][..], &["a.org"][..], "a", Ok("spiffe://acme.org/a by acme.org")),
            (&["urn:x", "urn:y"], &["*.org", "A.org"], "a", Ok("a.org by ca")),
            (&[], &["a org", "*.org"], "a b", Ok("CN=a b by ca")),
            (&[], &[], "spiffe://acme.org/a", Ok("CN=spiffe://acme.org/a by ca")),
            (&[spiffe, spiffe], &["a.org"], "a", Err("exactly one")),
            (&["urn:x", spiffe], &["a.org"], "a", Err("exactly one")),
            (&["spiffe://acme.org"], &["a.org"], "a", Err("malformed")),
            (&["SPIFFE://acme.org/a"], &["a.org"], "a", Err("malformed")),
            (&[], &[], "", Err("names nobody")),
            (&[], &[], "a\nb", Err("names nobody")),
        ] {
            let found = named(uris, dns_names, subject);
            match (&found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                _ => panic!("{found:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn pattern_covers_names() {
        for (pattern, name, expected) in [
            ("spiffe://acme.org/ns/prod/*", "spiffe://acme.org/ns/prod/a", true),
            ("spiffe://acme.org/ns/prod/*", "spiffe://acme.org/ns/prod/a/b", false),
            ("spiffe://acme.org/**", "spiffe://acme.org/ns/prod/a", true),
            ("spiffe://acme.org/**", "spiffe://acme.orgs/a", false),
            ("spiffe://*/sa/**/x", "spiffe://b/sa/1/2/x", true),
            ("*.acme.org", "a.b.acme.org", true),
            ("*.acme.org", "acme.org", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("CN=*", "CN=", true),
            ("", "", true),
            ("", "a", false),
            ("a", "A", false),
            ("*", "", true),
            ("**", "/", true),
            ("*", "/", false),
        ] {
            assert_eq!(covers(pattern, name), expected, "{pattern} and {name}");
        }
        assert!(!covers(&"*a".repeat(500), &"a".repeat(499)));
    }

    #[test]
    fn first_rule_about_a_name_gives_all_and_a_name_without_rule_gets_nothing() {
        let rule = |names: &str, role: &str| CertificateRule {
            names: names.to_owned(),
            roles: vec![role.to_owned()],
            tenants: Some(vec!["acme".to_owned()]),
            agent: true,
        };
        let rules = [rule("a.org", "first"), rule("*", "second")];
        let of = |name| {
            let facts = Facts { dns_names: vec![name], ..Facts::default() };
            holder(b"der", &facts, &rules[..]).unwrap()
        };
        assert_eq!((of("a.org").roles, of("b.org").roles), (vec!["first".into()], vec!["second".into()]));
        assert!(of("a.org").agent && of("a.org").tenants == Some(vec!["acme".to_owned()]));
        let facts = Facts { dns_names: vec!["c.org"], ..Facts::default() };
        let nobody = holder(b"der", &facts, &rules[..1]).unwrap();
        assert_eq!((nobody.roles.len(), nobody.tenants, nobody.agent), (0, None, false));
        assert_eq!(nobody.key.unwrap().len(), 64);
    }
}
