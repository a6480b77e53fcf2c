//! References between schemas: splitting and resolving URIs (RFC 3986 §5.2), as far as schemas need it.

/// The reference without its fragment, and the fragment without `#`, empty if there is none.
pub(super) fn split(reference: &str) -> (&str, &str) {
    reference.split_once('#').unwrap_or((reference, ""))
}

/// The scheme in lower case, if the reference has one.
pub(super) fn scheme(reference: &str) -> Option<String> {
    let (scheme, _) = reference.split_once(':')?;
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_scheme = begins && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme.then(|| scheme.to_ascii_lowercase())
}

/// The path of a URI with percent escapes resolved; `None` if an escape is damaged.
pub(super) fn path(uri: &str) -> Option<String> {
    let parts = Parts::of(uri);
    decode(parts.path)
}

/// `reference` (without fragment) as seen from `base`.
pub(super) fn resolve(base: &str, reference: &str) -> String {
    if reference.is_empty() {
        return base.to_owned();
    }
    let wanted = Parts::of(reference);
    if wanted.scheme.is_some() {
        return match wanted.authority.is_none() && !wanted.path.starts_with('/') {
            true => reference.to_owned(),
            false => Parts { path: &without_dots(wanted.path), ..wanted }.join(),
        };
    }
    let base = Parts::of(base);
    if wanted.authority.is_some() {
        return Parts { scheme: base.scheme, path: &without_dots(wanted.path), ..wanted }.join();
    }
    if wanted.path.is_empty() {
        return Parts { query: wanted.query.or(base.query), ..base }.join();
    }
    let path = if wanted.path.starts_with('/') {
        without_dots(wanted.path)
    } else {
        let directory = base.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        without_dots(&format!("{directory}/{}", wanted.path))
    };
    Parts { path: &path, query: wanted.query, ..base }.join()
}

/// `text` with its percent escapes resolved; `None` if one is damaged or the result is not UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[derive(Clone, Copy)]
struct Parts<'u> {
    scheme: Option<&'u str>,
    authority: Option<&'u str>,
    path: &'u str,
    query: Option<&'u str>,
}

impl<'u> Parts<'u> {
    fn of(uri: &'u str) -> Self {
        let (scheme, rest) = match (scheme(uri), uri.split_once(':')) {
            (Some(_), Some((scheme, rest))) => (Some(scheme), rest),
            _ => (None, uri),
        };
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                (Some(authority), path)
            }
            None => (None, rest),
        };
        Self { scheme, authority, path, query }
    }

    fn join(self) -> String {
        let scheme = self.scheme.map(|scheme| format!("{scheme}:")).unwrap_or_default();
        let authority = self.authority.map(|authority| format!("//{authority}")).unwrap_or_default();
        let query = self.query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{scheme}{authority}{}{query}", self.path)
    }
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(usize::from(path.starts_with('/'))).collect();
    let ends_in_directory = matches!(segments.last(), Some(&("." | "..")));
    for segment in segments {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    if ends_in_directory {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_from_their_base() {
        let cases = [
            ("cerbos:///a/b.json", "c.json", "cerbos:///a/c.json"),
            ("cerbos:///a/b.json", "/c.json", "cerbos:///c.json"),
            ("cerbos:///a/b.json", "../c/./d.json", "cerbos:///c/d.json"),
            ("cerbos:///a/b.json", "../../../c.json", "cerbos:///c.json"),
            ("cerbos:///a/b.json", "", "cerbos:///a/b.json"),
            ("cerbos:///a/b.json", "https://x/y/../z", "https://x/z"),
            ("https://example.com/root.json", "other", "https://example.com/other"),
            ("https://example.com", "other?q", "https://example.com/other?q"),
            ("https://example.com/a", "//host/b", "https://host/b"),
            ("https://example.com/a?x", "?y", "https://example.com/a?y"),
            ("urn:x:y", "urn:a:b", "urn:a:b"),
        ];
        for (base, reference, expected) in cases {
            assert_eq!(resolve(base, reference), expected, "{reference} from {base}");
        }
    }

    #[test]
    fn paths_are_decoded() {
        assert_eq!(path("cerbos:///a%2Fb.json?x").as_deref(), Some("/a/b.json"));
        assert_eq!(path("cerbos:///a%2").as_deref(), None);
        assert_eq!(path("cerbos:///%ff").as_deref(), None);
    }
}
