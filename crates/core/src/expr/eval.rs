//! Evaluation: a walk over the compiled tree against borrowed values, one cost unit per node.
//!
//! INVARIANT(eval-stack): the tree's height is bounded and variables are evaluated in an order in which each
//! finds what it uses, so the stack is bounded too. Every arm of [`Machine::eval`] is a function of its own,
//! which keeps the frame of the recursion small.

mod access;
mod comprehension;
mod sight;

use std::sync::Arc;

use super::ast::{BinaryOp, LogicOp, Span, UnaryOp};
use super::error::{EvalError, EvalErrorKind};
use super::functions::network::{IN_IP_ADDR_RANGE, Network};
use super::functions::standard::{TextTest, bounded, is_match, some};
use super::functions::{CallCx, CallError, Function};
use super::ir::{Constant, Element, Entry, Node, Op};
use super::ops;
use super::val::{List, MapVal, Str, Val};
use super::{Budget, Scope, wording};

/// Errors are rare and boxed, so that results stay small.
pub(crate) type Evaluated<'r> = Result<Val<'r>, Box<EvalError>>;

/// What a node of constants yields; `None` if `budget` does not cover finding out.
pub(crate) fn constant(node: &Node, budget: &Budget) -> Option<Result<Val<'static>, EvalError>> {
    let scope = Scope::empty(budget);
    let value = Machine::new(&scope, &[]).eval(node);
    let detached = value.and_then(|value| value.detached(budget).map_err(|error| located(error, node.span)));
    match detached {
        Ok(value) => Some(Ok(value)),
        Err(error) if error.kind == EvalErrorKind::CostExceeded => None,
        Err(error) => Some(Err(*error)),
    }
}

/// Why a part of an expression has no value.
type Failure = Box<EvalError>;

/// One evaluation of one expression.
pub(crate) struct Machine<'s, 'r> {
    scope: &'s Scope<'r>,
    budget: &'r Budget,
    /// The variables that macros introduced, outermost first.
    locals: Vec<Val<'r>>,
    /// The constants of the expression, by slot.
    constants: &'r [Val<'static>],
}

