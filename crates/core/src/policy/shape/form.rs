//! The texts that a field takes: the pattern for editors, and the same as code.

/// The form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Form {
    /// Any text, also none.
    Any,
    /// Any text but none.
    Given,
    /// A CEL expression.
    Expression,
    /// Exactly this text.
    Exactly(&'static str),
    /// The name of a kind of resource, a principal or a role.
    NoGlob,
    /// A version.
    Word,
    /// A version that may be left empty.
    WordOrEmpty,
    /// The name of a file that others import, or of a derived role.
    SetName,
    /// The name of a rule, or none.
    RuleName,
    /// A scope, or none.
    Scope,
    /// An instant as in RFC 3339.
    Instant,
    /// A duration such as `90s`, `15m` or `1h30m`.
    Duration,
}

impl Form {
    /// Whether `text` is of this form.
    pub(in crate::policy) fn holds(self, text: &str) -> bool {
        match self {
            Form::Any | Form::Expression | Form::Instant => true,
            Form::Given => !text.is_empty(),
            Form::Exactly(wanted) => text == wanted,
            Form::NoGlob => !text.is_empty() && !text.contains(['!', '*', '?', '[', ']', '{', '}']),
            Form::Word => !text.is_empty() && text.chars().all(is_word_char),
            Form::WordOrEmpty => text.chars().all(is_word_char),
            Form::SetName => {
                !text.is_empty() && text.chars().all(|c| is_word_char(c) || matches!(c, '-' | '.'))
            }
            Form::RuleName => text.is_empty() || is_rule_name(text),
            Form::Scope => is_scope(text),
            Form::Duration => duration(text).is_some(),
        }
    }

    /// The form as a regular expression of ECMA-262, if it is one.
    pub(in crate::policy) fn pattern(self) -> Option<String> {
        let pattern = match self {
            Form::Any | Form::Expression | Form::Instant | Form::Exactly(_) => return None,
            Form::Given => "^[\\s\\S]",
            Form::NoGlob => "^[^!*?\\[\\]{}]+$",
            Form::Word => "^\\w+$",
            Form::WordOrEmpty => "^\\w*$",
            Form::SetName => "^[\\w\\-.]+$",
            Form::RuleName => "^([a-zA-Z][\\w@.\\-]*)?$",
            Form::Scope => "^(|\\.|[0-9a-zA-Z][\\w\\-]*(\\.\\w[\\w\\-]*)*)$",
            Form::Duration => {
                "^([0-9]{1,9}h([0-9]{1,9}m)?([0-9]{1,9}s)?|[0-9]{1,9}m([0-9]{1,9}s)?|[0-9]{1,9}s)$"
            }
        };
        Some(pattern.to_owned())
    }

    /// How to write it.
    pub(in crate::policy) fn hint(self) -> Option<String> {
        let hint = match self {
            Form::Any | Form::Expression | Form::Given | Form::Instant => return None,
            Form::Exactly(text) => return Some(format!("write `{text}`")),
            Form::NoGlob => "none of `! * ? [ ] { }` may occur",
            Form::Word | Form::WordOrEmpty => "only letters, digits and `_` may occur",
            Form::SetName => "only letters, digits, `_`, `-` and `.` may occur",
            Form::RuleName => "begin with a letter; then letters, digits, `_`, `-`, `.` and `@`",
            Form::Scope => "write names of letters, digits, `_` and `-`, separated by single `.`",
            Form::Duration => "write hours, minutes and seconds, such as `90s`, `15m` or `1h30m`",
        };
        Some(hint.to_owned())
    }
}

/// The seconds of a [`Form::Duration`].
pub(in crate::policy) fn duration(text: &str) -> Option<u64> {
    const UNITS: [(char, u64); 3] = [('h', 3600), ('m', 60), ('s', 1)];
    let mut rest = text;
    let mut seconds: u64 = 0;
    for (unit, factor) in UNITS {
        if let Some((number, after)) = rest.split_once(unit) {
            let digits = number.bytes().all(|b| b.is_ascii_digit()) && number.len() <= 9;
            let number: u64 = number.parse().ok().filter(|_| digits)?;
            seconds = seconds.checked_add(number.checked_mul(factor)?)?;
            rest = after;
        }
    }
    (rest.is_empty() && !text.is_empty()).then_some(seconds)
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_rule_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| is_word_char(c) || matches!(c, '@' | '.' | '-'))
}

fn is_scope(text: &str) -> bool {
    let is_segment = |segment: &str| {
        segment.starts_with(is_word_char) && segment.chars().all(|c| is_word_char(c) || c == '-')
    };
    text.is_empty() || text == "." || (!text.starts_with('_') && text.split('.').all(is_segment))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::{Form, duration};

    const PATTERNED: [Form; 8] = [
        Form::Given,
        Form::NoGlob,
        Form::Word,
        Form::WordOrEmpty,
        Form::SetName,
        Form::RuleName,
        Form::Scope,
        Form::Duration,
    ];

    proptest! {
        #[test]
        fn pattern_and_code_say_the_same(text in "[a-c0-2_.@*!é hms\\-]{0,7}") {
            for form in PATTERNED {
                // `\w` of ECMA-262 is ASCII.
                let pattern = form.pattern().unwrap().replace("[\\w", "[a-zA-Z0-9_").replace("\\w", "[a-zA-Z0-9_]");
                let matches = Regex::new(&pattern).unwrap().is_match(&text);
                prop_assert_eq!(form.holds(&text), matches, "{:?} {:?} {}", form, text, pattern);
            }
        }
    }

    #[test]
    fn durations_are_read_in_seconds() {
        let cases = [
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("1h30m", Some(5400)),
            ("1h2m3s", Some(3723)),
            ("0s", Some(0)),
            ("", None),
            ("5", None),
            ("m", None),
            ("3s1h", None),
            ("-5s", None),
            ("1.5h", None),
            ("9999999999s", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(duration(text), seconds, "{text}");
        }
    }
}
