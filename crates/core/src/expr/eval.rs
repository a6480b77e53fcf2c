//! Evaluation: a walk over the compiled tree against borrowed values, one cost unit per node.
//!
//! INVARIANT(eval-stack): the tree's height is bounded and variables are evaluated in an order in which each
//! finds what it uses, so the stack is bounded too. Every arm of [`Machine::eval`] is a function of its own,
//! which keeps the frame of the recursion small.

mod access;
mod comprehension;

use super::ast::{BinaryOp, LogicOp, Span, UnaryOp};
use super::error::{EvalError, EvalErrorKind};
use super::functions::standard::{bounded, is_match, some};
use super::functions::{CallCx, CallError, Function};
use super::ir::{Element, Entry, Node, Op};
use super::ops;
use super::val::{List, MapVal, Str, Val};
use super::{Budget, Scope, wording};
use crate::model::Timestamp;

/// Errors are rare and boxed, so that results stay small.
pub(crate) type Evaluated<'r> = Result<Val<'r>, Box<EvalError>>;

/// What a node of constants yields; `None` if `budget` does not cover finding out.
pub(crate) fn constant(node: &Node, budget: &Budget) -> Option<Result<Val<'static>, EvalError>> {
    let scope = Scope::empty(budget);
    let value = Machine::new(&scope).eval(node);
    let detached = value.and_then(|value| value.detached(budget).map_err(|error| located(error, node.span)));
    match detached {
        Ok(value) => Some(Ok(value)),
        Err(error) if error.kind == EvalErrorKind::CostExceeded => None,
        Err(error) => Some(Err(*error)),
    }
}

/// One evaluation of one expression.
pub(crate) struct Machine<'s, 'r> {
    scope: &'s Scope<'r>,
    budget: &'r Budget,
    now: Timestamp,
    /// The variables that macros introduced, outermost first.
    locals: Vec<Val<'r>>,
}

impl<'s, 'r> Machine<'s, 'r> {
    pub(crate) fn new(scope: &'s Scope<'r>) -> Self {
        Self { scope, budget: scope.budget(), now: scope.now(), locals: Vec::new() }
    }

