//! From the syntax of RE2, which policies are written in, to that of the regular expressions used here.
//!
//! Two differences would let a pattern accept more text than its author means: `\d`, `\w`, `\s` and `\b` are ASCII
//! in RE2 and Unicode here, and some characters that RE2 takes literally inside a class are operators here.

/// The same pattern in the other syntax. What cannot be said there is left for the compiler to refuse.
pub(super) fn from_re2(pattern: &str) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars();
    let mut class = Class::Outside;
    while let Some(c) = chars.next() {
        class = match (c, class) {
            ('\\', Class::Outside) if chars.as_str().starts_with('Q') => {
                push_quoted(&mut out, &mut chars);
                Class::Outside
            }
            ('\\', class) => {
                push_escape(&mut out, chars.next(), class);
                if out.ends_with(['p', 'P', 'x']) && chars.as_str().starts_with('{') {
                    out.extend(chars.by_ref().take_while(|c| *c != '}'));
                    out.push('}');
                }
                class.after_member()
            }
            // A brace that begins no count means itself.
            ('{', Class::Outside) if !begins_count(chars.as_str()) => {
                out.push_str("\\{");
                Class::Outside
            }
            ('[', Class::Outside) => {
                out.push('[');
                if chars.as_str().starts_with('^') {
                    out.push('^');
                    chars.next();
                }
                Class::Start
            }
            ('[', _) => {
                push_bracket(&mut out, &mut chars);
                Class::Inside
            }
            (']', Class::Inside) => {
                out.push(']');
                Class::Outside
            }
            // The first member of a class may be a bracket.
            (']', Class::Start) => {
                out.push_str("\\]");
                Class::Inside
            }
            ('&' | '~', Class::Start | Class::Inside) | ('-', Class::Start) => {
                out.push('\\');
                out.push(c);
                Class::Inside
            }
            ('-', Class::Inside) if chars.as_str().starts_with('-') => {
                chars.next();
                out.push_str("-\\-");
                Class::Inside
            }
            (other, class) => {
                out.push(other);
                class.after_member()
            }
        };
    }
    out
}

#[derive(Clone, Copy)]
enum Class {
    Outside,
    /// Just after the opening bracket.
    Start,
    Inside,
}

impl Class {
    fn after_member(self) -> Class {
        match self {
            Class::Outside => Class::Outside,
            Class::Start | Class::Inside => Class::Inside,
        }
    }
}

fn push_escape(out: &mut String, escaped: Option<char>, class: Class) {
    let ascii = match escaped {
        Some('d') => "[0-9]",
        Some('D') => "[^0-9]",
        Some('s') => r"[\t\n\f\r ]",
        Some('S') => r"[^\t\n\f\r ]",
        Some('w') => "[0-9A-Za-z_]",
        Some('W') => "[^0-9A-Za-z_]",
        Some('b') if matches!(class, Class::Outside) => r"(?-u:\b)",
        Some(other) => {
            out.push('\\');
            out.push(other);
            return;
        }
        None => "\\",
    };
    out.push_str(ascii);
}

/// Whether `rest`, which follows a `{`, goes on as in `{2}`, `{2,}` or `{2,3}`.
fn begins_count(rest: &str) -> bool {
    let Some((count, _)) = rest.split_once('}') else { return false };
    let (least, most) = count.split_once(',').unwrap_or((count, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && is_number(least) && is_number(most)
}

/// What stands between `\Q` and `\E`, or the end, is meant literally.
fn push_quoted(out: &mut String, chars: &mut std::str::Chars<'_>) {
    let rest = chars.as_str().strip_prefix('Q').unwrap_or_default();
    let (literal, after) = rest.split_once(r"\E").unwrap_or((rest, ""));
    out.push_str(&regex::escape(literal));
    *chars = after.chars();
}

/// A `[` inside a class: the start of a named class such as `[:alpha:]`, or itself.
fn push_bracket(out: &mut String, chars: &mut std::str::Chars<'_>) {
    let rest = chars.as_str();
    let named = rest.strip_prefix(':').and_then(|name| name.find(":]")).and_then(|end| rest.get(..end + 3));
    match named {
        Some(name) => {
            out.push('[');
            out.push_str(name);
            *chars = rest.get(name.len()..).unwrap_or_default().chars();
        }
        None => out.push_str("\\["),
    }
}

#[cfg(test)]
mod tests {
    use super::from_re2;
    use crate::expr::functions::regex::compile;

    #[test]
    fn a_pattern_keeps_its_meaning() {
        let cases = [
            (r"^\d+$", "12", true),
            (r"^\d+$", "\u{663}", false),
            (r"^\w+$", "é", false),
            (r"^[\w.]+$", "a.b", true),
            (r"^\D$", "é", true),
            (r"^[^\s]$", "\u{a0}", true),
            (r"\bcat\b", "a cat", true),
            (r"\bcat", "écat", true),
            ("^.$", "é", true),
            ("^[[]$", "[", true),
            ("^[]a]+$", "]a", true),
            ("^[^]]$", "]", false),
            ("^[[:alpha:]-]+$", "a-b", true),
            ("^[a&&b]+$", "a&b", true),
            ("^[--/]$", ".", true),
            ("^[+--]$", ",", true),
            (r"^\[\]$", "[]", true),
            (r"^\\$", "\\", true),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            ("^a{,3}$", "a{,3}", true),
            ("^{$", "{", true),
            ("^a{$", "a{", true),
            ("^a{2,}$", "aaa", true),
            (r"^\p{Lu}\x{41}$", "ÉA", true),
        ];
        for (pattern, text, expected) in cases {
            let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(regex.is_match(text), expected, "{pattern} on {text}, as {}", from_re2(pattern));
        }
    }

    #[test]
    fn an_invalid_pattern_is_refused() {
        for pattern in ["(", "[", "[^", r"\", r"(?P<x", "(?=a)", r"(a)\1"] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}
