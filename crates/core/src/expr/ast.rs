//! The syntax tree of an expression, macros expanded.

use std::sync::Arc;

use super::val::Val;

/// A part of the source, as byte offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// An expression.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Span,
    /// Levels of the tree below and including this node; the parser bounds it, so every walk may recurse.
    pub(crate) height: usize,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    Literal(Val<'static>),
    /// A name; `absolute` if written with a leading dot.
    Ident {
        name: Arc<str>,
        absolute: bool,
    },
    Select {
        operand: Box<Expr>,
        field: Arc<str>,
        access: Access,
    },
    /// The macro `has(operand.field)`.
    Has {
        operand: Box<Expr>,
        field: Arc<str>,
    },
    Index {
        operand: Box<Expr>,
        index: Box<Expr>,
        access: Access,
    },
    Call(Call),
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// Two or more operands of `&&` or `||`.
    Logic {
        op: LogicOp,
        operands: Vec<Expr>,
    },
    Conditional {
        test: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    List(Vec<Element>),
    Map(Vec<Entry>),
    Comprehension(Box<Comprehension>),
    /// `cel.bind(name, value, body)`.
    Bind {
        name: Arc<str>,
        value: Box<Expr>,
        body: Box<Expr>,
    },
    /// `operand.optMap(name, body)`; `flat` for `optFlatMap`.
    OptionalMap {
        operand: Box<Expr>,
        name: Arc<str>,
        body: Box<Expr>,
        flat: bool,
    },
}

/// Whether what is not there is an error or an empty optional.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    /// `a.b`, `a[b]`.
    Required,
    /// `a.?b`, `a[?b]`.
    Optional,
}

/// `function(args)` or `receiver.function(args)`.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) function: Arc<str>,
    pub(crate) receiver: Option<Box<Expr>>,
    pub(crate) args: Vec<Expr>,
}

/// An item of a list; an optional one (`[?x]`) is left out when empty.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) value: Expr,
    pub(crate) optional: bool,
}

/// An entry of a map; an optional one (`{?k: v}`) is left out when empty.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Expr,
    pub(crate) value: Expr,
    pub(crate) optional: bool,
}

/// One of the macros that walk a list or map.
#[derive(Clone, Debug)]
pub(crate) struct Comprehension {
    pub(crate) kind: ComprehensionKind,
    pub(crate) range: Expr,
    /// The element; or index and element of a list, key and value of a map.
    pub(crate) variables: Vec<Arc<str>>,
    /// Elements for which it is false are left out.
    pub(crate) filter: Option<Expr>,
    pub(crate) body: Expr,
}

/// What a comprehension makes of its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ComprehensionKind {
    All,
    Exists,
    ExistsOne,
    /// `map`, `transformList`: the list of the bodies.
    Collect,
    /// `filter`: the elements for which the body holds.
    Filter,
    /// `transformMap`: the same keys with new values.
    TransformMap,
    /// `transformMapEntry`: the union of the one-entry maps.
    TransformMapEntry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UnaryOp {
    Not,
    Negate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LogicOp {
    And,
    Or,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BinaryOp {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Span {
    /// From the start of `self` to the end of `other`.
    pub(crate) fn to(self, other: Span) -> Span {
        Span { start: self.start, end: other.end }
    }

    /// As indices into the source.
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Expr {
    /// A node over its children.
    pub(crate) fn new(kind: ExprKind, span: Span) -> Self {
        let mut below = 0;
        kind.for_each_child(&mut |child| below = below.max(child.height));
        Self { kind, span, height: below + 1 }
    }

    /// The dotted name that this is, if it is nothing but names and selections.
    pub(crate) fn dotted_name(&self) -> Option<String> {
        match &self.kind {
            ExprKind::Ident { name, .. } => Some(name.to_string()),
            ExprKind::Select { operand, field, access: Access::Required } => {
                let mut name = operand.dotted_name()?;
                name.push('.');
                name.push_str(field);
                Some(name)
            }
            _ => None,
        }
    }

    /// The name that a dotted name starts with, and whether it has a leading dot.
    pub(crate) fn first_name(&self) -> Option<(&Arc<str>, bool)> {
        match &self.kind {
            ExprKind::Ident { name, absolute } => Some((name, *absolute)),
            ExprKind::Select { operand, access: Access::Required, .. } => operand.first_name(),
            _ => None,
        }
    }
}

impl ExprKind {
    /// Calls `visit` for each direct child, in source order.
    pub(crate) fn for_each_child<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        match self {
            ExprKind::Literal(_) | ExprKind::Ident { .. } => {}
            ExprKind::Select { operand, .. }
            | ExprKind::Has { operand, .. }
            | ExprKind::Unary { operand, .. } => {
                visit(operand);
            }
            ExprKind::Index { operand: a, index: b, .. }
            | ExprKind::Binary { left: a, right: b, .. }
            | ExprKind::Bind { value: a, body: b, .. }
            | ExprKind::OptionalMap { operand: a, body: b, .. } => {
                visit(a);
                visit(b);
            }
            ExprKind::Call(call) => call.receiver.as_deref().into_iter().chain(&call.args).for_each(visit),
            ExprKind::Logic { operands, .. } => operands.iter().for_each(visit),
            ExprKind::Conditional { test, then, otherwise } => {
                [test, then, otherwise].into_iter().for_each(|child| visit(child));
            }
            ExprKind::List(elements) => elements.iter().for_each(|e| visit(&e.value)),
            ExprKind::Map(entries) => entries.iter().for_each(|e| {
                visit(&e.key);
                visit(&e.value);
            }),
            ExprKind::Comprehension(c) => {
                visit(&c.range);
                c.filter.iter().for_each(&mut *visit);
                visit(&c.body);
            }
        }
    }
}

impl BinaryOp {
    /// Whether it asks something, rather than compute something.
    pub(crate) const fn is_test(self) -> bool {
        !matches!(
            self,
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo
        )
    }

    /// As written.
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::In => "in",
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Modulo => "%",
        }
    }
}

impl UnaryOp {
    /// As written.
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            UnaryOp::Not => "!",
            UnaryOp::Negate => "-",
        }
    }
}

impl LogicOp {
    /// As written.
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            LogicOp::And => "&&",
            LogicOp::Or => "||",
        }
    }
}
