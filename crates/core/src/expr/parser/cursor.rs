//! Where the parser is in its tokens.

use super::{Parser, diagnostic};
use crate::expr::ast::{BinaryOp, Span};
use crate::expr::error::ExprDiagnostic;
use crate::expr::lexer::{Token, TokenKind};

impl<'s> Parser<'s> {
    pub(super) fn at_negative_number(&self) -> bool {
        let next = self.tokens.get(self.at + 1).map(|token| &token.kind);
        self.at_symbol("-") && matches!(next, Some(TokenKind::Int(_) | TokenKind::Double(_)))
    }

    pub(super) fn eat_operator(&mut self, operators: &[BinaryOp]) -> Option<BinaryOp> {
        let (TokenKind::Symbol(text) | TokenKind::Word(text)) = *self.peek() else {
            return None;
        };
        let found = operators.iter().copied().find(|op| op.symbol() == text);
        self.at += usize::from(found.is_some());
        found
    }

    pub(super) fn peek(&self) -> &TokenKind<'s> {
        self.tokens.get(self.at).map_or(&TokenKind::End, |token| &token.kind)
    }

    /// Takes the next token; past the end there is only more end.
    pub(super) fn next(&mut self) -> Token<'s> {
        let token = Token { kind: self.peek().clone(), span: self.span() };
        self.at += 1;
        token
    }

    /// Where the next token is.
    pub(super) fn span(&self) -> Span {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        token.map_or(Span { start: 0, end: 0 }, |token| token.span)
    }

    pub(super) fn at_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), TokenKind::Symbol(text) if *text == symbol)
    }

    pub(super) fn eat(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, symbol: &'static str) -> Result<Span, ExprDiagnostic> {
        let span = self.span();
        if self.eat(symbol) { Ok(span) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    pub(super) fn unexpected(&self, wanted: &str) -> ExprDiagnostic {
        let message = format!("expected {wanted} but found {}", self.peek().describe());
        let hint = match self.peek() {
            TokenKind::Word("and") => Some("write `&&`"),
            TokenKind::Word("or") => Some("write `||`"),
            TokenKind::Word("not") => Some("write `!`"),
            _ => None,
        };
        diagnostic(self.span(), message, hint)
    }
}