impl<'s, 'r> Machine<'s, 'r> {
    /// For nodes of an expression with these constants.
    pub(crate) fn new(scope: &'s Scope<'r>, constants: &'r [Val<'static>]) -> Self {
        Self { scope, budget: scope.budget(), locals: Vec::new(), constants }
    }

    /// The value of `node`.
    pub(crate) fn eval(&mut self, node: &'r Node) -> Evaluated<'r> {
        self.charge(1, node.span)?;
        self.value(node)
    }

    /// The boolean that `node` yields; `None` if it yields another value.
    pub(crate) fn truth(&mut self, node: &'r Node) -> Result<Option<bool>, Failure> {
        self.charge(1, node.span)?;
        let at_sight = match &node.op {
            Op::Binary(op, operands) => self.compared_at_sight(*op, operands),
            Op::OnTexts { operands, test, .. } => self.tested_at_sight(*test, operands),
            Op::Attribute(attribute) => self.bool_at_sight(attribute),
            _ => None,
        };
        if at_sight.is_some() {
            return Ok(at_sight);
        }
        match self.answer(node) {
            Some(answer) => answer.map(Some),
            None => self.value(node).map(|value| value.as_bool()),
        }
    }

    /// What a node yields that asks something; `None` for all others. The node itself has been paid for.
    fn answer(&mut self, node: &'r Node) -> Option<Result<bool, Failure>> {
        Some(match &node.op {
            Op::Binary(op, operands) if op.is_test() => self.compare(*op, operands, node.span),
            Op::Logic(op, operands) => self.logic(*op, operands),
            Op::Unary(UnaryOp::Not, operand) => self.not(operand, node.span),
            Op::InTexts { operands, texts } => self.in_texts(operands, texts, node.span),
            Op::InNetwork { operands, network } => self.in_network(operands, **network, node.span),
            Op::Matches(text, regex) => self.matches(text, regex, node.span),
            Op::OnTexts { operands, test, function } => self.on_texts(operands, *test, function, node.span),
            Op::HasField(field) => self.has_field(*field, node.span),
            Op::HasAttribute(attribute) => self.has_attribute(attribute, node.span),
            Op::HasVariable(slot) => self.has_variable(*slot, node.span),
            Op::Has { operand, field } => self.has(operand, field, node.span),
            _ => return None,
        })
    }

    /// What a node yields that has been paid for.
    fn value(&mut self, node: &'r Node) -> Evaluated<'r> {
        match &node.op {
            Op::Constant(Constant(value)) => Ok(value.borrowed()),
            Op::Kept(slot) => self.kept(*slot, node.span),
            Op::Field(field) => self.field(*field, node.span),
            Op::Attribute(attribute) => self.attribute(attribute, node.span),
            Op::Variable(slot) => self.variable(*slot, node.span),
            Op::Variables(count) => self.variables(*count, node.span),
            Op::Declared(slot) => self.declared(*slot, node.span),
            Op::Local(slot) => self.local(*slot, node.span),
            Op::Unresolved(message) => Err(unresolved(message, node.span)),
            Op::Attempt(operand) => self.attempt(operand),
            Op::Select(select) => self.select(select, node.span),
            Op::Index { operands, access } => self.index(operands, *access, node.span),
            Op::Unary(UnaryOp::Negate, operand) => self.negate(operand, node.span),
            Op::Binary(op, operands) if !op.is_test() => self.arithmetic(*op, operands, node.span),
            Op::Conditional(branches) => self.conditional(branches),
            Op::Call(function, args) => self.call(function, args, node.span),
            Op::Alternative(function, operands) => self.alternative(function, operands, node.span),
            Op::List(elements) => self.list(elements, node.span),
            Op::Map(entries) => self.map(entries, node.span),
            Op::Comprehension(comprehension) => self.comprehension(comprehension),
            Op::Bind { operands, slot } => self.bind(operands, *slot),
            Op::OptionalMap { operands, slot, flat } => self.optional_map(operands, *slot, *flat),
            Op::Binary(..)
            | Op::Logic(..)
            | Op::Unary(UnaryOp::Not, _)
            | Op::InTexts { .. }
            | Op::InNetwork { .. }
            | Op::Matches(..)
            | Op::OnTexts { .. }
            | Op::HasField(_)
            | Op::HasAttribute(_)
            | Op::HasVariable(_)
            | Op::Has { .. } => {
                self.answer(node).unwrap_or_else(|| Err(no_boolean(node.span))).map(Val::Bool)
            }
        }
    }

    #[inline]
    fn charge(&self, units: usize, span: Span) -> Result<(), Failure> {
        if self.budget.pays(units) { Ok(()) } else { Err(located(self.budget.refuse(), span)) }
    }

    fn negate(&mut self, operand: &'r Node, span: Span) -> Evaluated<'r> {
        let value = self.eval(operand)?;
        ops::negate(&value).map_err(|error| refused(error, UnaryOp::Negate.symbol(), &[value], span))
    }

    fn not(&mut self, operand: &'r Node, span: Span) -> Result<bool, Failure> {
        match self.truth(operand)? {
            Some(value) => Ok(!value),
            None => Err(no_boolean(span)),
        }
    }

    fn arithmetic(&mut self, op: BinaryOp, [left, right]: &'r [Node; 2], span: Span) -> Evaluated<'r> {
        let a = self.eval(left)?;
        let b = self.eval(right)?;
        ops::arithmetic(op, &a, &b, self.budget).map_err(|error| refused(error, op.symbol(), &[a, b], span))
    }

    fn compare(&mut self, op: BinaryOp, [left, right]: &'r [Node; 2], span: Span) -> Result<bool, Failure> {
        let a = self.eval(left)?;
        let b = self.eval(right)?;
        ops::test(op, &a, &b, self.budget).map_err(|error| refused(error, op.symbol(), &[a, b], span))
    }

    /// `&&` and `||`: an operand that decides does so whatever fails beside it.
    fn logic(&mut self, op: LogicOp, operands: &'r [Node]) -> Result<bool, Failure> {
        let decisive = op == LogicOp::Or;
        let mut failure = None;
        for operand in operands {
            match self.condition(operand) {
                Ok(value) if value == decisive => return Ok(decisive),
                Ok(_) => {}
                Err(error) if error.kind == EvalErrorKind::CostExceeded => return Err(error),
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(!decisive), Err)
    }

    /// The boolean that a node yields; anything else is an error.
    fn condition(&mut self, node: &'r Node) -> Result<bool, Failure> {
        match self.truth(node)? {
            Some(value) => Ok(value),
            None => Err(no_boolean(node.span)),
        }
    }

    fn conditional(&mut self, [test, then, otherwise]: &'r [Node; 3]) -> Evaluated<'r> {
        if self.condition(test)? { self.eval(then) } else { self.eval(otherwise) }
    }

    fn in_texts(
        &mut self,
        operands: &'r [Node; 2],
        texts: &'r [Arc<str>],
        span: Span,
    ) -> Result<bool, Failure> {
        let [needle, list] = operands;
        if let Some(text) = self.text_at_sight(needle) {
            return Ok(ops::is_among(texts, text));
        }
        match self.eval(needle)? {
            Val::String(text) => Ok(ops::is_among(texts, text.as_str())),
            // A SPIFFE id is equal to its text.
            opaque @ Val::Opaque(_) => {
                let list = self.eval(list)?;
                ops::contains(&list, &opaque, self.budget).map_err(|error| located(error, span))
            }
            _ => Ok(false),
        }
    }

    fn in_network(
        &mut self,
        [address, range]: &'r [Node; 2],
        network: Network,
        span: Span,
    ) -> Result<bool, Failure> {
        let address = self.eval(address)?;
        let Val::String(text) = &address else {
            let args = [address, self.eval(range)?];
            return Err(refused(CallError::no_overload(), IN_IP_ADDR_RANGE, &args, span));
        };
        self.charge(1, range.span)?;
        network.holds(text.as_str()).map_err(|error| located(error, span))
    }

    fn matches(&mut self, text: &'r Node, regex: &'r regex::Regex, span: Span) -> Result<bool, Failure> {
        let Val::String(text) = self.eval(text)? else {
            return Err(no_boolean(span));
        };
        is_match(&self.context(), regex, text.as_str()).map_err(|error| located(error, span))
    }

    fn on_texts(
        &mut self,
        [text, part]: &'r [Node; 2],
        test: TextTest,
        function: &Function,
        span: Span,
    ) -> Result<bool, Failure> {
        let args = [self.eval(text)?, self.eval(part)?];
        test.ask(&self.context(), &args).map_err(|error| refused(error, function.name, &args, span))
    }

    fn context(&self) -> CallCx<'r> {
        CallCx { now: self.scope.now(), budget: self.budget }
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
    ) -> Result<(), Failure> {
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

    fn optional_element(&self, value: Val<'r>, span: Span) -> Result<Option<Val<'r>>, Failure> {
        unwrapped(value).map_err(|other| {
            let value = wording::shown(&other);
            let message = format!("cannot initialize optional list element from non-optional value {value}");
            error(EvalErrorKind::NoSuchOverload, message, span)
        })
    }

    fn optional_entry(&self, key: &Val<'r>, value: Val<'r>, span: Span) -> Result<Option<Val<'r>>, Failure> {
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

#[cold]
fn error(kind: EvalErrorKind, message: String, span: Span) -> Failure {
    EvalError::new(kind, span.range(), message).into()
}

fn absent(name: &str, span: Span) -> Failure {
    error(EvalErrorKind::NoSuchKey, wording::no_such_key(name), span)
}

/// That something other than a boolean was met where one must be.
fn no_boolean(span: Span) -> Failure {
    error(EvalErrorKind::NoSuchOverload, wording::no_overload("!", &[]), span)
}

fn unresolved(message: &str, span: Span) -> Failure {
    error(EvalErrorKind::NoSuchOverload, message.to_owned(), span)
}

/// The error of a function or operator, with its place.
fn located(failure: CallError, span: Span) -> Failure {
    error(failure.kind, failure.message, span)
}

/// As [`located`]; where no overload fits, the message may name function and types.
fn refused(failure: CallError, name: &str, args: &[Val<'_>], span: Span) -> Failure {
    if failure.kind != EvalErrorKind::NoSuchOverload || !failure.message.is_empty() {
        return located(failure, span);
    }
    error(failure.kind, wording::no_overload(name, args), span)
}

/// The list of names as a value.
fn names(names: &[Arc<str>]) -> Val<'_> {
    let items = names.iter().map(|name| Val::String(Str::Borrowed(name)));
    Val::List(List::Owned(items.collect()))
}

#[cfg(test)]
mod tests;