    pub(crate) fn eval(&mut self, node: &'r Node) -> Evaluated<'r> {
        self.charge(1, node.span)?;
        match &node.op {
            Op::Constant(value) => Ok(constant_value(value)),
            Op::Field(field) => self.field(*field, node.span),
            Op::Attribute(attribute) => self.attribute(attribute, node.span),
            Op::HasField(field) => self.has_field(*field, node.span),
            Op::HasAttribute(attribute) => self.has_attribute(attribute, node.span),
            Op::Variable(slot) => self.variable(*slot, node.span),
            Op::HasVariable(slot) => self.has_variable(*slot, node.span),
            Op::Variables(count) => self.variables(*count, node.span),
            Op::Declared(slot) => self.declared(*slot, node.span),
            Op::Local(slot) => self.local(*slot, node.span),
            Op::Unresolved(message) => Err(unresolved(message, node.span)),
            Op::Attempt(operand) => self.attempt(operand),
            Op::Select { operand, field, access } => self.select(operand, field, *access, node.span),
            Op::Has { operand, field } => self.has(operand, field, node.span),
            Op::Index { operands, access } => self.index(operands, *access, node.span),
            Op::Unary(op, operand) => self.unary(*op, operand, node.span),
            Op::Binary(op, operands) => self.binary(*op, operands, node.span),
            Op::Logic(op, operands) => self.logic(*op, operands),
            Op::Conditional(branches) => self.conditional(branches),
            Op::InTexts { operands, texts } => self.in_texts(operands, texts, node.span),
            Op::Matches(text, regex) => self.matches(text, regex, node.span),
            Op::Call(function, args) => self.call(function, args, node.span),
            Op::Alternative(function, operands) => self.alternative(function, operands, node.span),
            Op::List(elements) => self.list(elements, node.span),
            Op::Map(entries) => self.map(entries, node.span),
            Op::Comprehension(comprehension) => self.comprehension(comprehension),
            Op::Bind { operands, slot } => self.bind(operands, *slot),
            Op::OptionalMap { operands, slot, flat } => self.optional_map(operands, *slot, *flat),
        }
    }

    fn charge(&self, units: usize, span: Span) -> Result<(), Box<EvalError>> {
        self.budget.charge(units).map_err(|error| located(error, span))
    }

    fn unary(&mut self, op: UnaryOp, operand: &'r Node, span: Span) -> Evaluated<'r> {
        let value = self.eval(operand)?;
        ops::unary(op, &value).map_err(|error| refused(error, op.symbol(), &[value], span))
    }

    fn binary(&mut self, op: BinaryOp, [left, right]: &'r [Node; 2], span: Span) -> Evaluated<'r> {
        let a = self.eval(left)?;
        let b = self.eval(right)?;
        ops::binary(op, &a, &b, self.budget).map_err(|error| refused(error, op.symbol(), &[a, b], span))
    }

    /// `&&` and `||`: an operand that decides does so whatever fails beside it.
    fn logic(&mut self, op: LogicOp, operands: &'r [Node]) -> Evaluated<'r> {
        let decisive = op == LogicOp::Or;
        let mut failure = None;
        for operand in operands {
            match self.condition(operand) {
                Ok(value) if value == decisive => return Ok(Val::Bool(decisive)),
                Ok(_) => {}
                Err(error) if error.kind == EvalErrorKind::CostExceeded => return Err(error),
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(Val::Bool(!decisive)), Err)
    }

    /// The boolean that a node yields; anything else is an error.
    fn condition(&mut self, node: &'r Node) -> Result<bool, Box<EvalError>> {
        match self.eval(node)? {
            Val::Bool(value) => Ok(value),
            other => Err(refused(CallError::no_overload(), "!", &[other], node.span)),
        }
    }

    fn conditional(&mut self, [test, then, otherwise]: &'r [Node; 3]) -> Evaluated<'r> {
        if self.condition(test)? { self.eval(then) } else { self.eval(otherwise) }
    }

    fn in_texts(&mut self, operands: &'r [Node; 2], texts: &'r [Box<str>], span: Span) -> Evaluated<'r> {
        let [needle, list] = operands;
        match self.eval(needle)? {
            Val::String(text) => {
                let found = texts.binary_search_by(|known| (**known).cmp(text.as_str())).is_ok();
                Ok(Val::Bool(found))
            }
            // A SPIFFE id is equal to its text.
            opaque @ Val::Opaque(_) => {
                let list = self.eval(list)?;
                ops::contains(&list, &opaque, self.budget)
                    .map(Val::Bool)
                    .map_err(|error| located(error, span))
            }
            _ => Ok(Val::Bool(false)),
        }
    }

    fn matches(&mut self, text: &'r Node, regex: &'r regex::Regex, span: Span) -> Evaluated<'r> {
        let value = self.eval(text)?;
        let Val::String(text) = &value else {
            return Err(refused(CallError::no_overload(), "!", &[value], span));
        };
        is_match(&self.context(), regex, text).map_err(|error| located(error, span))
    }

    fn context(&self) -> CallCx<'r> {
        CallCx { now: self.now, budget: self.budget }
    }

    fn call(&mut self, function: &'static Function, args: &'r [Node], span: Span) -> Evaluated<'r> {
        match args {
            [] => self.native(function, &[], span),
            [a] => {
                let args = [self.eval(a)?];
                self.native(function, &args, span)
            }
            [a, b] => {
                let args = [self.eval(a)?, self.eval(b)?];
                self.native(function, &args, span)
            }
            _ => {
                let args: Vec<_> = args.iter().map(|arg| self.eval(arg)).collect::<Result<_, _>>()?;
                self.native(function, &args, span)
            }
        }
    }

    /// `a.or(b)`, `a.orValue(b)`: where `a` holds a value, `b` is not evaluated.
    fn alternative(
        &mut self,
        function: &'static Function,
        [first, second]: &'r [Node; 2],
        span: Span,
    ) -> Evaluated<'r> {
        let first = self.eval(first)?;
        if matches!(first, Val::Optional(Some(_))) {
            return self.native(function, &[first], span);
        }
        let args = [first, self.eval(second)?];
        self.native(function, &args, span)
    }

    fn native(&self, function: &'static Function, args: &[Val<'r>], span: Span) -> Evaluated<'r> {
        (function.call)(&self.context(), args).map_err(|error| refused(error, function.name, args, span))
    }

    fn list(&mut self, elements: &'r [Element], span: Span) -> Evaluated<'r> {
        let mut items = Vec::with_capacity(elements.len());
        for element in elements {
            let value = self.eval(&element.value)?;
            items.extend(if element.optional {
                self.optional_element(value, element.value.span)?
            } else {
                Some(value)
            });
        }
        bounded(Val::list(items), self.budget).map_err(|error| located(error, span))
    }

    fn map(&mut self, entries: &'r [Entry], span: Span) -> Evaluated<'r> {
        let mut result = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = self.eval(&entry.key)?;
            let value = self.eval(&entry.value)?;
            let value = if entry.optional {
                self.optional_entry(&key, value, entry.value.span)?
            } else {
                Some(value)
            };
            if let Some(value) = value {
                self.insert(&mut result, key, value, entry.key.span)?;
            }
        }
        bounded(Val::Map(MapVal::Owned(result.into())), self.budget).map_err(|error| located(error, span))
    }

    /// Adds an entry to a map under construction; a key occurs once.
    fn insert(
        &self,
        entries: &mut Vec<(Val<'r>, Val<'r>)>,
        key: Val<'r>,
        value: Val<'r>,
        span: Span,
    ) -> Result<(), Box<EvalError>> {
        // Numbers of attributes are doubles, so a key taken from them is one, too; only whole ones are exact.
        let is_key = match &key {
            Val::Bool(_) | Val::Int(_) | Val::Uint(_) | Val::String(_) => true,
            Val::Double(n) => n.fract() == 0.0,
            _ => false,
        };
        if !is_key {
            return Err(error(EvalErrorKind::InvalidArgument, wording::no_text(&key), span));
        }
        self.charge(entries.len(), span)?;
        for (known, _) in entries.iter() {
            if known.equals(&key, self.budget).map_err(|error| located(error, span))? {
                let message = format!("insert failed: key {} already exists", wording::shown(&key));
                return Err(error(EvalErrorKind::InvalidArgument, message, span));
            }
        }
        entries.push((key, value));
        Ok(())
    }

    fn optional_element(&self, value: Val<'r>, span: Span) -> Result<Option<Val<'r>>, Box<EvalError>> {
        unwrapped(value).map_err(|other| {
            let value = wording::shown(&other);
            let message = format!("cannot initialize optional list element from non-optional value {value}");
            error(EvalErrorKind::NoSuchOverload, message, span)
        })
    }

    fn optional_entry(
        &self,
        key: &Val<'r>,
        value: Val<'r>,
        span: Span,
    ) -> Result<Option<Val<'r>>, Box<EvalError>> {
        unwrapped(value).map_err(|other| {
            let (key, value) = (wording::shown(key), wording::shown(&other));
            let message = format!("cannot initialize optional entry '{key}' from non-optional value {value}");
            error(EvalErrorKind::NoSuchOverload, message, span)
        })
    }

    fn bind(&mut self, [value, body]: &'r [Node; 2], slot: usize) -> Evaluated<'r> {
        let value = self.eval(value)?;
        self.with_local(slot, value, body)
    }

    fn optional_map(&mut self, [operand, body]: &'r [Node; 2], slot: usize, flat: bool) -> Evaluated<'r> {
        let value = self.eval(operand)?;
        let unwrapped = unwrapped(value)
            .map_err(|other| refused(CallError::no_overload(), "hasValue", &[other], operand.span))?;
        let Some(inner) = unwrapped else {
            return Ok(Val::Optional(None));
        };
        let result = self.with_local(slot, inner, body)?;
        match result {
            // As in the peer, what is no optional is the result as it is.
            result if flat => Ok(result),
            other => some(other, self.budget).map_err(|error| located(error, body.span)),
        }
    }

    /// Evaluates `body` with one more local, in `slot`.
    fn with_local(&mut self, slot: usize, value: Val<'r>, body: &'r Node) -> Evaluated<'r> {
        self.locals.truncate(slot);
        self.locals.push(value);
        let result = self.eval(body);
        self.locals.truncate(slot);
        result
    }
}

/// What an optional holds; `Err` is a value that is no optional.
fn unwrapped<'r>(value: Val<'r>) -> Result<Option<Val<'r>>, Val<'r>> {
    match value {
        Val::Optional(inner) => Ok(inner.map(|inner| (*inner).clone())),
        other => Err(other),
    }
}

