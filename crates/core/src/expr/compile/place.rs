//! Names and selections: what `request.resource.attr.owner`, `V.x` or a macro's variable stands for.

use std::sync::Arc;

use super::request::{NAMES, ROOTS, TOKEN, full_name, members, root};
use super::{Compiler, Typed};
use crate::expr::ast::{Access, Expr, ExprKind, Span};
use crate::expr::env::{Constants, Env, Names};
use crate::expr::error::ExprFault;
use crate::expr::functions::standard::type_value;
use crate::expr::hint::nearest;
use crate::expr::ir::{Attribute, AttributeRoot, Field, Node, Op, Select};
use crate::expr::operators;
use crate::expr::types::Type;
use crate::expr::val::Val;

/// What an expression refers to, while further selections may follow.
pub(super) enum Place {
    Value(Node, Type),
    /// A member of the request.
    Field(Field, Type),
    /// Attributes of the request, or a path into them.
    Attribute(AttributeRoot, Vec<Box<str>>),
    /// `V`.
    Variables,
    /// `C`.
    Constants,
    /// `request.auxData.jwts.name`, which is where the name is written.
    Token(Box<str>, Span),
}

impl Compiler<'_> {
    pub(super) fn place(&mut self, expr: &Expr) -> Place {
        if let Some(place) = self.qualified(expr) {
            return place;
        }
        match &expr.kind {
            ExprKind::Ident { name, .. } => {
                let (node, ty) = self.unknown_name(name, expr.span);
                Place::Value(node, ty)
            }
            ExprKind::Select { operand, field, access } => {
                let place = self.place(operand);
                match access {
                    Access::Required => self.select(place, field, operand.span, expr.span),
                    Access::Optional => self.select_optional(place, field, operand.span, expr.span),
                }
            }
            ExprKind::Index { operand, index, access } => self.index(operand, index, *access, expr.span),
            _ => {
                let (node, ty) = self.value(expr);
                Place::Value(node, ty)
            }
        }
    }

    /// What a name or a dotted name stands for as a whole; a macro's variable hides all others.
    fn qualified(&self, expr: &Expr) -> Option<Place> {
        let (first, absolute) = expr.first_name()?;
        let local = self.locals.iter().rposition(|(name, _)| name == first).filter(|_| !absolute);
        if let Some((slot, (_, ty))) = local.and_then(|slot| Some((slot, self.locals.get(slot)?))) {
            let is_name = matches!(expr.kind, ExprKind::Ident { .. });
            let node = Node { op: Op::Local(slot), span: expr.span };
            return is_name.then(|| Place::Value(node, ty.clone()));
        }
        let name = expr.dotted_name()?;
        let found = match &self.env {
            Env::Policy(_) => root(&name),
            Env::Declared(declarations) => declarations
                .find(&name, absolute)
                .map(|(slot, ty)| Place::Value(Node { op: Op::Declared(slot), span: expr.span }, ty.clone())),
        };
        found.or_else(|| {
            let value = type_value(&name)?;
            Some(Place::Value(Node { op: Op::constant(value), span: expr.span }, Type::Type))
        })
    }

    fn unknown_name(&mut self, name: &Arc<str>, span: Span) -> Typed {
        let known: Vec<&str> = match &self.env {
            Env::Policy(_) => ROOTS.to_vec(),
            Env::Declared(declarations) => declarations.variables.iter().map(|(name, _)| *name).collect(),
        };
        let hint = match (&self.env, full_name(name)) {
            (Env::Policy(_), Some(full)) => Some(format!("write {full}")),
            _ => nearest(name, known).map(|name| format!("did you mean `{name}`?")),
        };
        self.unresolved(span, format!("unknown name `{name}`"), hint)
    }

    /// `place.field`.
    fn select(&mut self, place: Place, field: &Arc<str>, from: Span, span: Span) -> Place {
        match place {
            Place::Attribute(root, mut path) => {
                path.push((&**field).into());
                Place::Attribute(root, path)
            }
            Place::Variables | Place::Constants => self.policy_name(&place, field, span),
            Place::Field(Field::Tokens, _) => Place::Token((&**field).into(), from),
            Place::Token(name, _) if **field == *"claims" => {
                Place::Attribute(AttributeRoot::TokenClaims, vec![name])
            }
            Place::Field(_, record @ Type::Record(_)) => match member(&record, field) {
                Some(member) => member,
                None => {
                    let (node, ty) = self.unknown_field(&record, field, span);
                    Place::Value(node, ty)
                }
            },
            place => {
                let (operand, ty) = self.read(place, from);
                let ty = self.selected_type(&ty, field, span);
                let op = selection(operand, field, Access::Required);
                Place::Value(self.fold(Node { op, span }), ty)
            }
        }
    }

    /// `place.?field`.
    fn select_optional(&mut self, place: Place, field: &Arc<str>, from: Span, span: Span) -> Place {
        let (node, ty) = match place {
            Place::Value(..) | Place::Attribute(..) => {
                let (operand, ty) = self.read(place, from);
                let ty = self.selected_type(&ty, field, span);
                let op = selection(operand, field, Access::Optional);
                (Node { op, span }, ty)
            }
            // A name that nothing defines is a mistake anywhere but here.
            Place::Variables | Place::Constants if self.policy_op(&place, field).is_none() => {
                (Node { op: Op::constant(Val::Optional(None)), span }, Type::Dyn)
            }
            place => {
                let selected = self.select(place, field, from, span);
                let (node, ty) = self.read(selected, span);
                (Node { op: Op::Attempt(node.into()), span }, ty)
            }
        };
        let ty = match ty {
            Type::Optional(inner) => Type::Optional(inner),
            other => Type::Optional(other.into()),
        };
        Place::Value(node, ty)
    }

    fn index(&mut self, operand: &Expr, index: &Expr, access: Access, span: Span) -> Place {
        let place = self.place(operand);
        if let (ExprKind::Literal(Val::String(key)), Access::Required) = (&index.kind, access)
            && matches!(place, Place::Attribute(..) | Place::Field(Field::Tokens, _))
            && !place.is_names()
        {
            return self.select(place, &key.as_str().into(), operand.span, span);
        }
        if place.is_names() {
            let hint = "write `V.name`, `C.name` or `G.name`";
            let (node, ty) = self.unresolved(span, "names are not read by index".into(), Some(hint.into()));
            return Place::Value(node, ty);
        }
        let (operand, operand_type) = self.read(place, operand.span);
        let (index, index_type) = self.value(index);
        let (name, overloads) = match access {
            Access::Required => ("[]", operators::INDEX),
            Access::Optional => ("[?]", operators::OPTIONAL_INDEX),
        };
        let ty = self.overload(name, overloads, &[operand_type, index_type], span);
        let node = Node { op: Op::Index { operands: Box::new([operand, index]), access }, span };
        Place::Value(self.fold(node), ty)
    }

    /// `V.name` or `C.name`.
    fn policy_name(&mut self, place: &Place, name: &str, span: Span) -> Place {
        if let Some(op) = self.policy_op(place, name) {
            if let Op::Variable(slot) = op {
                self.uses.insert(slot);
            }
            return Place::Value(Node { op, span }, Type::Dyn);
        }
        let names = self.names();
        let (what, known, fault): (_, Vec<&str>, _) = match place {
            Place::Variables => ("variable", names.variables.to_vec(), ExprFault::UndefinedVariable),
            _ => {
                let known = names.constants.into_iter().flat_map(Constants::names).collect();
                ("constant", known, ExprFault::UndefinedConstant)
            }
        };
        let hint = nearest(name, known).map(|name| format!("did you mean `{name}`?"));
        let (node, ty) = self.undefined(fault, span, format!("unknown {what} `{name}`"), hint);
        Place::Value(node, ty)
    }

    fn names(&self) -> Names<'_> {
        match self.env {
            Env::Policy(names) => names,
            Env::Declared(_) => Names::default(),
        }
    }

    fn policy_op(&self, place: &Place, name: &str) -> Option<Op> {
        let names = self.names();
        match place {
            Place::Variables => names.variables.iter().position(|known| *known == name).map(Op::Variable),
            _ => names.constants.and_then(|constants| constants.get(name)).map(Op::constant),
        }
    }

    fn unknown_field(&mut self, record: &Type, field: &str, span: Span) -> Typed {
        let known = members(record).into_iter().flatten().filter_map(|(names, _)| names.first().copied());
        let known: Vec<_> = known.collect();
        // `attributes` is far from `attr` by its letters, and yet it is what is meant.
        let whole = known.iter().find(|name| name.len() > 2 && field.starts_with(**name)).copied();
        let hint = whole.or_else(|| nearest(field, known)).map(|name| format!("did you mean `{name}`?"));
        self.unresolved(span, format!("unknown field `{field}`"), hint)
    }

    /// The type of a field of a value of type `ty`.
    fn selected_type(&mut self, ty: &Type, field: &str, span: Span) -> Type {
        match self.types.resolve(ty) {
            Type::Map(_, value) => *value,
            NAMES => Type::Dyn,
            record @ Type::Record(_) => match member(&record, field) {
                Some(Place::Field(_, ty)) => ty,
                Some(Place::Attribute(_, path)) if !path.is_empty() => Type::Dyn,
                Some(_) => Type::attributes(),
                None => self.unknown_field(&record, field, span).1,
            },
            Type::Dyn | Type::Parameter(_) => Type::Dyn,
            Type::Optional(inner) => Type::Optional(self.selected_type(&inner, field, span).into()),
            other => {
                self.mistyped(span, format!("a value of type {other} has no field `{field}`"));
                Type::Dyn
            }
        }
    }

    /// `has(operand.field)`.
    pub(super) fn has(&mut self, operand: &Expr, field: &Arc<str>, span: Span) -> (Op, Type) {
        let place = self.place(operand);
        if matches!(place, Place::Value(..) | Place::Token(..)) {
            let (node, ty) = self.read(place, operand.span);
            self.selected_type(&ty, field, span);
            return (Op::Has { operand: node.into(), field: (&**field).into() }, Type::Bool);
        }
        let op = match self.select(place, field, operand.span, span) {
            Place::Attribute(root, path) => Op::HasAttribute(Attribute { root, path: path.into() }),
            Place::Token(name, _) => {
                Op::HasAttribute(Attribute { root: AttributeRoot::TokenClaims, path: [name].into() })
            }
            Place::Field(field, _) => Op::HasField(field),
            Place::Value(Node { op: Op::Variable(slot), .. }, _) => Op::HasVariable(slot),
            Place::Value(Node { op: Op::Unresolved(name), .. }, _) => Op::Unresolved(name),
            Place::Value(..) => Op::constant(Val::Bool(true)),
            _ => Op::constant(Val::Bool(false)),
        };
        (op, Type::Bool)
    }

    /// The value at `place`.
    pub(super) fn read(&mut self, place: Place, span: Span) -> Typed {
        let (op, ty) = match place {
            Place::Value(node, ty) => return (node, ty),
            Place::Field(field, ty) => (Op::Field(field), ty),
            Place::Attribute(root, path) => {
                let ty = match (root, path.len()) {
                    (AttributeRoot::Globals, 0) => NAMES,
                    (AttributeRoot::TokenClaims, 1) | (_, 0) => Type::attributes(),
                    _ => Type::Dyn,
                };
                (Op::Attribute(Attribute { root, path: path.into() }), ty)
            }
            Place::Token(field, tokens) => {
                let operand = Node { op: Op::Field(Field::Tokens), span: tokens };
                (selection(operand, &field, Access::Required), TOKEN)
            }
            Place::Constants => {
                let constants = self.names().constants.map(Constants::as_map);
                (Op::constant(constants.unwrap_or_else(|| Constants::default().as_map())), NAMES)
            }
            Place::Variables => {
                let count = self.names().variables.len();
                self.uses.extend(0..count);
                (Op::Variables(count), NAMES)
            }
        };
        (Node { op, span }, ty)
    }
}

impl Place {
    /// Whether it is `V`, `C` or `G` as a whole.
    fn is_names(&self) -> bool {
        match self {
            Place::Variables | Place::Constants => true,
            Place::Attribute(AttributeRoot::Globals, path) => path.is_empty(),
            _ => false,
        }
    }
}

fn selection(operand: Node, field: &str, access: Access) -> Op {
    Op::Select(Select { operand, field: field.into(), access }.into())
}

/// What `field` of a record stands for.
fn member(record: &Type, field: &str) -> Option<Place> {
    let (_, member) = members(record)?.iter().find(|(names, _)| names.contains(&field))?;
    Some(member())
}
