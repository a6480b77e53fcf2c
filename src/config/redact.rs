//! What of a value must not be shown to people: credentials and queries of URLs.

use std::borrow::Cow;

/// What stands for what is not shown.
pub(super) const NOT_SHOWN: &str = "(not shown)";

/// `text` without what may be secret, if it is a URL: user and password, and the query, which may hold a key.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else { return Cow::Borrowed(text) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(_, host)| (NOT_SHOWN, host));
    let at = if user.is_empty() { "" } else { "@" };
    match path.split_once(['?', '#']) {
        Some((path, _)) => Cow::Owned(format!("{scheme}://{user}{at}{host}{path}?{NOT_SHOWN}")),
        None if user.is_empty() => Cow::Borrowed(text),
        None => Cow::Owned(format!("{scheme}://{user}{at}{host}{path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_queries_of_urls_are_not_shown() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a@b", "a@b"),
            ("https://host/keys", "https://host/keys"),
            ("https://user:word@host/keys", "https://(not shown)@host/keys"),
            ("https://token@host", "https://(not shown)@host"),
            ("https://a@b@host/x", "https://(not shown)@host/x"),
            ("https://host/keys?code=word", "https://host/keys?(not shown)"),
            ("https://u:p@host?code=word", "https://(not shown)@host?(not shown)"),
            ("https://host/a@b", "https://host/a@b"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
