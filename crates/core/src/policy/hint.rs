//! Hints for misspelt names.

/// Longest name compared; longer ones are no slips of the hand.
const LONGEST: usize = 40;

/// "did you mean" for the name among `known` that is nearest to `name`, if one is near.
pub(crate) fn similar<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    if name.len() > LONGEST {
        return None;
    }
    let allowed = (name.chars().count() / 3).max(1);
    let near = known.into_iter().filter(|candidate| candidate.len() <= LONGEST);
    let best = near.map(|candidate| (distance(name, candidate), candidate)).min()?;
    (best.0 <= allowed).then(|| format!("did you mean `{}`?", best.1))
}

/// The nearest field, or else all fields that exist here.
pub(crate) fn fields(name: &str, known: &[&str]) -> String {
    similar(name, known.iter().copied()).unwrap_or_else(|| format!("known here: `{}`", known.join("`, `")))
}

/// How many characters to insert, remove or replace to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (to, above) in b.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(from != *to);
            left = replaced.min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
