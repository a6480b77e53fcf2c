//! Whether a pattern of actions or kinds is about a name.

/// A pattern without a star is a name. A lone star is about everything; elsewhere one star stands for characters of
/// one segment, two for any.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    if !pattern.contains('*') {
        return pattern == name;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    rest_matches(&pattern, &name)
}

/// As the peer has it for the actions of a role policy: `?` stands for one character of a segment, and braces list
/// alternatives, also in a pattern without a star.
pub(super) fn matches_in_full(pattern: &str, name: &str) -> bool {
    if let Some((before, rest)) = pattern.split_once('{')
        && let Some((alternatives, after)) = rest.split_once('}')
    {
        return alternatives.split(',').any(|one| matches_in_full(&format!("{before}{one}{after}"), name));
    }
    if !pattern.contains('?') {
        return matches(pattern, name);
    }
    let letters = name.chars().filter(|c| *c != ':');
    letters.into_iter().any(|c| matches_in_full(&pattern.replacen('?', &c.to_string(), 1), name))
}

fn rest_matches(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', '*', rest @ ..] => (0..=name.len()).any(|skipped| rest_matches(rest, &name[skipped..])),
        ['*', rest @ ..] => {
            let segment = name.iter().position(|c| *c == ':').unwrap_or(name.len());
            (0..=segment).any(|skipped| rest_matches(rest, &name[skipped..]))
        }
        [c, rest @ ..] => name.first() == Some(c) && rest_matches(rest, &name[1..]),
    }
}
