//! Syntax tree to program: names resolved, types checked, constants folded, in one walk.
//!
//! Each expression yields its node and its static type. Findings are gathered, not thrown: after one, the walk
//! goes on with a dynamic type so that a mistake is reported once.

mod call;
mod fold;
mod place;
mod request;
mod written;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Budget;
use super::ast::{self, BinaryOp, ComprehensionKind, Expr, ExprKind, LogicOp, Span, UnaryOp};
use super::env::{Env, Typing};
use super::error::{EvalError, ExprDiagnostic, ExprFault};
use super::functions::Overload;
use super::ir::{self, Form, Node, Op};
use super::operators;
use super::types::{Type, Unifier};
use super::val::Val;

/// A compiled tree.
pub(crate) struct Compiled {
    /// With the constants still in it.
    pub(crate) form: Form,
    /// The error that every evaluation ends with.
    pub(crate) spoilt: Option<Box<EvalError>>,
}

/// Compiles `expr`; all findings are reported.
pub(crate) fn compile(expr: &Expr, env: Env<'_>) -> Result<Compiled, Vec<ExprDiagnostic>> {
    let mut compiler = Compiler {
        env,
        types: Unifier::default(),
        locals: Vec::new(),
        uses: BTreeSet::new(),
        findings: Vec::new(),
        suspects: Vec::new(),
        last_items: Vec::new(),
        folding: Budget::new(FOLDING_COST, FOLDING_COST),
    };
    let (mut root, ty) = compiler.value(expr);
    if compiler.findings.is_empty() {
        let fold::Settled { spoilt, fails } = fold::settle(&mut root, &compiler.suspects, &compiler.folding);
        let result = compiler.types.resolve(&ty).closed();
        // A policy has fewer variables than bytes.
        let uses = compiler.uses.into_iter().filter_map(|slot| u32::try_from(slot).ok()).collect();
        return Ok(Compiled { form: Form { root, uses, result, fails }, spoilt: spoilt.map(Box::new) });
    }
    compiler.findings.sort_by_key(|finding| finding.range.start);
    Err(compiler.findings)
}

/// Cost units that folding the constants of one expression may spend.
const FOLDING_COST: u64 = 10_000;

type Typed = (Node, Type);

struct Compiler<'a> {
    env: Env<'a>,
    types: Unifier,
    /// The variables that macros introduced around the current expression, outermost first.
    locals: Vec<(Arc<str>, Type)>,
    uses: BTreeSet<usize>,
    findings: Vec<ExprDiagnostic>,
    /// Conversions of constants that fail.
    suspects: Vec<Span>,
    /// The types of the items of the list that was compiled last.
    last_items: Vec<Type>,
    /// What folding constants may still cost: it bounds what they take in memory, too.
    folding: Budget,
}

