//! What says who may call, and what must not be relied on any more.

use std::collections::BTreeSet;

use procura::callers::KeyEntry;
use procura::fuzzing::{quarantine, tls};

/// Most characters of a pattern and of a name that are compared with the slow way.
const MOST: usize = 24;

/// The file of API keys. What is taken of it has one id for each key, a hash of each, and no role of those without one.
pub(crate) fn api_keys(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(entries) = KeyEntry::read(&text) else { return };
    let ids: BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids.len(), entries.len(), "an id is there twice");
    for entry in &entries {
        let digits = entry.hash.strip_prefix("sha256:").expect("a hash");
        assert!(digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{digits}");
        assert!(!entry.id.is_empty() && !entry.name.is_empty(), "a key of nobody");
        assert!(entry.roles.iter().all(|role| role != "local" && role != "anonymous"), "{:?}", entry.roles);
        let tenants = entry.tenants.as_ref();
        let is_tenant = |tenant: &String| !tenant.is_empty() && !tenant.contains('.');
        assert!(tenants.is_none_or(|all| !all.is_empty() && all.iter().all(is_tenant)), "{tenants:?}");
    }
}

/// The file of quarantines: whether its last line is made right, then its text. Nobody makes one up that is right.
pub(crate) fn quarantine(data: &[u8]) {
    let Some((mode, text)) = data.split_first() else { return };
    let is_sealed = mode & 1 == 1;
    let read = quarantine::read(text, is_sealed);
    assert!(is_sealed || read.is_none(), "a file that somebody has changed is taken");
}

/// The names of a rule about certificates, and a name. The slow way comes to the same.
pub(crate) fn names(data: &[u8]) {
    let parts: Vec<_> = crate::parts(data).take(2).collect();
    let [names, name] = parts.as_slice() else { return };
    let is_about = tls::is_about(names, name);
    if names.len() <= MOST && name.len() <= MOST {
        assert_eq!(is_about, is_about_slowly(names.as_bytes(), name.as_bytes()), "`{names}` and `{name}`");
    }
}

fn is_about_slowly(names: &[u8], name: &[u8]) -> bool {
    let Some((first, rest)) = names.split_first() else { return name.is_empty() };
    if *first != b'*' {
        return name.split_first().is_some_and(|(byte, after)| byte == first && is_about_slowly(rest, after));
    }
    let all = rest.strip_prefix(b"*");
    let segment = name.iter().take_while(|byte| all.is_some() || **byte != b'/').count();
    (0..=segment).any(|taken| is_about_slowly(all.unwrap_or(rest), &name[taken..]))
}
