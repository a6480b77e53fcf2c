//! What an expression comes to for every request, as far as that is seen without one.

use super::ast::{LogicOp, UnaryOp};
use super::ir::{Node, Op};
use super::{Frame, Program, Val};

/// What an expression always comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Always {
    /// This boolean.
    Bool(bool),
    /// A value of another type.
    Other,
    /// An error.
    Error,
}

impl Program {
    /// What it always comes to, if that can be told; `variables` are those of its frame, by slot.
    #[must_use]
    pub fn always(&self, variables: &[Option<Always>]) -> Option<Always> {
        if self.form.fails || self.spoilt.is_some() {
            return Some(Always::Error);
        }
        Reader { program: self, variables }.of(&self.form.root)
    }
}

impl Frame {
    /// What its variables always come to, by slot.
    #[must_use]
    pub fn always(&self) -> Vec<Option<Always>> {
        let mut known = Vec::with_capacity(self.variables.len());
        for (_, program) in &self.variables {
            known.push(program.always(&known));
        }
        known
    }
}

/// One expression, and what the variables of its frame always come to.
struct Reader<'p> {
    program: &'p Program,
    variables: &'p [Option<Always>],
}

impl Reader<'_> {
    /// The depth of expressions is bounded by the parser.
    fn of(&self, node: &Node) -> Option<Always> {
        match &node.op {
            Op::Kept(slot) => match self.program.constants.get(*slot)? {
                Val::Bool(value) => Some(Always::Bool(*value)),
                _ => Some(Always::Other),
            },
            Op::Variable(slot) => self.variables.get(*slot).copied().flatten(),
            Op::Unary(UnaryOp::Not, operand) => match self.of(operand)? {
                Always::Bool(value) => Some(Always::Bool(!value)),
                Always::Other | Always::Error => Some(Always::Error),
            },
            Op::Logic(op, operands) => self.logic(*op, operands),
            Op::Conditional(branches) => {
                let [test, then, otherwise] = &**branches;
                match self.of(test)? {
                    Always::Bool(true) => self.of(then),
                    Always::Bool(false) => self.of(otherwise),
                    Always::Other | Always::Error => Some(Always::Error),
                }
            }
            _ => None,
        }
    }

    /// An operand that decides does so whatever fails beside it.
    fn logic(&self, op: LogicOp, operands: &[Node]) -> Option<Always> {
        let decisive = Always::Bool(op == LogicOp::Or);
        let known: Vec<_> = operands.iter().map(|operand| self.of(operand)).collect();
        if known.contains(&Some(decisive)) {
            return Some(decisive);
        }
        if known.contains(&None) {
            return None;
        }
        let fails = known.iter().any(|known| !matches!(known, Some(Always::Bool(_))));
        Some(if fails { Always::Error } else { Always::Bool(op == LogicOp::And) })
    }
}
