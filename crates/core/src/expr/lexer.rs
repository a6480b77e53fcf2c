//! Source text to tokens, bounded in bytes and count.
//!
//! Source: CEL language definition, "Syntax" and "String and Bytes Values".

use super::ast::Span;
use super::error::ExprDiagnostic;
use super::literal;
use crate::limits;

/// A token and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Token<'s> {
    pub(crate) kind: TokenKind<'s>,
    pub(crate) span: Span,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind<'s> {
    /// Digits without their sign: the sign is a token of its own.
    Int(u64),
    Uint(u64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    /// A name or a keyword.
    Word(&'s str),
    /// A field name in backticks.
    Quoted(&'s str),
    /// An operator or a bracket.
    Symbol(&'static str),
    End,
}

/// Splits `source` into tokens, the last of them [`TokenKind::End`].
pub(crate) fn tokens(source: &str) -> Result<Vec<Token<'_>>, ExprDiagnostic> {
    if source.len() > limits::EXPR_BYTES {
        let message = format!("the expression is longer than {} bytes", limits::EXPR_BYTES);
        return Err(too_much(0..source.len(), message));
    }
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.token()?;
        if tokens.len() == limits::EXPR_TOKENS {
            let message = format!("the expression has more than {} tokens", limits::EXPR_TOKENS);
            return Err(too_much(token.span.range(), message));
        }
        let end = token.kind == TokenKind::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

fn too_much(range: std::ops::Range<usize>, message: String) -> ExprDiagnostic {
    let hint = Some("split it into variables".to_owned());
    ExprDiagnostic::new(range, message, hint)
}

/// Symbols, longer ones before those they begin with.
const SYMBOLS: &[&str] = &[
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",", "(", ")",
    "[", "]", "{", "}",
];

struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn token(&mut self) -> Result<Token<'s>, ExprDiagnostic> {
        self.skip_blank();
        let start = self.at;
        let kind = self.kind()?;
        Ok(Token { kind, span: span(start, self.at) })
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
            self.at += rest.len() - blank.len();
            if !blank.starts_with("//") {
                return;
            }
            self.at += blank.find('\n').unwrap_or(blank.len());
        }
    }

    fn kind(&mut self) -> Result<TokenKind<'s>, ExprDiagnostic> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(TokenKind::End);
        };
        if let Some(quote) = literal::Quote::at(rest) {
            return self.text(quote);
        }
        let number = rest.strip_prefix('.').unwrap_or(rest);
        if number.starts_with(|c: char| c.is_ascii_digit()) {
            return self.number();
        }
        if first == '_' || first.is_ascii_alphabetic() {
            return Ok(TokenKind::Word(self.take(word_length(rest))));
        }
        if first == '`' {
            return self.quoted();
        }
        match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            Some(symbol) => {
                self.at += symbol.len();
                Ok(TokenKind::Symbol(symbol))
            }
            None => {
                let message = format!("unexpected character `{}`", first.escape_debug());
                let hint = (first == '=').then(|| "write `==` to compare".to_owned());
                Err(ExprDiagnostic { hint, ..self.error(first.len_utf8(), message) })
            }
        }
    }

    fn take(&mut self, length: usize) -> &'s str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    fn text(&mut self, quote: literal::Quote) -> Result<TokenKind<'s>, ExprDiagnostic> {
        let body_at = self.at + quote.prefix_length();
        let body = self.source.get(body_at..).unwrap_or_default();
        let Some(length) = quote.body_length(body) else {
            return Err(self.error(self.rest().len(), "the string is not closed".to_owned()));
        };
        let body = body.get(..length).unwrap_or_default();
        self.at = body_at + length + quote.length();
        quote.decode(body).map_err(|bad| {
            let range = body_at + bad.range.start..body_at + bad.range.end;
            ExprDiagnostic::new(range, bad.message.to_owned(), None)
        })
    }

    fn number(&mut self) -> Result<TokenKind<'s>, ExprDiagnostic> {
        let start = self.at;
        let rest = self.rest();
        let (kind, length) = literal::number(rest);
        let Some(kind) = kind else {
            let text = rest.get(..length).unwrap_or_default();
            return Err(self.error(length, format!("the number `{text}` is out of range")));
        };
        self.at += length;
        if self.rest().starts_with(|c: char| c == '_' || c.is_ascii_alphanumeric()) {
            self.at += word_length(self.rest());
            let text = self.source.get(start..self.at).unwrap_or_default();
            let message = format!("`{text}` is neither a number nor a name");
            return Err(ExprDiagnostic::new(start..self.at, message, None));
        }
        Ok(kind)
    }

    fn quoted(&mut self) -> Result<TokenKind<'s>, ExprDiagnostic> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ' ');
        let body = self.rest().get(1..).unwrap_or_default();
        let length = body.find(|c| !allowed(c)).unwrap_or(body.len());
        let closed = body.get(length..).is_some_and(|rest| rest.starts_with('`'));
        if !closed || length == 0 {
            let message =
                "a quoted field name holds letters, digits, `_`, `.`, `-`, `/` and blanks".to_owned();
            return Err(self.error(length + 1, message));
        }
        self.at += length + 2;
        Ok(TokenKind::Quoted(body.get(..length).unwrap_or_default()))
    }

    fn error(&self, length: usize, message: String) -> ExprDiagnostic {
        ExprDiagnostic::new(self.at..self.at + length, message, None)
    }
}

fn word_length(rest: &str) -> usize {
    rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len())
}

/// INVARIANT(span-u32): offsets fit, the source being at most [`limits::EXPR_BYTES`] long.
fn span(start: usize, end: usize) -> Span {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: offset(start), end: offset(end) }
}

impl TokenKind<'_> {
    /// For messages: what was found.
    pub(crate) fn describe(&self) -> String {
        match self {
            TokenKind::Int(n) => format!("`{n}`"),
            TokenKind::Uint(n) => format!("`{n}u`"),
            TokenKind::Double(n) => format!("`{n}`"),
            TokenKind::String(_) => "a string".to_owned(),
            TokenKind::Bytes(_) => "bytes".to_owned(),
            TokenKind::Word(word) => format!("`{word}`"),
            TokenKind::Quoted(name) => format!("`` `{name}` ``"),
            TokenKind::Symbol(symbol) => format!("`{symbol}`"),
            TokenKind::End => "the end of the expression".to_owned(),
        }
    }
}
