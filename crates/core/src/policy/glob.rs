//! Patterns over names whose segments are separated by `:`, such as actions.
//!
//! | pattern | stands for |
//! |---|---|
//! | `*` | any characters within a segment, also none |
//! | `**` | any characters, across segments; `:**:` also stands for a single `:` |
//! | `?` | one character that is not `:` |
//! | `[abc]` `[a-c]` `[!abc]` | one of these, one in this range, one that is none of these |
//! | `{a,b*}` | either pattern |
//! | `\x` | the character `x` itself |
//!
//! The rules are the peer's, as recorded from it.

use std::iter::once;
use std::sync::Arc;

use crate::limits::{BYTES_PER_COST_UNIT, GLOB_CHARS, GLOB_DEPTH};

/// A parsed pattern. Matching takes time proportional to pattern times name, whatever the pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glob {
    source: Arc<str>,
    tokens: Arc<[Token]>,
    /// How many tokens, branches and ranges there are in all.
    steps: usize,
}

/// Why a text is no pattern: lower-case, no final stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GlobError(String);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Char(char),
    One,
    Segment,
    Any,
    Class { negated: bool, ranges: Vec<(char, char)> },
    Either(Vec<Vec<Token>>),
}

impl Glob {
    /// Parses `source`.
    pub fn parse(source: &str) -> Result<Self, GlobError> {
        if source.chars().count() > GLOB_CHARS {
            return Err(GlobError(format!("a pattern has at most {GLOB_CHARS} characters")));
        }
        let mut parser = Parser { rest: source.chars().collect::<Vec<_>>().into_iter().peekable(), depth: 0 };
        let tokens = parser.sequence()?;
        Ok(Self { source: source.into(), steps: steps(&tokens), tokens: tokens.into() })
    }

    /// The pattern as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Cost units that comparing with `name` takes at most: every token may look at every character.
    #[must_use]
    pub fn cost(&self, name: &str) -> usize {
        1 + self.steps.saturating_mul(name.len()) / BYTES_PER_COST_UNIT
    }

    /// Whether the whole of `name` fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        // Most patterns are a few characters and then one `*`, and most names differ in the first of these.
        let mut name = name.chars();
        let mut tokens = &*self.tokens;
        while let [Token::Char(wanted), rest @ ..] = tokens {
            if name.next() != Some(*wanted) {
                return false;
            }
            tokens = rest;
        }
        match tokens {
            [] => name.next().is_none(),
            [Token::Any] => true,
            [Token::Segment] => !name.as_str().contains(':'),
            _ => reaches_end(tokens, name.as_str()),
        }
    }
}

fn reaches_end(tokens: &[Token], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let start = once(true).chain(name.iter().map(|_| false)).collect();
    advance_all(tokens, &name, start).last().is_some_and(|end| *end)
}

fn steps(tokens: &[Token]) -> usize {
    let of = |token: &Token| match token {
        Token::Char(_) | Token::One | Token::Segment | Token::Any => 1,
        Token::Class { ranges, .. } => 1 + ranges.len(),
        Token::Either(branches) => branches.iter().map(|branch| 1 + steps(branch)).sum(),
    };
    tokens.iter().map(of).sum()
}

/// The positions in `name` that can be reached from `from` through all of `tokens`: no backtracking.
fn advance_all(tokens: &[Token], name: &[char], from: Vec<bool>) -> Vec<bool> {
    tokens.iter().fold(from, |reached, token| advance(token, name, &reached))
}

fn advance(token: &Token, name: &[char], from: &[bool]) -> Vec<bool> {
    match token {
        Token::Char(wanted) => pass_one(name, from, |c| c == *wanted),
        Token::One => pass_one(name, from, |c| c != ':'),
        Token::Class { negated, ranges } => {
            pass_one(name, from, |c| ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated)
        }
        Token::Segment => pass_many(name, from, |c| c != ':'),
        Token::Any => pass_many(name, from, |_| true),
        Token::Either(branches) => {
            let mut reached = vec![false; from.len()];
            for branch in branches {
                let ends = advance_all(branch, name, from.to_vec());
                reached.iter_mut().zip(ends).for_each(|(here, end)| *here |= end);
            }
            reached
        }
    }
}

fn pass_one(name: &[char], from: &[bool], accepts: impl Fn(char) -> bool) -> Vec<bool> {
    once(false).chain(from.iter().zip(name).map(|(here, c)| *here && accepts(*c))).collect()
}

fn pass_many(name: &[char], from: &[bool], accepts: impl Fn(char) -> bool) -> Vec<bool> {
    let mut reached = false;
    let characters_before = once(None).chain(name.iter().map(Some));
    let positions = from.iter().zip(characters_before).map(|(here, before)| {
        reached = *here || (reached && before.is_some_and(|c| accepts(*c)));
        reached
    });
    positions.collect()
}

struct Parser {
    rest: std::iter::Peekable<std::vec::IntoIter<char>>,
    depth: usize,
}

impl Parser {
    /// Tokens up to the end of the text or, within braces, up to `,` or `}`.
    fn sequence(&mut self) -> Result<Vec<Token>, GlobError> {
        let mut tokens = Vec::new();
        while let Some(c) = self.rest.next_if(|c| self.depth == 0 || !matches!(c, ',' | '}')) {
            match c {
                '*' if matches!(tokens.last(), Some(Token::Segment | Token::Any)) => {
                    tokens.pop();
                    tokens.push(Token::Any);
                }
                '*' => tokens.push(Token::Segment),
                '?' => tokens.push(Token::One),
                '[' => tokens.push(self.class()?),
                '{' => tokens.push(self.either()?),
                '\\' => tokens.extend(self.rest.next().map(Token::Char)),
                ':' => push_separator(&mut tokens),
                _ => tokens.push(Token::Char(c)),
            }
        }
        Ok(tokens)
    }

