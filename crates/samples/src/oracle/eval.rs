//! The value of an expression.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::expr::{Expr, Field, Value};
use crate::model::{Ask, Item, Settings};
use crate::write::value_json;

/// The expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

/// What `has(V.x)` makes of a variable that has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// It is absent, as for the peer.
    Answers,
    /// It is used, and so the expression has no value either: closed mode.
    Fails,
}

/// What expressions can see.
#[derive(Clone, Copy)]
pub(super) struct View<'s> {
    pub(super) settings: &'s Settings,
    pub(super) ask: &'s Ask,
    pub(super) item: &'s Item,
    pub(super) names: &'s Bound,
    /// Derived roles in effect; `None` if that cannot be said.
    pub(super) held: Option<&'s BTreeSet<String>>,
    pub(super) asking: Asking,
}

/// Constants, and the variables that have a value.
#[derive(Clone, Debug, Default)]
pub(super) struct Bound {
    pub(super) variables: BTreeMap<String, Value>,
    pub(super) constants: BTreeMap<String, Value>,
}

impl View<'_> {
    pub(super) fn value(&self, expr: &Expr) -> Result<Value, Failed> {
        match expr {
            Expr::Literal(value) => Ok(value.clone()),
            Expr::Resource(name) => found(&self.item.attr, name),
            Expr::Principal(name) => found(&self.ask.attr, name),
            Expr::Variable(name) => self.names.variables.get(name).cloned().ok_or(Failed),
            Expr::Constant(name) => self.names.constants.get(name).cloned().ok_or(Failed),
            Expr::Global(name) => found(&self.settings.globals, name),
            Expr::Field(field) => Ok(Value::Text(self.field(*field).to_owned())),
            Expr::Has(of) if self.asking == Asking::Fails && matches!(**of, Expr::Variable(_)) => {
                self.value(of).map(|_| Value::Bool(true))
            }
            Expr::Has(of) => Ok(Value::Bool(self.value(of).is_ok())),
            Expr::Equal(a, b) => Ok(Value::Bool(self.value(a)? == self.value(b)?)),
            Expr::Not(of) => self.boolean(of).map(|value| Value::Bool(!value)),
            Expr::And(a, b) => self.either(false, a, b),
            Expr::Or(a, b) => self.either(true, a, b),
            Expr::HasRole(role) => Ok(Value::Bool(self.ask.roles.contains(role))),
            Expr::Holds(role) => self.held.map(|held| Value::Bool(held.contains(role))).ok_or(Failed),
            Expr::EffectiveDerivedRoles => {
                let held = self.held.ok_or(Failed)?;
                Ok(Value::List(held.iter().cloned().map(Value::Text).collect()))
            }
            Expr::DivisionByZero => Err(Failed),
        }
    }

    pub(super) fn json(&self, expr: &Expr) -> Option<Json> {
        self.value(expr).ok().map(|value| crate::answer::doubles(&value_json(&value)))
    }

    /// `decisive` if one of them is, whatever the other one is.
    fn either(&self, decisive: bool, a: &Expr, b: &Expr) -> Result<Value, Failed> {
        let (a, b) = (self.boolean(a), self.boolean(b));
        if a == Ok(decisive) || b == Ok(decisive) {
            return Ok(Value::Bool(decisive));
        }
        let (a, b) = (a?, b?);
        Ok(Value::Bool(a && b))
    }

    fn boolean(&self, expr: &Expr) -> Result<bool, Failed> {
        match self.value(expr)? {
            Value::Bool(value) => Ok(value),
            Value::Number(_) | Value::Text(_) | Value::List(_) => Err(Failed),
        }
    }

    fn field(&self, field: Field) -> &str {
        match field {
            Field::Kind => &self.item.kind,
            Field::PrincipalId => &self.ask.principal,
            Field::ResourceScope => self.item.scope.trim_start_matches('.'),
            Field::PrincipalScope => self.ask.scope.trim_start_matches('.'),
            Field::ResourceVersion => &self.item.version,
        }
    }
}

fn found(values: &[(String, Value)], name: &str) -> Result<Value, Failed> {
    values.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).ok_or(Failed)
}
