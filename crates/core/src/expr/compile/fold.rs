//! Constants: folding what is known while compiling, and the sets that `in` looks up.

use super::Compiler;
use crate::expr::ast::Access;
use crate::expr::error::EvalError;
use crate::expr::eval;
use crate::expr::ir::{Node, Op};
use crate::expr::val::{List, Val};

impl Compiler<'_> {
    /// The node, or the constant that it always yields. What fails stays and fails when it is evaluated.
    pub(super) fn fold(&mut self, node: Node) -> Node {
        let foldable = match &node.op {
            Op::Unary(_, operand) | Op::Select { operand, access: Access::Required, .. } => {
                is_constant(operand)
            }
            Op::Binary(_, operands) | Op::Index { operands, .. } => operands.iter().all(is_constant),
            Op::List(elements) => elements.iter().all(|e| !e.optional && is_constant(&e.value)),
            Op::Map(entries) => {
                entries.iter().all(|e| !e.optional && is_constant(&e.key) && is_constant(&e.value))
            }
            _ => false,
        };
        if !foldable {
            return node;
        }
        match self.folded(&node) {
            Some(Ok(op)) => Node { op, span: node.span },
            _ => node,
        }
    }

    /// What a node of constants yields; `None` if finding out costs more than folding may.
    pub(super) fn folded(&self, node: &Node) -> Option<Result<Op, EvalError>> {
        eval::constant(node, &self.folding).map(|result| result.map(Op::Constant))
    }
}

pub(super) fn is_constant(node: &Node) -> bool {
    matches!(node.op, Op::Constant(_))
}

/// The value of a constant.
pub(super) fn constant_value(node: &Node) -> Option<&Val<'static>> {
    match &node.op {
        Op::Constant(value) => Some(value),
        _ => None,
    }
}

/// The sorted texts of `x in ["a", "b"]`, if the list holds nothing else.
pub(super) fn texts(operands: &[Node; 2]) -> Option<Box<[Box<str>]>> {
    let [needle, list] = operands;
    let Some(Val::List(List::Owned(items))) = constant_value(list) else {
        return None;
    };
    if is_constant(needle) {
        return None;
    }
    let text = |item: &Val<'_>| match item {
        Val::String(text) => Some(Box::from(text.as_str())),
        _ => None,
    };
    let mut texts: Vec<Box<str>> = items.iter().map(text).collect::<Option<_>>()?;
    texts.sort_unstable();
    Some(texts.into())
}
