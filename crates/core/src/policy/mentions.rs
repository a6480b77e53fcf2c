//! Which variables the text of an expression mentions, to put definitions in order before any is compiled.
//!
//! This only reads tokens. What it misses or takes too much never leads to a wrong program: the compiler of
//! expressions knows only the variables that come before.

/// The names after `V.` and `variables.` in `source`.
pub(super) fn variables(source: &str) -> Vec<&str> {
    let tokens = tokens(source);
    let mut names = Vec::new();
    let mut rest = tokens.as_slice();
    let mut previous = None;
    while let [first, tail @ ..] = rest {
        if matches!(first, Token::Word("V" | "variables")) && previous != Some(&Token::Mark('.')) {
            match tail {
                [Token::Mark('.'), Token::Word(name), ..]
                | [Token::Mark('.'), Token::Mark('?'), Token::Word(name), ..]
                | [Token::Mark('['), Token::Text(name), ..]
                | [Token::Mark('['), Token::Mark('?'), Token::Text(name), ..] => names.push(*name),
                _ => {}
            }
        }
        previous = Some(first);
        rest = tail;
    }
    names
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'s> {
    Word(&'s str),
    /// A string literal, without its quotes.
    Text(&'s str),
    Mark(char),
}

fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        if first == '"' || first == '\'' {
            let is_raw = matches!(tokens.last(), Some(Token::Word("r" | "R")));
            let (text, after) = literal(rest, first, is_raw);
            tokens.push(Token::Text(text));
            rest = after;
        } else if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            tokens.push(Token::Word(word));
            rest = after;
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Mark(first));
            }
            rest = rest.split_at(first.len_utf8()).1;
        }
    }
    tokens
}

/// The string literal at the beginning of `source`, and what follows it.
fn literal(source: &str, quote: char, is_raw: bool) -> (&str, &str) {
    let triple = quote.to_string().repeat(3);
    let delimiter = if source.starts_with(&triple) { triple.as_str() } else { source.split_at(1).0 };
    let body = source.split_at(delimiter.len()).1;
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        let (text, after) = body.split_at(at);
        if escaped {
            escaped = false;
        } else if c == '\\' && !is_raw {
            escaped = true;
        } else if let Some(after) = after.strip_prefix(delimiter) {
            return (text, after);
        }
    }
    (body, "")
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::variables;

    #[test]
    fn names_after_the_variable_map_are_found() {
        let cases: [(&str, &[&str]); 9] = [
            ("V.a + variables.b", &["a", "b"]),
            ("V . a", &["a"]),
            ("V['a'] == V[\"b\"]", &["a", "b"]),
            ("V.?a.orValue(1)", &["a"]),
            ("request.V.a + xV.a + V2.a", &[]),
            ("'V.a' + \"V.b\" + '''V.c''' + r'\\' + V.d", &["d"]),
            ("'it\\'s V.a' + V.b // V.c\n+ V.d", &["b", "d"]),
            ("'unclosed V.a", &[]),
            ("", &[]),
        ];
        for (source, expected) in cases {
            assert_eq!(variables(source), expected, "{source}");
        }
    }
}
