//! What an expression read on the way to its value, and what it compares: for those who explain decisions.
//!
//! The parts of an expression are evaluated again, each by itself, so evaluation proper knows nothing of this.

mod comparison;
mod shown;

use std::collections::BTreeSet;

pub use comparison::Comparison;
use serde::Serialize;

use super::eval::Machine;
use super::ir::{Node, Op};
use super::{Budget, Program, Scope};
use crate::limits::{EXPLAINED_DEPTH, EXPLAINED_READINGS};

/// A part of an expression and what it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// The part as written: a member of the request, a variable, a call, or an operand of `&&` or `||`.
    pub expression: String,
    /// Its value, or why it has none.
    #[serde(flatten)]
    pub value: ReadValue,
    /// What the variable stands for, if the part is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// What the part, or the definition of the variable, read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
}

/// What a part of an expression came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ReadValue {
    /// Its value as CEL writes it, cut where it is long.
    Value(String),
    /// It could not be evaluated, for this reason.
    Error(String),
}

impl Program {
    /// What the expression reads in `scope`, each part once, in source order: at most [`EXPLAINED_READINGS`] parts,
    /// [`EXPLAINED_DEPTH`] within each other. What a macro does with each element is not among them. Everything is
    /// paid for from `budget`, and nothing of it is remembered in `scope`.
    #[must_use]
    pub fn readings(&self, scope: &Scope<'_>, budget: &Budget) -> Vec<Reading> {
        let scope = scope.afresh(budget);
        let mut found = Vec::new();
        let mut reader = Reader { scope: &scope, room: EXPLAINED_READINGS, known: BTreeSet::new() };
        match &self.form.root.op {
            // What these come to is the value of the whole.
            Op::Call(..)
            | Op::OnTexts { .. }
            | Op::InNetwork { .. }
            | Op::HasAttribute(_)
            | Op::HasField(_)
            | Op::HasVariable(_)
            | Op::Has { .. } => {
                reader.below(self, &self.form.root, 0, &mut found);
            }
            _ => reader.walk(self, &self.form.root, 0, &mut found),
        }
        found
    }

    fn text(&self, node: &Node) -> &str {
        self.source.get(node.span.range()).unwrap_or_default()
    }
}

/// What `node` of `program` comes to by itself, as text.
fn value<'r>(program: &'r Program, node: &'r Node, scope: &Scope<'r>) -> ReadValue {
    let value = scope.budget().expression(|| Machine::new(scope, &program.constants).eval(node));
    match value {
        Ok(value) => ReadValue::Value(shown::shown(&value)),
        Err(error) => ReadValue::Error(error.message),
    }
}

/// Whether a constant is written by its name: `C.limit`.
fn is_named(text: &str) -> bool {
    ["C.", "constants."].iter().any(|root| text.starts_with(root))
}

struct Reader<'s, 'r> {
    scope: &'s Scope<'r>,
    /// How many more readings there may be.
    room: usize,
    /// The text of what is listed already.
    known: BTreeSet<&'r str>,
}

impl<'r> Reader<'_, 'r> {
    fn walk(&mut self, program: &'r Program, node: &'r Node, depth: usize, found: &mut Vec<Reading>) {
        match &node.op {
            Op::Constant(_)
            | Op::Kept(_)
            | Op::Field(_)
            | Op::Attribute(_)
            | Op::HasField(_)
            | Op::HasAttribute(_)
            | Op::HasVariable(_) => {
                self.note(program, node, depth, found);
            }
            Op::Variable(_)
            | Op::Select(_)
            | Op::Has { .. }
            | Op::Attempt(_)
            | Op::Index { .. }
            | Op::Matches(..)
            | Op::InNetwork { .. }
            | Op::OnTexts { .. }
            | Op::Call(..)
            | Op::Alternative(..)
            | Op::Comprehension(_) => self.note(program, node, depth, found),
            Op::Logic(_, operands) => {
                operands.iter().for_each(|operand| self.note(program, operand, depth, found));
            }
            _ => self.below(program, node, depth, found),
        }
    }

    /// Lists `node` itself with what it reads, unless it is listed already.
    fn note(&mut self, program: &'r Program, node: &'r Node, depth: usize, found: &mut Vec<Reading>) {
        let text = program.text(node);
        if matches!(node.op, Op::Kept(_)) && !is_named(text) {
            return;
        }
        if depth == EXPLAINED_DEPTH || !self.known.insert(text) {
            return;
        }
        let Some(room) = self.room.checked_sub(1) else {
            return;
        };
        self.room = room;
        let mut readings = Vec::new();
        let mut definition = None;
        match &node.op {
            Op::Variable(slot) => {
                if let Some((_, variable)) = self.scope.frame().variables.get(*slot) {
                    definition = Some(variable.source.to_string());
                    self.walk(variable, &variable.form.root, depth + 1, &mut readings);
                }
            }
            Op::Logic(..) => self.walk(program, node, depth + 1, &mut readings),
            _ => self.below(program, node, depth + 1, &mut readings),
        }
        let value = value(program, node, self.scope);
        found.push(Reading { expression: text.to_owned(), value, definition, readings });
    }

    /// What the parts of `node` read, but not what macros do with each element: that is no single value.
    fn below(&mut self, program: &'r Program, node: &'r Node, depth: usize, found: &mut Vec<Reading>) {
        let mut walk = |node| self.walk(program, node, depth, found);
        match &node.op {
            Op::Attempt(operand)
            | Op::Unary(_, operand)
            | Op::Matches(operand, _)
            | Op::Has { operand, .. } => walk(operand),
            Op::Select(select) => walk(&select.operand),
            Op::Index { operands, .. }
            | Op::Alternative(_, operands)
            | Op::Binary(_, operands)
            | Op::InTexts { operands, .. }
            | Op::OnTexts { operands, .. }
            | Op::InNetwork { operands, .. } => {
                operands.iter().for_each(walk);
            }
            Op::Conditional(branches) => branches.iter().for_each(walk),
            Op::Logic(_, operands) | Op::Call(_, operands) => operands.iter().for_each(walk),
            Op::List(elements) => elements.iter().for_each(|element| walk(&element.value)),
            Op::Map(entries) => entries.iter().flat_map(|entry| [&entry.key, &entry.value]).for_each(walk),
            Op::Comprehension(comprehension) => walk(&comprehension.range),
            Op::Bind { operands, .. } | Op::OptionalMap { operands, .. } => {
                operands.iter().take(1).for_each(walk);
            }
            Op::Constant(_)
            | Op::Kept(_)
            | Op::Field(_)
            | Op::Attribute(_)
            | Op::HasField(_)
            | Op::HasAttribute(_)
            | Op::Variable(_)
            | Op::HasVariable(_)
            | Op::Variables(_)
            | Op::Declared(_)
            | Op::Local(_)
            | Op::Unresolved(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
