//! Arguments that are written out, and so are checked before evaluation: timestamps, durations, addresses, regular
//! expressions, templates of `format`, the operands of `math.greatest` and `math.least`.
//!
//! As in the peer, only what is written out counts, not what is computed from it.

use std::sync::Arc;

use super::Compiler;
use super::fold::is_constant;
use crate::expr::ast::{Call, Expr, ExprKind};
use crate::expr::env::Typing;
use crate::expr::format;
use crate::expr::functions::Function;
use crate::expr::functions::regex;
use crate::expr::ir::Node;
use crate::expr::val::Val;

/// Functions of one text that must be well-formed, what it must be, and how to write it.
const TEXTS: &[(&str, &str, &str)] = &[
    ("cidr", "a range of addresses", "write address and prefix length, such as `10.0.0.0/8`"),
    ("duration", "a duration", "write numbers with units, such as `1h30m`, `2.5s` or `250ms`"),
    ("ip", "an IP address", "write an address such as `10.1.2.3` or `2001:db8::1`"),
    ("timestamp", "an RFC 3339 timestamp", "write date, time and zone, such as `2026-01-31T09:30:00Z`"),
];

impl Compiler<'_> {
    /// Reports what is wrong with the written arguments of `call`, which was compiled to `node`.
    pub(super) fn check_written(&mut self, function: &Function, call: &Call, node: &Node) {
        match (function.name, call.args.as_slice()) {
            ("bool" | "bytes" | "double" | "int" | "string" | "uint", [arg])
                if is_written(arg) && !is_constant(node) =>
            {
                self.suspects.push(node.span);
            }
            (name @ ("cidr" | "duration" | "ip" | "timestamp"), [text]) if is_literal(text) => {
                let ill = TEXTS.iter().find(|(known, ..)| *known == name && !is_constant(node));
                if let Some((_, what, how)) = ill {
                    self.ill_written(text, format!("this is not {what}"), Some((*how).to_owned()));
                }
            }
            ("format", [values]) => self.check_format(call, values),
            ("math.greatest" | "math.least", [list]) => self.check_extreme_of_one(function.name, list),
            ("math.greatest" | "math.least", numbers) => {
                for number in numbers.iter().filter(|arg| !may_be_number(arg)) {
                    self.ill_written(number, format!("`{}` takes numbers", function.name), None);
                }
            }
            _ => {}
        }
        let nested = matches!(call.args.as_slice(), [arg] if !is_literal(arg) && is_written(arg));
        if matches!(function.name, "duration" | "timestamp") && nested && !is_constant(node) {
            self.suspects.push(node.span);
        }
    }

    fn check_extreme_of_one(&mut self, name: &str, arg: &Expr) {
        let valid = match &arg.kind {
            ExprKind::List(items) => !items.is_empty() && items.iter().all(|item| may_be_number(&item.value)),
            _ => may_be_number(arg),
        };
        if !valid {
            self.ill_written(arg, format!("`{name}` takes numbers, or one list of numbers"), None);
        }
    }

    /// The template against the values, one for each clause, of a type that the clause takes.
    fn check_format(&mut self, call: &Call, values: &Expr) {
        let (Some(receiver), ExprKind::List(items)) = (&call.receiver, &values.kind) else {
            return;
        };
        let ExprKind::Literal(Val::String(template)) = &receiver.kind else {
            return;
        };
        let verbs = match format::verbs(template.as_str()) {
            Ok(verbs) => verbs,
            Err(error) => {
                let hint = "the clauses are %s, %d, %f, %e, %b, %o, %x and %X; a percent sign is %%";
                return self.ill_written(receiver, error.message, Some(hint.to_owned()));
            }
        };
        if verbs.len() != items.len() {
            let message = format!("the template takes {} values, and there are {}", verbs.len(), items.len());
            return self.ill_written(values, message, None);
        }
        for ((verb, item), ty) in verbs.into_iter().zip(items).zip(self.last_items.clone()) {
            let ty = self.types.resolve(&ty);
            if !format::takes_type(verb, &ty) {
                let message = format!("`%{verb}` does not take a value of type {ty}");
                self.ill_written(&item.value, message, None);
            }
        }
    }

    /// The regular expression of a call of `matches`, built; what is not well-formed is reported.
    pub(super) fn check_pattern(&mut self, pattern: &Expr, text: &str) -> Option<Arc<::regex::Regex>> {
        let compiled = match self.env.patterns() {
            Some(patterns) => patterns.compile(text),
            None => regex::compile(text).map(Arc::new),
        };
        match compiled {
            Ok(regex) => Some(regex),
            Err(message) => {
                if is_literal(pattern) {
                    let hint = "the syntax is that of RE2: no look-around, no backreferences";
                    let message = format!("the regular expression is not valid: {message}");
                    self.ill_written(pattern, message, Some(hint.to_owned()));
                }
                None
            }
        }
    }

    fn ill_written(&mut self, expr: &Expr, message: String, hint: Option<String>) {
        if self.env.typing() == Typing::Static {
            self.finding(expr.span, message, hint);
        }
    }
}

fn is_literal(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Literal(_))
}

/// Whether it is a literal, or a conversion of one.
fn is_written(expr: &Expr) -> bool {
    const CONVERSIONS: &[&str] =
        &["bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "uint"];
    match &expr.kind {
        ExprKind::Literal(_) => true,
        ExprKind::Call(Call { function, receiver: None, args }) => {
            CONVERSIONS.contains(&&**function) && matches!(args.as_slice(), [arg] if is_written(arg))
        }
        _ => false,
    }
}

/// Whether it is a number, or something whose value is not written out.
fn may_be_number(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(value) => matches!(value, Val::Int(_) | Val::Uint(_) | Val::Double(_)),
        ExprKind::List(_) | ExprKind::Map(_) => false,
        _ => true,
    }
}