impl Compiler<'_> {
    fn value(&mut self, expr: &Expr) -> Typed {
        let span = expr.span;
        let (op, ty) = match &expr.kind {
            ExprKind::Literal(value) => literal(value),
            ExprKind::Ident { .. } | ExprKind::Select { .. } | ExprKind::Index { .. } => {
                let place = self.place(expr);
                return self.read(place, span);
            }
            ExprKind::Has { operand, field } => self.has(operand, field, span),
            ExprKind::Call(call) => return self.call(call, span),
            ExprKind::Unary { op, operand } => self.unary(*op, operand, span),
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right, span),
            ExprKind::Logic { op, operands } => self.logic(*op, operands),
            ExprKind::Conditional { test, then, otherwise } => {
                self.conditional([test, then, otherwise], span)
            }
            ExprKind::List(elements) => self.list(elements),
            ExprKind::Map(entries) => self.map(entries),
            ExprKind::Comprehension(comprehension) => self.comprehension(comprehension),
            ExprKind::Bind { name, value, body } => self.bind(name, value, body),
            ExprKind::OptionalMap { operand, name, body, flat } => {
                self.optional_map(operand, name, body, *flat)
            }
        };
        (self.fold(Node { op, span }), ty)
    }

    fn unary(&mut self, op: UnaryOp, operand: &Expr, span: Span) -> (Op, Type) {
        let (node, ty) = self.value(operand);
        let ty = self.overload(op.symbol(), operators::unary(op), &[ty], span);
        (Op::Unary(op, node.into()), ty)
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, span: Span) -> (Op, Type) {
        let (left, left_type) = self.value(left);
        let (right, right_type) = self.value(right);
        let ty = self.overload(op.symbol(), operators::binary(op), &[left_type, right_type], span);
        let operands = Box::new([left, right]);
        match (op, fold::texts(&operands)) {
            (BinaryOp::In, Some(texts)) => (Op::InTexts { operands, texts }, ty),
            _ => (Op::Binary(op, operands), ty),
        }
    }

    fn logic(&mut self, op: LogicOp, operands: &[Expr]) -> (Op, Type) {
        let nodes = operands.iter().map(|operand| self.condition(operand)).collect();
        (Op::Logic(op, nodes), Type::Bool)
    }

    /// A value that must be a boolean.
    fn condition(&mut self, expr: &Expr) -> Node {
        let (node, ty) = self.value(expr);
        if !self.types.agree(&ty, &Type::Bool) {
            let message = format!("expected a bool but found {}", self.shown(&ty));
            self.mistyped(expr.span, message);
        }
        node
    }

    fn conditional(&mut self, branches: [&Expr; 3], span: Span) -> (Op, Type) {
        let branches = branches.map(|branch| self.value(branch));
        let [(test, a), (then, b), (otherwise, c)] = branches;
        let ty = self.overload("?:", operators::CONDITIONAL, &[a, b, c], span);
        (Op::Conditional(Box::new([test, then, otherwise])), ty)
    }

    fn list(&mut self, elements: &[ast::Element]) -> (Op, Type) {
        let mut joined: Option<Type> = None;
        let mut nodes = Vec::with_capacity(elements.len());
        let mut items = Vec::with_capacity(elements.len());
        for element in elements {
            let (value, ty) = self.value(&element.value);
            items.push(ty.clone());
            let ty = if element.optional { self.inside_optional(&ty, element.value.span) } else { ty };
            joined = Some(match joined {
                Some(before) => self.types.join(before, ty),
                None => ty,
            });
            nodes.push(ir::Element { value, optional: element.optional });
        }
        self.last_items = items;
        let item = joined.unwrap_or_else(|| self.types.fresh());
        (Op::List(nodes.into()), Type::List(item.into()))
    }

    fn map(&mut self, entries: &[ast::Entry]) -> (Op, Type) {
        let mut joined: Option<(Type, Type)> = None;
        let mut nodes = Vec::with_capacity(entries.len());
        for entry in entries {
            let (key, key_type) = self.value(&entry.key);
            let (value, ty) = self.value(&entry.value);
            let ty = if entry.optional { self.inside_optional(&ty, entry.value.span) } else { ty };
            joined = Some(match joined {
                Some((keys, values)) => (self.types.join(keys, key_type), self.types.join(values, ty)),
                None => (key_type, ty),
            });
            nodes.push(ir::Entry { key, value, optional: entry.optional });
        }
        let (key, value) = joined.unwrap_or_else(|| (self.types.fresh(), self.types.fresh()));
        (Op::Map(nodes.into()), Type::Map(key.into(), value.into()))
    }

    /// What an optional list item or map entry holds.
    fn inside_optional(&mut self, ty: &Type, span: Span) -> Type {
        let inner = self.types.fresh();
        if self.types.agree(ty, &Type::Optional(inner.clone().into())) {
            return self.types.resolve(&inner);
        }
        let message = format!("expected an optional behind the `?` but found {}", self.shown(ty));
        self.mistyped(span, message);
        Type::Dyn
    }

    fn comprehension(&mut self, comprehension: &ast::Comprehension) -> (Op, Type) {
        let (range, range_type) = self.value(&comprehension.range);
        let (key, element) = self.elements(&range_type, comprehension.range.span);
        let keyed = comprehension.variables.len() == 2;
        let introduced = match comprehension.variables.as_slice() {
            [first, second] => {
                let (index, item) = match element {
                    Some(item) => (key, item),
                    None => (Type::Dyn, Type::Dyn),
                };
                vec![(first.clone(), index), (second.clone(), item)]
            }
            variables => {
                let is_list = matches!(self.types.resolve(&range_type), Type::List(_));
                let one = match element {
                    Some(item) if is_list => item,
                    _ => key,
                };
                variables.iter().map(|name| (name.clone(), one.clone())).collect()
            }
        };
        let slot = self.locals.len();
        let one = introduced.first().map_or(Type::Dyn, |(_, ty)| ty.clone());
        self.locals.extend(introduced);
        let filter = comprehension.filter.as_ref().map(|filter| self.condition(filter));
        let (body, ty) = self.body(comprehension, &range_type, one);
        self.locals.truncate(slot);
        let kind = comprehension.kind;
        (Op::Comprehension(ir::Comprehension { kind, range, keyed, slot, filter, body }.into()), ty)
    }

    /// The body of a comprehension, and the type of the whole.
    fn body(&mut self, comprehension: &ast::Comprehension, range: &Type, element: Type) -> Typed {
        let body = &comprehension.body;
        match comprehension.kind {
            ComprehensionKind::All | ComprehensionKind::Exists | ComprehensionKind::ExistsOne => {
                (self.condition(body), Type::Bool)
            }
            ComprehensionKind::Filter => (self.condition(body), Type::List(element.into())),
            ComprehensionKind::Collect => {
                let (node, ty) = self.value(body);
                (node, Type::List(ty.into()))
            }
            ComprehensionKind::TransformMap => {
                let (node, ty) = self.value(body);
                let key = match self.types.resolve(range) {
                    Type::Map(key, _) => *key,
                    Type::List(_) => Type::Int,
                    _ => Type::Dyn,
                };
                (node, Type::Map(key.into(), ty.into()))
            }
            ComprehensionKind::TransformMapEntry => {
                let (node, ty) = self.value(body);
                let entry = Type::Map(self.types.fresh().into(), self.types.fresh().into());
                if !self.types.agree(&ty, &entry) {
                    let message = format!("expected a map of one entry but found {}", self.shown(&ty));
                    self.mistyped(body.span, message);
                }
                (node, self.types.resolve(&entry))
            }
        }
    }

    /// Types of index and item of a list, key and value of a map; only dynamic ones are known of neither.
    fn elements(&mut self, range: &Type, span: Span) -> (Type, Option<Type>) {
        match self.types.resolve(range) {
            Type::List(item) => (Type::Int, Some(*item)),
            Type::Map(key, value) => (*key, Some(*value)),
            Type::Dyn | Type::Parameter(_) => (Type::Dyn, None),
            other => {
                self.mistyped(span, format!("expected a list or map to walk over but found {other}"));
                (Type::Dyn, None)
            }
        }
    }

    fn bind(&mut self, name: &Arc<str>, value: &Expr, body: &Expr) -> (Op, Type) {
        let (value, ty) = self.value(value);
        let slot = self.locals.len();
        self.locals.push((name.clone(), ty));
        let (body, ty) = self.value(body);
        self.locals.truncate(slot);
        (Op::Bind { operands: Box::new([value, body]), slot }, ty)
    }

    fn optional_map(&mut self, operand: &Expr, name: &Arc<str>, body: &Expr, flat: bool) -> (Op, Type) {
        let (value, ty) = self.value(operand);
        let inner = self.inside_optional(&ty, operand.span);
        let slot = self.locals.len();
        self.locals.push((name.clone(), inner));
        let (node, ty) = self.value(body);
        self.locals.truncate(slot);
        let ty = if flat { self.inside_optional(&ty, body.span) } else { ty };
        (Op::OptionalMap { operands: Box::new([value, node]), slot, flat }, Type::Optional(ty.into()))
    }

    /// The type of a call of `name`; a finding if no overload takes `args`.
    fn overload(&mut self, name: &str, overloads: &[Overload], args: &[Type], span: Span) -> Type {
        self.overload_of(name, overloads, false, args, span)
    }

    fn overload_of(
        &mut self,
        name: &str,
        overloads: &[Overload],
        member: bool,
        args: &[Type],
        span: Span,
    ) -> Type {
        if let Some(ty) = self.types.call(overloads, member, args) {
            return ty;
        }
        let shown: Vec<_> = args.iter().map(|arg| self.shown(arg)).collect();
        self.mistyped(span, format!("`{name}` does not take ({})", shown.join(", ")));
        Type::Dyn
    }

    fn shown(&self, ty: &Type) -> String {
        self.types.resolve(ty).to_string()
    }

    /// A finding about types: none where types are checked during evaluation.
    fn mistyped(&mut self, span: Span, message: String) {
        if self.env.typing() == Typing::Static {
            self.finding(span, message, None);
        }
    }

    fn finding(&mut self, span: Span, message: String, hint: Option<String>) {
        self.findings.push(ExprDiagnostic::new(span.range(), message, hint));
    }

    /// A name of the policy that nothing defines.
    fn undefined(&mut self, fault: ExprFault, span: Span, message: String, hint: Option<String>) -> Typed {
        let reported = self.findings.len();
        let typed = self.unresolved(span, message, hint);
        if let Some(finding) = self.findings.get_mut(reported) {
            finding.fault = fault;
        }
        typed
    }

    /// A name that stands for nothing: a finding, or an error of the evaluation where types are dynamic.
    fn unresolved(&mut self, span: Span, message: String, hint: Option<String>) -> Typed {
        if self.env.typing() == Typing::Static {
            self.finding(span, message.clone(), hint);
        }
        (Node { op: Op::Unresolved(message.into()), span }, Type::Dyn)
    }
}

fn literal(value: &Val<'static>) -> (Op, Type) {
    let ty = match value {
        Val::Bool(_) => Type::Bool,
        Val::Int(_) => Type::Int,
        Val::Uint(_) => Type::Uint,
        Val::Double(_) => Type::Double,
        Val::String(_) => Type::String,
        Val::Bytes(_) => Type::Bytes,
        _ => Type::Null,
    };
    (Op::constant(value.clone()), ty)
}
