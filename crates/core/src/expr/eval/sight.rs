//! Comparisons and tests of texts, numbers and booleans that are there to be looked at: no operand is evaluated.
//!
//! A look answers what evaluating the operands would answer, at the same cost, or nothing at all: what errs, has to
//! be computed or cannot be paid for is left to the evaluation.

use std::cmp::Ordering;

use super::Machine;
use crate::expr::ast::BinaryOp;
use crate::expr::functions::standard::TextTest;
use crate::expr::ir::{Attribute, Field, Node, Op};
use crate::expr::val::{Str, Val};
use crate::limits::BYTES_PER_COST_UNIT;
use crate::model::scope_name;
use crate::value::Value;

/// What there is to see.
enum Seen<'r> {
    Text(&'r str),
    Bool(bool),
    Double(f64),
    /// Two of them are not compared here: beyond 2^53 a double does not tell neighbours apart.
    Int(i64),
}

/// What evaluating two operands costs.
const OPERANDS: usize = 2;

impl<'r> Machine<'_, 'r> {
    /// What a comparison comes to.
    #[inline]
    pub(super) fn compared_at_sight(&self, op: BinaryOp, operands: &'r [Node; 2]) -> Option<bool> {
        match op {
            BinaryOp::Equal => self.equal_at_sight(operands),
            BinaryOp::NotEqual => self.equal_at_sight(operands).map(|same| !same),
            BinaryOp::Less => self.ordered_at_sight(operands).map(Ordering::is_lt),
            BinaryOp::LessEqual => self.ordered_at_sight(operands).map(Ordering::is_le),
            BinaryOp::Greater => self.ordered_at_sight(operands).map(Ordering::is_gt),
            BinaryOp::GreaterEqual => self.ordered_at_sight(operands).map(Ordering::is_ge),
            _ => None,
        }
    }

    fn equal_at_sight(&self, [left, right]: &'r [Node; 2]) -> Option<bool> {
        let (left, right) = (self.seen(left)?, self.seen(right)?);
        let (same, bytes) = match (left, right) {
            (Seen::Text(a), Seen::Text(b)) if a.len() == b.len() => (a == b, a.len()),
            (Seen::Bool(a), Seen::Bool(b)) => (a == b, 0),
            (Seen::Int(_), Seen::Int(_)) => return None,
            (a, b) => (numbers_compared(&a, &b) == Some(Ordering::Equal), 0),
        };
        self.budget.pays(OPERANDS + bytes / BYTES_PER_COST_UNIT).then_some(same)
    }

    /// The order of two numbers.
    fn ordered_at_sight(&self, [left, right]: &'r [Node; 2]) -> Option<Ordering> {
        let order = numbers_compared(&self.seen(left)?, &self.seen(right)?)?;
        self.budget.pays(OPERANDS).then_some(order)
    }

    /// What a test of texts comes to.
    #[inline]
    pub(super) fn tested_at_sight(&self, test: TextTest, [text, part]: &'r [Node; 2]) -> Option<bool> {
        let (Seen::Text(text), Seen::Text(part)) = (self.seen(text)?, self.seen(part)?) else {
            return None;
        };
        self.budget.pays(OPERANDS + TextTest::cost(text, part)).then(|| test.holds(text, part))
    }

    /// The boolean that an attribute is, which has been paid for.
    #[inline]
    pub(super) fn bool_at_sight(&self, attribute: &'r Attribute) -> Option<bool> {
        match self.attribute_at_sight(attribute)? {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The text that `node` yields, paid for.
    #[inline]
    pub(super) fn text_at_sight(&self, node: &'r Node) -> Option<&'r str> {
        match self.seen(node)? {
            Seen::Text(text) if self.budget.pays(1) => Some(text),
            _ => None,
        }
    }

    /// Every condition looks at something: the look is worth its copies.
    #[inline(always)]
    fn seen(&self, node: &'r Node) -> Option<Seen<'r>> {
        match &node.op {
            Op::Attribute(attribute) => Some(match self.attribute_at_sight(attribute)? {
                Value::String(text) => Seen::Text(text),
                Value::Bool(b) => Seen::Bool(*b),
                Value::Number(n) => Seen::Double(*n),
                Value::Null | Value::List(_) | Value::Map(_) => return None,
            }),
            Op::Kept(slot) => match self.constants.get(*slot)? {
                Val::String(text) => Some(Seen::Text(text.as_str())),
                value => seen(value),
            },
            Op::Field(field) => self.field_at_sight(*field).map(Seen::Text),
            Op::Local(slot) => seen(self.locals.get(*slot)?),
            Op::Variable(slot) => self.scope.look_at(*slot, seen),
            _ => None,
        }
    }

    fn field_at_sight(&self, field: Field) -> Option<&'r str> {
        let inputs = self.scope.inputs()?;
        match field {
            Field::PrincipalId => Some(&inputs.principal.id),
            Field::PrincipalVersion => Some(&inputs.principal.policy_version),
            Field::PrincipalScope => Some(scope_name(&inputs.principal.scope)),
            Field::ResourceKind => Some(&inputs.resource.kind),
            Field::ResourceId => Some(&inputs.resource.id),
            Field::ResourceVersion => Some(&inputs.resource.policy_version),
            Field::ResourceScope => Some(scope_name(&inputs.resource.scope)),
            _ => None,
        }
    }
}

fn seen<'r>(value: &Val<'r>) -> Option<Seen<'r>> {
    match value {
        Val::String(Str::Borrowed(text)) => Some(Seen::Text(text)),
        Val::Bool(b) => Some(Seen::Bool(*b)),
        Val::Double(n) => Some(Seen::Double(*n)),
        Val::Int(n) => Some(Seen::Int(*n)),
        _ => None,
    }
}

fn numbers_compared(a: &Seen<'_>, b: &Seen<'_>) -> Option<Ordering> {
    match (a, b) {
        (Seen::Double(a), Seen::Double(b)) => a.partial_cmp(b),
        (Seen::Double(a), Seen::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Seen::Int(a), Seen::Double(b)) => (*a as f64).partial_cmp(b),
        _ => None,
    }
}