fn error(kind: EvalErrorKind, message: String, span: Span) -> Box<EvalError> {
    EvalError::new(kind, span.range(), message).into()
}

fn absent(name: &str, span: Span) -> Box<EvalError> {
    error(EvalErrorKind::NoSuchKey, wording::no_such_key(name), span)
}

fn unresolved(message: &str, span: Span) -> Box<EvalError> {
    error(EvalErrorKind::NoSuchOverload, message.to_owned(), span)
}

/// The error of a function or operator, with its place.
fn located(failure: CallError, span: Span) -> Box<EvalError> {
    error(failure.kind, failure.message, span)
}

/// As [`located`]; where no overload fits, the message may name function and types.
fn refused(failure: CallError, name: &str, args: &[Val<'_>], span: Span) -> Box<EvalError> {
    if failure.kind != EvalErrorKind::NoSuchOverload || !failure.message.is_empty() {
        return located(failure, span);
    }
    error(failure.kind, wording::no_overload(name, args), span)
}

/// A constant as a value: text is borrowed from the program, which counts no references.
fn constant_value<'r>(value: &'r Val<'static>) -> Val<'r> {
    match value {
        Val::String(text) => Val::String(Str::Borrowed(text.as_str())),
        other => other.clone(),
    }
}

/// The list of names as a value.
fn names(names: &[std::sync::Arc<str>]) -> Val<'_> {
    let items = names.iter().map(|name| Val::String(Str::Borrowed(name)));
    Val::List(List::Owned(items.collect()))
}
