//! Reading: the request, its attributes, variables, and parts of values.

use std::sync::Arc;

use super::{Evaluated, Failure, Machine, absent, error, located, names, refused};
use crate::expr::ast::{Access, Span};
use crate::expr::error::{EvalError, EvalErrorKind};
use crate::expr::functions::standard::{bounded, some};
use crate::expr::ir::{Attribute, AttributeRoot, Field, Node, Op, Select};
use crate::expr::val::{List, MapVal, Str, Val};
use crate::expr::{FailedVariable, Inputs, ops, signals, wording};
use crate::model::scope_name;
use crate::value::{Map, Value};

impl<'r> Machine<'_, 'r> {
    fn inputs(&self, span: Span) -> Result<&Inputs<'r>, Failure> {
        self.scope.inputs().ok_or_else(|| absent("request", span))
    }

    pub(super) fn field(&self, field: Field, span: Span) -> Evaluated<'r> {
        let inputs = self.inputs(span)?;
        let (principal, resource) = (inputs.principal, inputs.resource);
        Ok(match field {
            Field::PrincipalId => text(&principal.id),
            Field::PrincipalRoles => Val::List(List::Names(&principal.roles)),
            Field::PrincipalVersion => text(&principal.policy_version),
            Field::PrincipalScope => text(scope_name(&principal.scope)),
            Field::ResourceKind => text(&resource.kind),
            Field::ResourceId => text(&resource.id),
            Field::ResourceVersion => text(&resource.policy_version),
            Field::ResourceScope => text(scope_name(&resource.scope)),
            Field::DerivedRoles => match inputs.derived_roles {
                Some(roles) => names(roles),
                None => return Err(absent("runtime.effectiveDerivedRoles", span)),
            },
            Field::Request => request(inputs),
            Field::Principal => principal_map(inputs),
            Field::Resource => resource_map(inputs),
            Field::AuxData => aux_data_map(inputs),
            Field::Tokens => tokens_map(inputs),
            Field::Bound => Val::Bool(inputs.aux_data.bound),
            Field::Actor => actor(inputs),
            Field::Signals => match inputs.signals {
                Some(in_force) => in_force.list(self.budget).map_err(|error| located(error, span))?,
                None => signals::none(),
            },
            Field::Runtime => record(vec![("effectiveDerivedRoles", self.field(Field::DerivedRoles, span)?)]),
        })
    }

    /// A member of the request is there unless it is empty; the derived roles always are, and err if unknown.
    pub(super) fn has_field(&self, field: Field, span: Span) -> Result<bool, Failure> {
        let value = self.field(field, span)?;
        Ok(field == Field::DerivedRoles || !ops::is_zero(&value))
    }

    pub(super) fn attribute(&self, attribute: &'r Attribute, span: Span) -> Evaluated<'r> {
        let map = self.attributes(attribute.root, span)?;
        let Some((last, parents)) = attribute.path.split_last() else {
            return Ok(Val::Map(MapVal::Values(map)));
        };
        let parent = descend(map, parents).map_err(|gap| gap.error(attribute, span))?;
        match parent.get(last) {
            Some(value) => Ok(Val::from(value)),
            None => Err(Gap::Absent(parents.len()).error(attribute, span)),
        }
    }

    pub(super) fn has_attribute(&self, attribute: &'r Attribute, span: Span) -> Result<bool, Failure> {
        let Some((last, parents)) = attribute.path.split_last() else {
            return Ok(self.attributes(attribute.root, span).is_ok_and(|map| !map.is_empty()));
        };
        if attribute.root == AttributeRoot::Actor && self.inputs(span)?.aux_data.actor.is_none() {
            return Ok(false);
        }
        let map = self.attributes(attribute.root, span)?;
        match descend(map, parents) {
            Ok(parent) => Ok(parent.get(last).is_some()),
            Err(Gap::Absent(at)) if at == parents.len() => Ok(false),
            Err(gap) => Err(gap.error(attribute, span)),
        }
    }

    /// The value at the end of the path, if there is one.
    #[inline(always)]
    pub(super) fn attribute_at_sight(&self, attribute: &'r Attribute) -> Option<&'r Value<'r>> {
        let inputs = self.scope.inputs()?;
        let map = match attribute.root {
            AttributeRoot::Principal => &inputs.principal.attr,
            AttributeRoot::Resource => &inputs.resource.attr,
            AttributeRoot::Context => inputs.context?,
            AttributeRoot::Claims => &inputs.aux_data.jwt,
            AttributeRoot::TokenClaims => &inputs.aux_data.jwts,
            AttributeRoot::Actor => inputs.aux_data.actor.as_ref()?,
            AttributeRoot::Globals => inputs.globals,
        };
        match &*attribute.path {
            [key] => map.get(key),
            [parents @ .., last] => descend(map, parents).ok()?.get(last),
            [] => None,
        }
    }

    fn attributes(&self, root: AttributeRoot, span: Span) -> Result<&'r Map<'r>, Failure> {
        let inputs = self.inputs(span)?;
        match root {
            AttributeRoot::Principal => Ok(&inputs.principal.attr),
            AttributeRoot::Resource => Ok(&inputs.resource.attr),
            AttributeRoot::Context => inputs.context.ok_or_else(|| absent(root.name(), span)),
            AttributeRoot::Claims => Ok(&inputs.aux_data.jwt),
            AttributeRoot::TokenClaims => Ok(&inputs.aux_data.jwts),
            AttributeRoot::Actor => inputs.aux_data.actor.as_ref().ok_or_else(|| absent(root.name(), span)),
            AttributeRoot::Globals => Ok(inputs.globals),
        }
    }

    pub(super) fn variable(&self, slot: usize, span: Span) -> Evaluated<'r> {
        self.scope.variable(slot).map_err(|error| in_variable(self.scope.name(slot), *error, span))
    }

    /// `has(V.x)`: whether the variable could be evaluated, if that may be asked.
    pub(super) fn has_variable(&self, slot: usize, span: Span) -> Result<bool, Failure> {
        let may_ask = self.inputs(span)?.failed_variable == FailedVariable::IsAbsent;
        match self.scope.variable(slot) {
            Err(failure) if !may_ask || failure.kind == EvalErrorKind::CostExceeded => {
                Err(in_variable(self.scope.name(slot), *failure, span))
            }
            result => Ok(result.is_ok()),
        }
    }

    /// The variables that have a value, by name.
    pub(super) fn variables(&self, count: usize, span: Span) -> Evaluated<'r> {
        let mut entries = Vec::new();
        for slot in 0..count {
            self.charge(1, span)?;
            if self.has_variable(slot, span)? {
                entries.push((Val::String(Str::Borrowed(self.scope.name(slot))), self.variable(slot, span)?));
            }
        }
        bounded(Val::Map(MapVal::Owned(entries.into())), self.budget).map_err(|error| located(error, span))
    }

    pub(super) fn declared(&self, slot: usize, span: Span) -> Evaluated<'r> {
        self.scope.declared(slot).ok_or_else(|| absent("variable", span))
    }

    /// INVARIANT(constant-slots): a constant leaves its slot behind where it is taken out of the tree.
    pub(super) fn kept(&self, slot: usize, span: Span) -> Evaluated<'r> {
        self.constants.get(slot).map(Val::borrowed).ok_or_else(|| absent("constant", span))
    }

    /// INVARIANT(local-slots): the compiler counts locals as the evaluation pushes them.
    pub(super) fn local(&self, slot: usize, span: Span) -> Evaluated<'r> {
        self.locals.get(slot).cloned().ok_or_else(|| absent("local", span))
    }

    pub(super) fn attempt(&mut self, operand: &'r Node) -> Evaluated<'r> {
        match self.eval(operand) {
            Ok(value) => some(value, self.budget).map_err(|error| located(error, operand.span)),
            Err(error) if error.kind == EvalErrorKind::NoSuchKey && self.may_be_absent(operand)? => {
                Ok(Val::Optional(None))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether `.?` may find nothing in `operand`: not where something is there and cannot be known.
    fn may_be_absent(&self, operand: &Node) -> Result<bool, Failure> {
        Ok(match operand.op {
            Op::Field(Field::DerivedRoles | Field::Runtime) => false,
            Op::Variable(_) => self.inputs(operand.span)?.failed_variable == FailedVariable::IsAbsent,
            _ => true,
        })
    }

    pub(super) fn select(&mut self, select: &'r Select, span: Span) -> Evaluated<'r> {
        let Select { operand, field, access } = select;
        match (self.eval(operand)?, access) {
            (Val::Optional(None), _) => Ok(Val::Optional(None)),
            (Val::Optional(Some(inner)), _) => self.selected(&inner, field, span).map(optional),
            (value, Access::Optional) => self.selected(&value, field, span).map(optional),
            (value, Access::Required) => self
                .selected(&value, field, span)?
                .ok_or_else(|| error(EvalErrorKind::NoSuchKey, wording::no_such_key(field), span)),
        }
    }

    pub(super) fn has(&mut self, operand: &'r Node, field: &str, span: Span) -> Result<bool, Failure> {
        match self.eval(operand)? {
            Val::Optional(None) => Ok(false),
            Val::Optional(Some(inner)) => Ok(self.selected(&inner, field, span)?.is_some()),
            value => Ok(self.selected(&value, field, span)?.is_some()),
        }
    }

    /// The field of a map.
    fn selected(&self, value: &Val<'r>, field: &str, span: Span) -> Result<Option<Val<'r>>, Failure> {
        match value {
            Val::Map(map) => map.field(field, self.budget).map_err(|error| located(error, span)),
            other => self.element(other, &Val::String(Str::Borrowed(field)), span),
        }
    }

    pub(super) fn index(
        &mut self,
        [operand, index]: &'r [Node; 2],
        access: Access,
        span: Span,
    ) -> Evaluated<'r> {
        let (operand, index) = (self.eval(operand)?, self.eval(index)?);
        let within = match &operand {
            Val::Optional(None) => return Ok(operand),
            Val::Optional(Some(inner)) => inner,
            operand => operand,
        };
        let found = self.element(within, &index, span)?;
        match (&operand, access, found) {
            (Val::Optional(_), _, found) | (_, Access::Optional, found) => Ok(optional(found)),
            (_, Access::Required, Some(found)) => Ok(found),
            (operand, Access::Required, None) => Err(located(ops::missing(operand, &index), span)),
        }
    }

    /// In expressions of a policy a value that holds nothing is one without the key, as in the peer; in those that
    /// stand alone it is an error, as in the specification.
    fn element(&self, operand: &Val<'r>, index: &Val<'_>, span: Span) -> Result<Option<Val<'r>>, Failure> {
        if self.scope.inputs().is_some() && !ops::is_container(operand) && ops::is_key(index) {
            return Ok(None);
        }
        let found = ops::element(operand, index, self.budget);
        found.map_err(|error| refused(error, "[]", std::slice::from_ref(operand), span))
    }
}

fn optional(inner: Option<Val<'_>>) -> Val<'_> {
    Val::Optional(inner.map(Arc::new))
}

fn text(text: &str) -> Val<'_> {
    Val::String(Str::Borrowed(text))
}

/// Why a path into attributes ends early.
enum Gap {
    /// The key at this place of the path is not there.
    Absent(usize),
    /// There is a list, which has no keys.
    List,
}

impl Gap {
    fn error(&self, attribute: &Attribute, span: Span) -> Failure {
        let Gap::Absent(at) = self else {
            return located(ops::no_index(&Val::list(Vec::new()), &Val::string("")), span);
        };
        let key = attribute.path.get(*at).map_or(attribute.root.name(), |key| key);
        match attribute.root {
            AttributeRoot::Globals if *at == 0 => undefined(key, span),
            _ => absent(key, span),
        }
    }
}

/// The map at the end of `keys`.
fn descend<'r>(map: &'r Map<'r>, keys: &[Box<str>]) -> Result<&'r Map<'r>, Gap> {
    let mut map = map;
    for (at, key) in keys.iter().enumerate() {
        map = match map.get(key) {
            Some(Value::Map(inner)) => inner,
            Some(Value::List(_)) => return Err(Gap::List),
            Some(_) => return Err(Gap::Absent(at + 1)),
            None => return Err(Gap::Absent(at)),
        };
    }
    Ok(map)
}

/// A name of `V` or `G` that has no value.
fn undefined(name: &str, span: Span) -> Failure {
    let message = format!("undefined field '{}'", wording::shortened(name));
    error(EvalErrorKind::NoSuchKey, message, span)
}

/// The error of a variable, as seen from where it is used: the variable has no value.
fn in_variable(name: &str, failure: EvalError, span: Span) -> Failure {
    if failure.kind == EvalErrorKind::CostExceeded {
        return error(failure.kind, failure.message, span);
    }
    let EvalError { cause, message, .. } = failure;
    let cause = cause.unwrap_or_else(|| message.into());
    Box::new(EvalError { cause: Some(cause), ..*undefined(name, span) })
}

/// A part of the request as a map; as in the peer, what is empty is left out.
fn record<'r>(members: Vec<(&'static str, Val<'r>)>) -> Val<'r> {
    let present = members.into_iter().filter(|(_, value)| !ops::is_zero(value));
    let entries = present.map(|(name, value)| (Val::String(Str::Borrowed(name)), value));
    Val::Map(MapVal::Owned(entries.collect()))
}

fn request<'r>(inputs: &Inputs<'r>) -> Val<'r> {
    let mut entries = vec![("principal", principal_map(inputs)), ("resource", resource_map(inputs))];
    entries.extend(inputs.context.map(|context| ("context", Val::Map(MapVal::Values(context)))));
    entries.extend([("auxData", aux_data_map(inputs)), ("actor", actor(inputs))]);
    record(entries)
}

