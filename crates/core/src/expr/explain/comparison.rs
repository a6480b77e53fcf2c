//! Expressions that compare one member of the request with a constant.

use super::shown::shown;
use super::{ReadValue, value};
use crate::expr::ast::{BinaryOp, UnaryOp};
use crate::expr::ir::{Node, Op};
use crate::expr::val::Val;
use crate::expr::{Budget, Program, Scope};

/// One member of the request, what it is, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The member as the expression writes it: `R.attr.amount`.
    pub attribute: String,
    /// Its value as CEL writes it, or `absent`.
    pub actual: String,
    /// What makes the expression true: `< 1000`.
    pub when_true: String,
    /// What makes it false: `>= 1000`.
    pub when_false: String,
}

impl Program {
    /// The comparison that the expression is, if it is nothing else. Paid for from `budget`, and nothing of it is
    /// remembered in `scope`.
    #[must_use]
    pub fn comparison(&self, scope: &Scope<'_>, budget: &Budget) -> Option<Comparison> {
        let Found { member, when_true, when_false } = self.find(&self.form.root)?;
        let scope = scope.afresh(budget);
        let text = self.text(member);
        let is_presence = matches!(member.op, Op::HasAttribute(_) | Op::HasField(_));
        let (attribute, actual) = match (value(self, member, &scope), is_presence) {
            (ReadValue::Value(answer), true) => {
                (asked_for(text)?, if answer == "true" { PRESENT } else { ABSENT }.to_owned())
            }
            (ReadValue::Error(_), true) => (asked_for(text)?, ABSENT.to_owned()),
            (ReadValue::Value(value), false) => (text, value),
            (ReadValue::Error(_), false) => (text, ABSENT.to_owned()),
        };
        Some(Comparison { attribute: attribute.to_owned(), actual, when_true, when_false })
    }
}

const PRESENT: &str = "present";
const ABSENT: &str = "absent";

/// The member of the request in an expression, and what to say of it.
struct Found<'p> {
    member: &'p Node,
    when_true: String,
    when_false: String,
}

impl<'p> Found<'p> {
    fn new(member: &'p Node, when_true: impl Into<String>, when_false: impl Into<String>) -> Self {
        Self { member, when_true: when_true.into(), when_false: when_false.into() }
    }

    fn negated(self) -> Self {
        Self { when_true: self.when_false, when_false: self.when_true, ..self }
    }
}

/// The `member` of `has(member)`.
fn asked_for(text: &str) -> Option<&str> {
    Some(text.strip_prefix("has(")?.strip_suffix(')')?.trim())
}

impl Program {
    fn find<'p>(&'p self, node: &'p Node) -> Option<Found<'p>> {
        match &node.op {
            Op::Field(_) | Op::Attribute(_) => Some(Found::new(node, "== true", "== false")),
            Op::HasField(_) | Op::HasAttribute(_) => Some(Found::new(node, PRESENT, ABSENT)),
            Op::Unary(UnaryOp::Not, operand) => self.find(operand).map(Found::negated),
            Op::InTexts { operands, .. } => self.compared(BinaryOp::In, operands),
            Op::Binary(op, operands) => self.compared(*op, operands),
            _ => None,
        }
    }

    fn compared<'p>(&'p self, op: BinaryOp, [left, right]: &'p [Node; 2]) -> Option<Found<'p>> {
        let (member, constant, op) = match (member(left), self.kept(left), member(right), self.kept(right)) {
            (Some(member), _, _, Some(constant)) => (member, constant, op),
            (_, Some(constant), Some(member), _) if op == BinaryOp::In => {
                let constant = shown(constant);
                let (contains, lacks) =
                    (format!("contains {constant}"), format!("does not contain {constant}"));
                return Some(Found::new(member, contains, lacks));
            }
            (_, Some(constant), Some(member), _) => (member, constant, mirrored(op)),
            _ => return None,
        };
        let (when_true, when_false) = match op {
            BinaryOp::Equal => ("==", "!="),
            BinaryOp::NotEqual => ("!=", "=="),
            BinaryOp::Less => ("<", ">="),
            BinaryOp::LessEqual => ("<=", ">"),
            BinaryOp::Greater => (">", "<="),
            BinaryOp::GreaterEqual => (">=", "<"),
            BinaryOp::In => ("in", "not in"),
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => {
                return None;
            }
        };
        let constant = shown(constant);
        Some(Found::new(member, format!("{when_true} {constant}"), format!("{when_false} {constant}")))
    }

    fn kept(&self, node: &Node) -> Option<&Val<'static>> {
        match &node.op {
            Op::Kept(slot) => self.constants.get(*slot),
            _ => None,
        }
    }
}

/// The operator that says the same with its operands exchanged.
fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        other => other,
    }
}

fn member(node: &Node) -> Option<&Node> {
    matches!(node.op, Op::Field(_) | Op::Attribute(_)).then_some(node)
}
