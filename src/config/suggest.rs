//! Did you mean: the known name nearest to one that is not known.

/// The candidate nearest to `name`, if it is near enough to be a slip: a third of its length, letter case aside.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (distance(&name, &candidate.to_ascii_lowercase()), candidate))
        .min()
        .filter(|(distance, candidate)| distance * 3 <= candidate.len())
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, removed or replaced to make one text of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (done, letter) in from.chars().enumerate() {
        let mut next = vec![done + 1];
        let mut left = done + 1;
        for ((target, diagonal), above) in to.iter().zip(&row).zip(row.iter().skip(1)) {
            left = (above + 1).min(left + 1).min(diagonal + usize::from(letter != *target));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_near_and_other_words_are_not() {
        let known = ["server.httpListenAddr", "audit.enabled", "engine.onError"];
        assert_eq!(nearest("server.httpListenAdr", known), Some("server.httpListenAddr"));
        assert_eq!(nearest("server.httplistenaddress", known), Some("server.httpListenAddr"));
        assert_eq!(nearest("engine.on_error", known), Some("engine.onError"));
        assert_eq!(nearest("database.url", known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("ab", ""), 2);
    }
}
