//! What begins with a backslash: classes such as `\d` and `\pL`, and characters such as `\n`, `\.` and `\x{41}`.

/// Writes `c` so that it stands for itself, inside classes and outside.
pub(super) fn push_literal(out: &mut String, c: char) {
    if c.is_ascii_alphanumeric() || !c.is_ascii() {
        out.push(c);
    } else {
        out.push_str(&format!("\\x{:02X}", u32::from(c)));
    }
}

/// The class of characters that `text` begins with, in the other syntax, and its length.
pub(super) fn class(text: &str) -> Result<Option<(String, usize)>, String> {
    let ascii = match text.chars().nth(1) {
        Some('d') => "[0-9]",
        Some('D') => "[^0-9]",
        Some('s') => r"[\t\n\f\r ]",
        Some('S') => r"[^\t\n\f\r ]",
        Some('w') => "[0-9A-Za-z_]",
        Some('W') => "[^0-9A-Za-z_]",
        Some('p' | 'P') => return unicode(text).map(Some),
        _ => return Ok(None),
    };
    Ok(Some((ascii.to_owned(), 2)))
}

/// `\pL`, `\p{Greek}`, `\p{^Greek}` or `\P{Greek}`.
fn unicode(text: &str) -> Result<(String, usize), String> {
    let wrong = |written: &str| Err(format!("invalid character class range: `{written}`"));
    let rest = text.get(2..).unwrap_or_default();
    let (name, length) = match (rest.chars().next(), rest.find('}')) {
        (Some('{'), Some(end)) => (rest.get(1..end).unwrap_or_default(), end + 1),
        (None | Some('{'), _) => return wrong(text),
        (Some(c), _) => (rest.get(..c.len_utf8()).unwrap_or_default(), c.len_utf8()),
    };
    let written = text.get(..2 + length).unwrap_or(text);
    let negated = name.starts_with('^') != written.starts_with(r"\P");
    let name = name.strip_prefix('^').unwrap_or(name);
    let class = format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' });
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let known = plain && (name.len() != 1 || "CLMNPSZ".contains(name));
    if known { Ok((class, written.len())) } else { wrong(written) }
}

/// The character that the escape at the start of `text` stands for, and the length of the escape.
pub(super) fn character(text: &str) -> Result<(char, usize), String> {
    let mut chars = text.chars();
    chars.next();
    let Some(c) = chars.next() else {
        return Err("trailing backslash at end of expression: ``".to_owned());
    };
    let found = match c {
        'a' => Some('\u{7}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        'x' => hexadecimal(&mut chars),
        '0' => octal(c, &mut chars),
        // A single digit would be a backreference.
        '1'..='7' if chars.as_str().starts_with(|next| matches!(next, '0'..='7')) => octal(c, &mut chars),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c),
        _ => None,
    };
    let length = text.len() - chars.as_str().len();
    match found {
        Some(c) => Ok((c, length)),
        None => Err(format!("invalid escape sequence: `{}`", text.get(..length).unwrap_or(text))),
    }
}

/// Up to three octal digits, of which `first` has been read.
fn octal(first: char, chars: &mut std::str::Chars<'_>) -> Option<char> {
    let mut code = first.to_digit(8)?;
    for _ in 0..2 {
        let Some(digit) = chars.as_str().chars().next().and_then(|next| next.to_digit(8)) else {
            break;
        };
        chars.next();
        code = code * 8 + digit;
    }
    char::from_u32(code)
}

/// Two hexadecimal digits, or any number of them in braces.
fn hexadecimal(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let first = chars.next()?;
    if first != '{' {
        let second = chars.next()?;
        return char::from_u32(first.to_digit(16)? * 16 + second.to_digit(16)?);
    }
    let mut code: Option<u32> = None;
    loop {
        let next = chars.next()?;
        if next == '}' {
            return code.and_then(char::from_u32);
        }
        let wider = code.unwrap_or(0) * 16 + next.to_digit(16)?;
        code = Some(wider).filter(|code| *code <= u32::from(char::MAX));
        code?;
    }
}