fn aux_data_map<'r>(inputs: &Inputs<'r>) -> Val<'r> {
    let jwt = Val::Map(MapVal::Values(&inputs.aux_data.jwt));
    record(vec![("jwt", jwt), ("jwts", tokens_map(inputs)), ("bound", Val::Bool(inputs.aux_data.bound))])
}

fn actor<'r>(inputs: &Inputs<'r>) -> Val<'r> {
    inputs.aux_data.actor.as_ref().map_or(Val::Null, |actor| Val::Map(MapVal::Values(actor)))
}

fn tokens_map<'r>(inputs: &Inputs<'r>) -> Val<'r> {
    let claims = |value| Val::Map(MapVal::Owned([(Val::String(Str::Borrowed("claims")), value)].into()));
    let token = |(name, value)| (Val::String(Str::Borrowed(name)), claims(Val::from(value)));
    Val::Map(MapVal::Owned(inputs.aux_data.jwts.iter().map(token).collect()))
}

fn principal_map<'r>(inputs: &Inputs<'r>) -> Val<'r> {
    let principal = inputs.principal;
    record(vec![
        ("id", text(&principal.id)),
        ("roles", Val::List(List::Names(&principal.roles))),
        ("attr", Val::Map(MapVal::Values(&principal.attr))),
        ("policyVersion", text(&principal.policy_version)),
        ("scope", text(scope_name(&principal.scope))),
    ])
}

fn resource_map<'r>(inputs: &Inputs<'r>) -> Val<'r> {
    let resource = inputs.resource;
    record(vec![
        ("kind", text(&resource.kind)),
        ("id", text(&resource.id)),
        ("attr", Val::Map(MapVal::Values(&resource.attr))),
        ("policyVersion", text(&resource.policy_version)),
        ("scope", text(scope_name(&resource.scope))),
    ])
}
