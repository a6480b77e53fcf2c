//! "Did you mean": the known name nearest to an unknown one.

/// The name in `known` that takes the fewest edits to reach from `name`, if they are few for its length.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let limit = 1 + name.len() / 4;
    let candidates = known.into_iter().filter(|k| k.len().abs_diff(name.len()) <= limit && *k != name);
    let ranked = candidates.map(|k| (distance(name, k), k)).filter(|(edits, _)| *edits <= limit);
    ranked.min().map(|(_, k)| k)
}

/// Insertions, deletions and replacements between two names, ignoring case.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (pair, y) in row.windows(2).zip(&b) {
            let (diagonal, above) = (pair.first().copied().unwrap_or(0), pair.last().copied().unwrap_or(0));
            let replaced = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            left = replaced.min(left + 1).min(above + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_proposed_and_nothing_far() {
        let known = ["principal", "resource", "context"];
        assert_eq!(nearest("principle", known), Some("principal"));
        assert_eq!(nearest("Resource", known), Some("resource"));
        assert_eq!(nearest("x", known), None);
        assert_eq!(nearest(&"principal".repeat(100), known), None);
    }
}
