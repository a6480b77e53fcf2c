//! The syntax of scopes, the same in requests, policies and configuration, and whose they are.

/// Whether `text` is a scope: segments of letters, digits, `_` and `-`, separated by dots, `acme.hr.uk`; a lone dot,
/// which says that the root is meant; or empty.
///
/// The peer's rule: `^(^$|\.|[0-9a-zA-Z][\w\-]*(\.\w[\w\-]*)*)$`.
#[must_use]
pub fn is_scope(text: &str) -> bool {
    let is_segment = |segment: &str| {
        let mut bytes = segment.bytes();
        bytes.next().is_some_and(is_word) && bytes.all(|byte| is_word(byte) || byte == b'-')
    };
    text.is_empty() || text == "." || (!text.starts_with('_') && text.split('.').all(is_segment))
}

/// The scope that `written` stands for: a leading `.`, as in `.` for the root itself, is not part of its name.
#[must_use]
pub fn scope_name(written: &str) -> &str {
    written.strip_prefix('.').unwrap_or(written)
}

/// The tenant that a scope belongs to: its topmost segment. `None` for the root, which is of no tenant.
#[must_use]
pub fn tenant_of(scope: &str) -> Option<&str> {
    scope_name(scope).split('.').next().filter(|tenant| !tenant.is_empty())
}

/// Whether `text` is the name of a tenant: a scope of one segment.
#[must_use]
pub fn is_tenant(text: &str) -> bool {
    is_scope(text) && tenant_of(text) == Some(text)
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_dotted_words() {
        for good in ["", ".", "acme", "acme.hr.uk", "0a-b._c", "a._"] {
            assert!(is_scope(good), "{good}");
        }
        for bad in ["acme.", ".acme", "..", "a..b", "_a", "-a", "a.-b", "a b", "ä"] {
            assert!(!is_scope(bad), "{bad}");
        }
    }

    #[test]
    fn tenant_is_the_topmost_segment_and_the_root_has_none() {
        for (scope, tenant) in [
            ("", None),
            (".", None),
            ("acme", Some("acme")),
            (".acme", Some("acme")),
            ("acme.hr.uk", Some("acme")),
        ] {
            assert_eq!(tenant_of(scope), tenant, "{scope}");
            assert_eq!(is_tenant(scope), tenant == Some(scope), "{scope}");
        }
    }
}