    fn either(&mut self) -> Result<Token, GlobError> {
        if self.depth == GLOB_DEPTH {
            return Err(GlobError(format!("braces nest at most {GLOB_DEPTH} deep")));
        }
        if self.rest.peek() == Some(&'}') {
            return Err(GlobError("`{}` names no alternative".into()));
        }
        self.depth += 1;
        let mut branches = Vec::new();
        loop {
            branches.push(self.sequence()?);
            match self.rest.next() {
                Some(',') => {}
                Some(_) => break,
                None => {
                    return Err(GlobError(
                        "`{` is never closed; write `\\{` for the character itself".into(),
                    ));
                }
            }
        }
        self.depth -= 1;
        Ok(Token::Either(branches))
    }

    fn class(&mut self) -> Result<Token, GlobError> {
        let negated = self.rest.next_if_eq(&'!').is_some();
        let mut members = Vec::new();
        loop {
            match self.rest.next() {
                Some(']') => break,
                Some('\\') => members.extend(self.rest.next()),
                Some(c) => members.push(c),
                None => {
                    return Err(GlobError(
                        "`[` is never closed; write `\\[` for the character itself".into(),
                    ));
                }
            }
        }
        let ranges = match members.as_slice() {
            [] => return Err(GlobError("`[]` names no character".into())),
            [low, '-', high] if low <= high => vec![(*low, *high)],
            single if !single.contains(&'-') => single.iter().map(|c| (*c, *c)).collect(),
            _ => {
                return Err(GlobError(
                    "`[...]` holds either characters, `[abc]`, or one range, `[a-c]`".into(),
                ));
            }
        };
        Ok(Token::Class { negated, ranges })
    }
}

/// `:**:` also stands for one separator: `a:**:b` matches `a:b`.
fn push_separator(tokens: &mut Vec<Token>) {
    if !matches!(tokens.as_slice(), [.., Token::Char(':'), Token::Any]) {
        return tokens.push(Token::Char(':'));
    }
    tokens.truncate(tokens.len().saturating_sub(2));
    let separator = Token::Char(':');
    tokens.push(Token::Either(vec![vec![separator.clone()], vec![separator.clone(), Token::Any, separator]]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names_as_the_peer_does() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("view:*", &["view:", "view:a"], &["view", "view:a:b", "xview:a"]),
            ("edit*", &["edit", "editor"], &["edit:all", "re-edit"]),
            ("*:public", &["a:public", ":public"], &["a:b:public", "public"]),
            ("s:**", &["s:", "s:a", "s:a:b"], &["s", "t:a"]),
            ("t**u", &["tu", "t:u", "txu", "ta:bu"], &["t", "tux"]),
            ("**", &["", "x", "x:y:z"], &[]),
            ("a:**:b", &["a:b", "a::b", "a:x:b", "a:x:y:b"], &["b", "ab", "a:xb", "ax:b", "a"]),
            ("**:b", &[":b", "a:b", "a:x:b"], &["b", "ab"]),
            ("a:*:b", &["a::b", "a:x:b"], &["a:b", "a:x:y:b"]),
            ("a?c*", &["abc", "a?c", "abcd"], &["a:c", "ac", "abcd:e"]),
            ("{x,y}:*", &["x:1", "y:"], &["{x,y}:1", "z:1"]),
            ("{a:**:b,c}*", &["a:b", "a:x:b", "c"], &["a", "b"]),
            ("{a,{b,c}d}*", &["a", "bd", "cd", "adx"], &["b", "xa"]),
            ("h{,i}j*", &["hj", "hij"], &["h{,i}j", "hi"]),
            ("[pq]1*", &["p1", "q1x"], &["r1", "[pq]1"]),
            ("[a-c]5*", &["a5", "b5"], &["d5"]),
            ("[!mn]2*", &["k2", ":2"], &["m2", "2"]),
            ("*[^a]b", &["ab", "^b"], &["cb"]),
            ("esc\\**", &["esc*"], &["escx", "esc\\*"]),
            ("x}y*", &["x}y", "x}yz"], &["xy"]),
            ("x,y*", &["x,y"], &["x"]),
            ("tail*\\", &["tail", "tail\\"], &["tai"]),
            ("*é?", &["éx", "aéü"], &["é", "é:"]),
        ];
        for (pattern, fits, others) in cases {
            let glob = Glob::parse(pattern).unwrap();
            fits.iter().for_each(|name| assert!(glob.matches(name), "`{pattern}` should match `{name}`"));
            others
                .iter()
                .for_each(|name| assert!(!glob.matches(name), "`{pattern}` should not match `{name}`"));
            let names = fits.iter().chain(*others);
            names.for_each(|name| assert_eq!(glob.matches(name), reaches_end(&glob.tokens, name), "{name}"));
        }
    }

    #[test]
    fn broken_patterns_are_refused() {
        for pattern in ["un{b*", "x[ab*", "[]*", "{}*", "[a-cx]*", "[a-]*", "[c-a]*", "[!"] {
            assert!(Glob::parse(pattern).is_err(), "{pattern}");
        }
        assert!(Glob::parse(&"{".repeat(100)).is_err());
        assert!(Glob::parse(&"*".repeat(GLOB_CHARS + 1)).is_err());
    }

    #[test]
    fn a_pattern_made_to_blow_up_is_answered_at_once() {
        let glob = Glob::parse(&format!("{}b", "{a*,**a}".repeat(60))).unwrap();
        assert!(!glob.matches(&"a".repeat(4_000)));
    }
}
