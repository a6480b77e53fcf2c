//! Patterns of paths: `*` any characters but `/`, `?` one of them, `[a-z]` and `[^a-z]` one of or none of a class.

/// Whether the whole path fits; `None` when the pattern is malformed.
pub(super) fn matches(pattern: &str, path: &str) -> Option<bool> {
    let pattern = parse(pattern)?;
    let path: Vec<char> = path.chars().collect();
    Some(fits(&pattern, &path))
}

enum Part {
    Star,
    AnyOne,
    One(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// Where to go on when a try fails: the star takes one character more.
struct Retry {
    part: usize,
    at: usize,
}

fn fits(pattern: &[Part], path: &[char]) -> bool {
    let (mut part, mut at) = (0, 0);
    let mut retry: Option<Retry> = None;
    loop {
        match (pattern.get(part), path.get(at)) {
            (None, None) => return true,
            (Some(Part::Star), _) => {
                part += 1;
                retry = Some(Retry { part, at });
                continue;
            }
            (Some(one), Some(c)) if one.accepts(*c) => {
                part += 1;
                at += 1;
                continue;
            }
            _ => {}
        }
        let Some(star) = &mut retry else { return false };
        if path.get(star.at).is_none_or(|c| *c == '/') {
            return false;
        }
        star.at += 1;
        (part, at) = (star.part, star.at);
    }
}

impl Part {
    fn accepts(&self, c: char) -> bool {
        match self {
            Part::Star => false,
            Part::AnyOne => c != '/',
            Part::One(wanted) => c == *wanted,
            Part::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

fn parse(pattern: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '*' => Part::Star,
            '?' => Part::AnyOne,
            '[' => parse_class(&mut chars)?,
            other => Part::One(other),
        });
    }
    Some(parts)
}

/// The rest of a class after its `[`; it has at least one range, and `-` only inside a range.
fn parse_class(chars: &mut std::str::Chars<'_>) -> Option<Part> {
    let negated = chars.as_str().starts_with('^');
    if negated {
        chars.next();
    }
    let mut ranges = Vec::new();
    loop {
        let low = match chars.next()? {
            ']' if !ranges.is_empty() => return Some(Part::Class { negated, ranges }),
            ']' | '-' => return None,
            low => low,
        };
        if !chars.as_str().starts_with('-') {
            ranges.push((low, low));
            continue;
        }
        chars.next();
        match chars.next()? {
            ']' | '-' => return None,
            high => ranges.push((low, high)),
        }
    }
}
