//! Constants: folding what is known while compiling, and the sets that `in` looks up.

use std::sync::Arc;

use super::Compiler;
use super::call::IMPURE;
use crate::expr::ast::{Access, Span};
use crate::expr::error::{EvalError, EvalErrorKind};
use crate::expr::ir::{Constant, Node, Op};
use crate::expr::val::{List, Str, Val};
use crate::expr::{Budget, eval};

impl Compiler<'_> {
    /// The node, or the constant that it always yields. What fails stays and fails when it is evaluated.
    pub(super) fn fold(&mut self, node: Node) -> Node {
        let foldable = match &node.op {
            Op::Unary(_, operand) => is_constant(operand),
            Op::Select(select) => select.access == Access::Required && is_constant(&select.operand),
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
        eval::constant(node, &self.folding).map(|result| result.map(Op::constant))
    }
}

/// Puts constants in the place of the parts of `root` that depend on nothing. Returns the error of the first one
/// among `suspects` that is left: they are constants that are not what they are converted to, and as in the peer,
/// one of them spoils the whole expression unless it is in a part that has a value without it.
pub(super) fn settle(root: &mut Node, suspects: &[Span], budget: &Budget) -> Settled {
    let mut fails = false;
    if depends_on(root, budget) == Depends::Nothing && !is_constant(root) {
        match eval::constant(root, budget) {
            Some(Ok(value)) => root.op = Op::constant(value),
            outcome => fails = outcome.is_some(),
        }
    }
    let spoilt = if suspects.is_empty() { None } else { failure(root, suspects, budget) };
    Settled { spoilt, fails }
}

/// What is known of an expression as a whole.
pub(super) struct Settled {
    /// The error that every evaluation ends with before it begins.
    pub(super) spoilt: Option<EvalError>,
    /// Whether it depends on nothing and cannot be evaluated.
    pub(super) fails: bool,
}

/// What the value of a node depends on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depends {
    Nothing,
    /// On variables of macros, the innermost of this slot.
    Local(usize),
    /// On the request, the instant, or variables of the policy.
    More,
}

fn depends_on(node: &mut Node, budget: &Budget) -> Depends {
    let mut parts = Vec::new();
    node.op.for_each_operand(&mut |operand| parts.push((depends_on(operand, budget), operand)));
    let most = parts.iter().map(|(depends, _)| *depends).max().unwrap_or(Depends::Nothing);
    if most != Depends::Nothing {
        let closed = parts.into_iter().filter(|(depends, _)| *depends == Depends::Nothing);
        closed.for_each(|(_, part)| replace(part, budget));
    }
    match &node.op {
        Op::Local(slot) => Depends::Local(*slot),
        Op::Call(function, _) if IMPURE.contains(&function.name) => Depends::More,
        Op::Field(_)
        | Op::Attribute(_)
        | Op::HasField(_)
        | Op::HasAttribute(_)
        | Op::Variable(_)
        | Op::HasVariable(_)
        | Op::Variables(_)
        | Op::Declared(_)
        | Op::Unresolved(_) => Depends::More,
        Op::Bind { slot, .. } | Op::OptionalMap { slot, .. } => most.outside(*slot),
        Op::Comprehension(comprehension) => most.outside(comprehension.slot),
        _ => most,
    }
}

impl Depends {
    /// The same seen from outside a macro whose variables begin at `slot`. That a part of it may depend on variables
    /// of macros around it is forgotten only where none of its own is used.
    fn outside(self, slot: usize) -> Depends {
        match self {
            Depends::Local(innermost) if innermost >= slot && slot == 0 => Depends::Nothing,
            Depends::Local(innermost) if innermost >= slot => Depends::Local(slot - 1),
            other => other,
        }
    }
}

/// Puts the value in the place of a node that depends on nothing. What fails stays.
fn replace(node: &mut Node, budget: &Budget) {
    if !is_constant(node)
        && let Some(Ok(value)) = eval::constant(node, budget)
    {
        node.op = Op::constant(value);
    }
}

fn failure(node: &mut Node, suspects: &[Span], budget: &Budget) -> Option<EvalError> {
    let mut found = None;
    if !is_constant(node)
        && suspects.contains(&node.span)
        && let Some(Err(error)) = eval::constant(node, budget)
    {
        return Some(EvalError { kind: EvalErrorKind::BadConstant, ..error });
    }
    node.op.for_each_operand(&mut |operand| {
        if found.is_none() {
            found = failure(operand, suspects, budget);
        }
    });
    found
}

pub(super) fn is_constant(node: &Node) -> bool {
    matches!(node.op, Op::Constant(_))
}

/// The value of a constant.
pub(super) fn constant_value(node: &Node) -> Option<&Val<'static>> {
    match &node.op {
        Op::Constant(Constant(value)) => Some(value),
        _ => None,
    }
}

/// The sorted texts of `x in ["a", "b"]`, if the list holds nothing else.
pub(super) fn texts(operands: &[Node; 2]) -> Option<Box<[Arc<str>]>> {
    let [needle, list] = operands;
    let Some(Val::List(List::Owned(items))) = constant_value(list) else {
        return None;
    };
    if is_constant(needle) {
        return None;
    }
    let text = |item: &Val<'_>| match item {
        Val::String(Str::Owned(text)) => Some(Arc::clone(text)),
        Val::String(Str::Borrowed(text)) => Some(Arc::from(*text)),
        _ => None,
    };
    let mut texts: Vec<Arc<str>> = items.iter().map(text).collect::<Option<_>>()?;
    texts.sort_unstable();
    Some(texts.into())
}
