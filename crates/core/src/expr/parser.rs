//! Tokens to syntax tree, bounded in nesting and height.
//!
//! Recursive descent over brackets, loops over everything else: prefix operators, binary operators, member
//! chains, and `? :` chains. `&&` and `||` gather their operands in one node, so long conditions stay flat.
//! Source: CEL language definition, "Syntax".

mod cursor;

use std::sync::Arc;

use super::ast::{Access, BinaryOp, Call, Element, Entry, Expr, ExprKind, LogicOp, Span, UnaryOp};
use super::error::ExprDiagnostic;
use super::lexer::{self, Token, TokenKind};
use super::macros;
use super::val::Val;
use crate::limits;

/// Parses `source` and expands its macros.
pub(crate) fn parse(source: &str) -> Result<Expr, ExprDiagnostic> {
    let mut parser = Parser { tokens: lexer::tokens(source)?, at: 0, depth: 0 };
    let expr = parser.conditional()?;
    match parser.peek() {
        TokenKind::End => Ok(expr),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

type Parsed = Result<Expr, ExprDiagnostic>;

const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

const KEYWORDS: &[&str] = &["in", "true", "false", "null"];

/// Binary operators by how tightly they bind, loosest first.
const LEVELS: &[&[BinaryOp]] = &[
    &[
        BinaryOp::Equal,
        BinaryOp::NotEqual,
        BinaryOp::LessEqual,
        BinaryOp::GreaterEqual,
        BinaryOp::Less,
        BinaryOp::Greater,
        BinaryOp::In,
    ],
    &[BinaryOp::Add, BinaryOp::Subtract],
    &[BinaryOp::Multiply, BinaryOp::Divide, BinaryOp::Modulo],
];

struct Parser<'s> {
    tokens: Vec<Token<'s>>,
    at: usize,
    depth: usize,
}

impl<'s> Parser<'s> {
    /// `a ? b : c ? d : e`: the chain in a loop, then the nodes from its end.
    fn conditional(&mut self) -> Parsed {
        let mut branches = Vec::new();
        let mut last = self.logic(LogicOp::Or)?;
        while self.eat("?") {
            let then = self.logic(LogicOp::Or)?;
            self.expect(":")?;
            branches.push((last, then));
            last = self.logic(LogicOp::Or)?;
        }
        while let Some((test, then)) = branches.pop() {
            let span = test.span.to(last.span);
            let kind = ExprKind::Conditional { test: test.into(), then: then.into(), otherwise: last.into() };
            last = node(kind, span)?;
        }
        Ok(last)
    }

    fn logic(&mut self, op: LogicOp) -> Parsed {
        let first = self.logic_operand(op)?;
        if !self.at_symbol(op.symbol()) {
            return Ok(first);
        }
        let mut span = first.span;
        let mut operands = vec![first];
        while self.eat(op.symbol()) {
            let operand = self.logic_operand(op)?;
            span = span.to(operand.span);
            operands.push(operand);
        }
        node(ExprKind::Logic { op, operands }, span)
    }

    fn logic_operand(&mut self, op: LogicOp) -> Parsed {
        match op {
            LogicOp::Or => self.logic(LogicOp::And),
            LogicOp::And => self.binary(LEVELS),
        }
    }

    /// A left-associative chain of the operators of the first level, over operands of the tighter levels.
    fn binary(&mut self, levels: &[&[BinaryOp]]) -> Parsed {
        let Some((operators, tighter)) = levels.split_first() else {
            return self.unary();
        };
        let mut left = self.binary(tighter)?;
        while let Some(op) = self.eat_operator(operators) {
            let right = self.binary(tighter)?;
            let span = left.span.to(right.span);
            left = node(ExprKind::Binary { op, left: left.into(), right: right.into() }, span)?;
        }
        Ok(left)
    }

    /// Prefix operators; two of a kind cancel each other before types are looked at, as in the peer.
    fn unary(&mut self) -> Parsed {
        let mut prefixes: Vec<(UnaryOp, Span)> = Vec::new();
        while let Some(prefix @ (op, _)) = self.prefix() {
            match prefixes.last() {
                Some((before, _)) if *before == op => drop(prefixes.pop()),
                _ => prefixes.push(prefix),
            }
        }
        let mut operand = self.member()?;
        while let Some((op, start)) = prefixes.pop() {
            let span = start.to(operand.span);
            let kind = ExprKind::Unary { op, operand: operand.into() };
            operand = node(kind, span)?;
        }
        Ok(operand)
    }

    fn prefix(&mut self) -> Option<(UnaryOp, Span)> {
        let span = self.span();
        let op = match self.peek() {
            TokenKind::Symbol("!") => UnaryOp::Not,
            TokenKind::Symbol("-") if !self.at_negative_number() => UnaryOp::Negate,
            _ => return None,
        };
        self.at += 1;
        Some((op, span))
    }

    /// A primary and the selections, calls and indexes that follow it.
    fn member(&mut self) -> Parsed {
        let mut operand = self.primary()?;
        loop {
            if self.eat(".") {
                operand = self.selection(operand)?;
            } else if self.eat("[") {
                let access = self.access();
                let index = self.nested()?;
                let span = operand.span.to(self.expect("]")?);
                operand =
                    node(ExprKind::Index { operand: operand.into(), index: index.into(), access }, span)?;
            } else {
                return Ok(operand);
            }
        }
    }

    fn access(&mut self) -> Access {
        if self.eat("?") { Access::Optional } else { Access::Required }
    }

    fn selection(&mut self, operand: Expr) -> Parsed {
        let access = self.access();
        let span = operand.span.to(self.span());
        let field: Arc<str> = match *self.peek() {
            TokenKind::Word(word) if !KEYWORDS.contains(&word) => word.into(),
            TokenKind::Quoted(name) => name.into(),
            _ => return Err(self.unexpected("a field name")),
        };
        self.at += 1;
        if access == Access::Required && self.eat("(") {
            return self.call(Some(operand), field, span);
        }
        node(ExprKind::Select { operand: operand.into(), field, access }, span)
    }

    fn call(&mut self, receiver: Option<Expr>, function: Arc<str>, start: Span) -> Parsed {
        let mut args = Vec::new();
        let end = self.list_until(")", |parser| {
            args.push(parser.nested()?);
            Ok(())
        })?;
        let call = Call { function, receiver: receiver.map(Box::new), args };
        let span = start.to(end);
        node(macros::expand(call, span)?, span)
    }

    fn primary(&mut self) -> Parsed {
        let span = self.span();
        let negative = self.at_negative_number();
        self.at += usize::from(negative);
        let token = self.next();
        let span = span.to(token.span);
        match token.kind {
            TokenKind::Int(magnitude) => int_literal(magnitude, negative, span),
            TokenKind::Uint(n) => literal(Val::Uint(n), span),
            TokenKind::Double(n) => literal(Val::Double(if negative { -n } else { n }), span),
            TokenKind::String(text) => literal(Val::string(&text), span),
            TokenKind::Bytes(bytes) => literal(Val::Bytes(bytes.into()), span),
            TokenKind::Word(word) => self.word(word, span),
            TokenKind::Symbol("(") => {
                let inner = self.nested()?;
                let span = span.to(self.expect(")")?);
                Ok(Expr { span, ..inner })
            }
            TokenKind::Symbol("[") => self.list(span),
            TokenKind::Symbol("{") => self.map(span),
            TokenKind::Symbol(".") => self.absolute_name(span),
            TokenKind::Symbol(_) | TokenKind::Quoted(_) | TokenKind::End => {
                self.at -= 1;
                Err(self.unexpected("a value"))
            }
        }
    }

    fn word(&mut self, word: &str, span: Span) -> Parsed {
        match word {
            "true" => literal(Val::Bool(true), span),
            "false" => literal(Val::Bool(false), span),
            "null" => literal(Val::Null, span),
            "in" => {
                self.at -= 1;
                Err(self.unexpected("a value"))
            }
            _ if self.eat("(") => self.call(None, word.into(), span),
            _ if RESERVED.contains(&word) => {
                Err(diagnostic(span, format!("`{word}` is a reserved word"), Some("choose another name")))
            }
            _ => node(ExprKind::Ident { name: word.into(), absolute: false }, span),
        }
    }

    fn absolute_name(&mut self, start: Span) -> Parsed {
        let TokenKind::Word(word) = *self.peek() else {
            return Err(self.unexpected("a name"));
        };
        if KEYWORDS.contains(&word) || RESERVED.contains(&word) {
            return Err(self.unexpected("a name"));
        }
        let span = start.to(self.span());
        self.at += 1;
        node(ExprKind::Ident { name: word.into(), absolute: true }, span)
    }

    fn list(&mut self, start: Span) -> Parsed {
        let mut elements = Vec::new();
        let end = self.list_until("]", |parser| {
            let optional = parser.eat("?");
            elements.push(Element { value: parser.nested()?, optional });
            Ok(())
        })?;
        node(ExprKind::List(elements), start.to(end))
    }

    fn map(&mut self, start: Span) -> Parsed {
        let mut entries = Vec::new();
        let end = self.list_until("}", |parser| {
            let optional = parser.eat("?");
            let key = parser.nested()?;
            parser.expect(":")?;
            entries.push(Entry { key, value: parser.nested()?, optional });
            Ok(())
        })?;
        node(ExprKind::Map(entries), start.to(end))
    }

    /// Items separated by commas up to `close`, whose place it returns; a comma may follow the last item of a
    /// list or map.
    fn list_until(
        &mut self,
        close: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<(), ExprDiagnostic>,
    ) -> Result<Span, ExprDiagnostic> {
        let mut first = true;
        loop {
            let end = self.span();
            let may_close = first || close != ")";
            if may_close && self.eat(close) {
                return Ok(end);
            }
            item(self)?;
            first = false;
            if !self.eat(",") {
                return self.expect(close);
            }
        }
    }

    /// An expression one bracket deeper.
    fn nested(&mut self) -> Parsed {
        if self.depth == limits::EXPR_DEPTH {
            let message = format!("brackets nest deeper than {}", limits::EXPR_DEPTH);
            return Err(diagnostic(self.span(), message, Some("split it into variables")));
        }
        self.depth += 1;
        let inner = self.conditional();
        self.depth -= 1;
        inner
    }
}

/// A node, unless the tree gets too high.
/// INVARIANT(tree-height): no tree is higher than [`limits::EXPR_HEIGHT`], so walks over trees may recurse.
fn node(kind: ExprKind, span: Span) -> Parsed {
    let expr = Expr::new(kind, span);
    if expr.height <= limits::EXPR_HEIGHT {
        return Ok(expr);
    }
    let message = format!("operators, members or calls are chained more than {} times", limits::EXPR_HEIGHT);
    Err(diagnostic(span, message, Some("split it into variables")))
}

fn literal(value: Val<'static>, span: Span) -> Parsed {
    node(ExprKind::Literal(value), span)
}

fn int_literal(magnitude: u64, negative: bool, span: Span) -> Parsed {
    let value = if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() };
    match value {
        Some(n) => literal(Val::Int(n), span),
        None => Err(diagnostic(
            span,
            format!("the number `{magnitude}` is out of range"),
            Some("integers have 64 bits; write a `u` behind it for an unsigned one"),
        )),
    }
}

