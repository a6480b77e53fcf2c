//! How policies are named in decisions.

use super::PolicyKind;

/// The name that decisions carry: `resource.<kind>.v<version>`, and `/<scope>` unless the scope is the root.
#[must_use]
pub fn policy_name(kind: PolicyKind, subject: &str, version: &str, scope: &str) -> String {
    let kind = match kind {
        PolicyKind::Resource => "resource",
        PolicyKind::Principal => "principal",
        PolicyKind::Role => "role",
    };
    let name = format!("{kind}.{}.v{}", sanitise(subject), sanitise(version));
    if scope.is_empty() { name } else { format!("{name}/{scope}") }
}

/// A name as decisions print it. Names of the form that old versions of the peer demanded (segments that begin
/// with a letter, joined by `:`) get `_` for each run of other characters than letters, digits, `_` and `.`.
#[must_use]
pub fn sanitise(name: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_old_segment = |segment: &str| {
        segment.starts_with(|c: char| c.is_ascii_alphabetic())
            && segment.chars().all(|c| is_word(c) || matches!(c, '@' | '.' | '-' | '/'))
    };
    if !name.split(':').all(is_old_segment) {
        return name.to_owned();
    }
    let mut printed = String::with_capacity(name.len());
    let mut in_run = false;
    for c in name.chars() {
        let kept = is_word(c) || c == '.';
        if kept {
            printed.push(c);
        } else if !in_run {
            printed.push('_');
        }
        in_run = !kept;
    }
    printed
}
