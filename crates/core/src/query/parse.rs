//! Filters as text.

use super::{Condition, Field};
use crate::limits::{FILTER_BYTES, FILTER_COMPARISONS, FILTER_DEPTH};
use crate::model::Timestamp;

/// What is wrong with a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {what}")]
pub struct FilterError {
    /// Where, in characters from 1.
    pub at: usize,
    /// What, and how to mend it.
    pub what: String,
}

/// White space: what it is in CEL, as every filter is an expression.
const SPACE: [char; 5] = [' ', '\t', '\n', '\r', '\u{c}'];

/// Reads a filter.
pub(super) fn parse(text: &str) -> Result<Condition, FilterError> {
    let mut parser = Parser { text, rest: text, depth: 0, comparisons: 0 };
    if text.len() > FILTER_BYTES {
        return Err(parser.error(format!("the filter is longer than {FILTER_BYTES} bytes")));
    }
    let condition = parser.any()?;
    if !parser.rest.is_empty() {
        return Err(parser.error("expected `&&`, `||` or the end of the filter"));
    }
    Ok(condition)
}

struct Parser<'t> {
    text: &'t str,
    rest: &'t str,
    depth: usize,
    comparisons: usize,
}

impl<'t> Parser<'t> {
    /// `all || all || …`
    fn any(&mut self) -> Result<Condition, FilterError> {
        let first = self.all()?;
        let mut parts = vec![first];
        while self.eat("||") {
            parts.push(self.all()?);
        }
        Ok(only(parts, Condition::Any))
    }

    /// `one && one && …`
    fn all(&mut self) -> Result<Condition, FilterError> {
        let first = self.one()?;
        let mut parts = vec![first];
        while self.eat("&&") {
            parts.push(self.one()?);
        }
        Ok(only(parts, Condition::All))
    }

    /// `!one`, `(any)` or a comparison.
    fn one(&mut self) -> Result<Condition, FilterError> {
        self.depth += 1;
        if self.depth > FILTER_DEPTH {
            return Err(self.error(format!("the filter is nested deeper than {FILTER_DEPTH}")));
        }
        let condition = if self.eat("!") {
            Condition::Not(Box::new(self.one()?))
        } else if self.eat("(") {
            let inner = self.any()?;
            self.expect(")")?;
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn comparison(&mut self) -> Result<Condition, FilterError> {
        let start = self.skip_space();
        let name = self.word();
        if name == "at" {
            return self.instant_comparison();
        }
        let Some(field) = Field::named(name) else {
            self.rest = start;
            let known = Field::ALL.map(Field::name).join("`, `");
            return Err(self.error(format!("expected a field: `at`, `{known}`")));
        };
        if self.eat("==") {
            self.is(field)
        } else if self.eat("!=") {
            Ok(Condition::Not(Box::new(self.is(field)?)))
        } else if self.eat(".startsWith(") {
            self.count()?;
            let prefix = self.string()?;
            self.expect(")")?;
            Ok(Condition::StartsWith(field, prefix.into()))
        } else if self.eat_word("in") {
            self.list(field)
        } else {
            Err(self.error(format!("expected `==`, `!=`, `in` or `.startsWith(` after `{name}`")))
        }
    }

    /// `["a", "b"]`
    fn list(&mut self, field: Field) -> Result<Condition, FilterError> {
        self.expect("[")?;
        let mut parts = Vec::new();
        while !self.eat("]") {
            if !parts.is_empty() {
                self.expect(",")?;
            }
            parts.push(self.is(field)?);
        }
        Ok(only(parts, Condition::Any))
    }

    fn is(&mut self, field: Field) -> Result<Condition, FilterError> {
        self.count()?;
        let start = self.skip_space();
        let text = self.string()?;
        Condition::is(field, &text).ok_or_else(|| {
            self.rest = start;
            self.error("expected the effect `allow` or `deny`")
        })
    }

    fn instant_comparison(&mut self) -> Result<Condition, FilterError> {
        self.count()?;
        let operator = [">=", "<=", ">", "<"].into_iter().find(|operator| self.eat(operator));
        let operator = operator.ok_or_else(|| self.error("expected `>=`, `>`, `<` or `<=` after `at`"))?;
        let start = self.skip_space();
        let text = self.string()?;
        let Some(at) = instant(&text) else {
            self.rest = start;
            return Err(self.error("expected an instant such as `2026-01-31T12:00:00Z`, or a date"));
        };
        // The next instant there is.
        let next = at.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX);
        Ok(match operator {
            ">=" => Condition::Since(at),
            ">" => Condition::Since(next),
            "<" => Condition::Not(Box::new(Condition::Since(at))),
            _ => Condition::Not(Box::new(Condition::Since(next))),
        })
    }

    /// A text in single or double quotes, in one line, with the escapes `\\`, `\"`, `\'`, `\n`, `\t`.
    fn string(&mut self) -> Result<String, FilterError> {
        self.skip_space();
        let unfinished = self.error("the text has no closing quote");
        let mut chars = self.rest.chars();
        let Some(quote) = chars.next().filter(|c| matches!(c, '"' | '\'')) else {
            return Err(self.error("expected a text in quotes"));
        };
        let mut text = String::new();
        loop {
            match chars.next() {
                Some(c) if c == quote => break,
                Some('\\') => match chars.next() {
                    Some(c @ ('\\' | '"' | '\'')) => text.push(c),
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    _ => {
                        self.rest = chars.as_str();
                        return Err(self.error("after `\\`, expected `\\`, a quote, `n` or `t`"));
                    }
                },
                Some(c) if !matches!(c, '\n' | '\r') => text.push(c),
                _ => return Err(unfinished),
            }
        }
        self.rest = chars.as_str();
        self.skip_space();
        Ok(text)
    }

    fn count(&mut self) -> Result<(), FilterError> {
        self.comparisons += 1;
        if self.comparisons > FILTER_COMPARISONS {
            return Err(self.error(format!("the filter has more than {FILTER_COMPARISONS} comparisons")));
        }
        Ok(())
    }

    /// Letters, as many as there are.
    fn word(&mut self) -> &'t str {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.skip_space();
        word
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let start = self.skip_space();
        let found = self.word() == word;
        if !found {
            self.rest = start;
        }
        found
    }

    fn eat(&mut self, token: &str) -> bool {
        let start = self.skip_space();
        let rest = start.strip_prefix(token);
        if let Some(rest) = rest {
            self.rest = rest;
            self.skip_space();
        }
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), FilterError> {
        if self.eat(token) { Ok(()) } else { Err(self.error(format!("expected `{token}`"))) }
    }

    fn skip_space(&mut self) -> &'t str {
        self.rest = self.rest.trim_start_matches(SPACE);
        self.rest
    }

    fn error(&self, what: impl Into<String>) -> FilterError {
        let before = self.text.len() - self.rest.len();
        let at = self.text.char_indices().take_while(|(offset, _)| *offset < before).count() + 1;
        FilterError { at, what: what.into() }
    }
}

/// The one part, or all of them together.
fn only(mut parts: Vec<Condition>, together: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.pop() {
        Some(part) if parts.is_empty() => part,
        last => {
            parts.extend(last);
            together(parts)
        }
    }
}

/// An instant, or the midnight in UTC at which a date begins.
fn instant(text: &str) -> Option<Timestamp> {
    text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()).ok()
}