fn diagnostic(span: Span, message: String, hint: Option<&str>) -> ExprDiagnostic {
    ExprDiagnostic::new(span.range(), message, hint.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree in prefix form.
    fn shape(expr: &Expr) -> String {
        let mut parts = Vec::new();
        expr.kind.for_each_child(&mut |child| parts.push(shape(child)));
        let head = match &expr.kind {
            ExprKind::Literal(Val::Int(n)) => n.to_string(),
            ExprKind::Ident { name, .. } => name.to_string(),
            ExprKind::Select { field, .. } => format!(".{field}"),
            ExprKind::Call(call) => call.function.to_string(),
            ExprKind::Unary { op, .. } => op.symbol().to_owned(),
            ExprKind::Binary { op, .. } => op.symbol().to_owned(),
            ExprKind::Logic { op, .. } => op.symbol().to_owned(),
            ExprKind::Conditional { .. } => "?:".to_owned(),
            ExprKind::Index { .. } => "[]".to_owned(),
            other => format!("{other:?}"),
        };
        if parts.is_empty() { head } else { format!("({head} {})", parts.join(" ")) }
    }

    #[test]
    fn operators_bind_as_in_the_grammar() {
        let cases = [
            ("1 + 2 * 3 - 4", "(- (+ 1 (* 2 3)) 4)"),
            ("a || b && c || d", "(|| a (&& b c) d)"),
            ("a && (b && c)", "(&& a (&& b c))"),
            ("a == b < c in d", "(in (< (== a b) c) d)"),
            ("a ? b : c ? d : e", "(?: a b (?: c d e))"),
            ("!a.b(c)[d]", "(! ([] (b a c) d))"),
            ("-a * -2", "(* (- a) -2)"),
            ("a - -2 - 3", "(- (- a -2) 3)"),
            ("!!a && ---b == 1", "(&& a (== (- b) 1))"),
            ("a.in_b.`c`.d", "(.d (.c (.in_b a)))"),
            ("f(a, g())", "(f a g)"),
            ("a // comment\n + b", "(+ a b)"),
        ];
        for (source, expected) in cases {
            assert_eq!(shape(&parse(source).unwrap()), expected, "{source}");
        }
    }

    #[test]
    fn syntax_errors_point_at_the_token() {
        let cases = [
            ("a b", 2..3),
            ("(a", 2..2),
            ("a.1", 1..3),
            ("f(a,)", 4..5),
            ("a ? b", 5..5),
            ("x.all(1, true)", 6..7),
            ("x.all(a, a, true)", 12..16),
            ("let + 1", 0..3),
            ("'a' + 'b", 6..8),
            ("'a\\q'", 2..4),
            ("1 + 9223372036854775808", 4..23),
            ("a ? b ? c : d : e", 6..7),
            ("has(a.?b)", 4..8),
        ];
        for (source, range) in cases {
            assert_eq!(parse(source).unwrap_err().range, range, "{source}");
        }
    }
}
