//! The function libraries: one file per library, each a table of [`Function`]s.
//!
//! A table entry declares the overloads for the static checker and one native that dispatches on the run-time
//! types of its arguments, so a call on dynamic values behaves as the same call on typed ones.

pub(crate) mod cerbos_time;
pub(crate) mod conversions;
pub(crate) mod encoders;
pub(crate) mod hierarchy;
pub(crate) mod lists;
pub(crate) mod math;
pub(crate) mod network;
pub(crate) mod opaque;
pub(crate) mod optionals;
pub(crate) mod paths;
pub(crate) mod regex;
pub(crate) mod sets;
pub(crate) mod signals;
pub(crate) mod spiffe;
pub(crate) mod standard;
pub(crate) mod strings;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod times;

use super::Budget;
use super::error::EvalErrorKind;
use super::val::Val;
use crate::limits;
use crate::model::Timestamp;

/// The extension libraries.
/// INVARIANT(one-entry-per-name): a name occurs once in all tables; a test holds it.
pub(crate) const LIBRARIES: &[&[Function]] = &[
    cerbos_time::FUNCTIONS,
    encoders::FUNCTIONS,
    hierarchy::FUNCTIONS,
    lists::FUNCTIONS,
    math::FUNCTIONS,
    network::FUNCTIONS,
    paths::FUNCTIONS,
    regex::FUNCTIONS,
    sets::FUNCTIONS,
    signals::FUNCTIONS,
    spiffe::FUNCTIONS,
    standard::FUNCTIONS,
    strings::FUNCTIONS,
    times::FUNCTIONS,
    conversions::FUNCTIONS,
    optionals::FUNCTIONS,
];

/// A function or method by name, with all its overloads.
pub(crate) struct Function {
    /// As written in an expression; namespaced names keep their dots (`math.greatest`).
    pub(crate) name: &'static str,
    /// The overloads that the static checker knows.
    pub(crate) overloads: &'static [Overload],
    /// Evaluates a call; a method's receiver is the first argument.
    pub(crate) call: Native,
}

/// One overload, for the static checker.
pub(crate) struct Overload {
    /// Called as `receiver.name(args)`; then the receiver is `params[0]`.
    pub(crate) member: bool,
    pub(crate) params: &'static [Ty],
    pub(crate) result: Ty,
    /// The last parameter may occur any further number of times.
    pub(crate) variadic: bool,
}

/// Evaluates a call. The caller has charged one unit; work that grows with its input charges more.
pub(crate) type Native = for<'r> fn(&CallCx<'_>, &[Val<'r>]) -> Result<Val<'r>, CallError>;

/// A type in an [`Overload`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ty {
    Dyn,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    Type,
    List(&'static Ty),
    Map(&'static Ty, &'static Ty),
    Optional(&'static Ty),
    /// A type parameter: the same type wherever the letter occurs in one overload.
    Param(char),
    /// An opaque type of a library, by name.
    Opaque(&'static str),
}

/// What a native answers.
pub(crate) type Outcome<'r> = Result<Val<'r>, CallError>;

/// What a native can reach.
pub(crate) struct CallCx<'c> {
    pub(crate) now: Timestamp,
    pub(crate) budget: &'c Budget,
}

impl CallCx<'_> {
    /// The instant of the call.
    pub(crate) fn now(&self) -> Timestamp {
        self.budget.note_time();
        self.now
    }
}

impl Overload {
    /// Called as `name(args)`.
    pub(crate) const fn function(params: &'static [Ty], result: Ty) -> Self {
        Self { member: false, params, result, variadic: false }
    }

    /// Called as `receiver.name(args)`.
    pub(crate) const fn method(params: &'static [Ty], result: Ty) -> Self {
        Self { member: true, params, result, variadic: false }
    }

    /// Called as `name(args)`, the last parameter once or more often.
    pub(crate) const fn variadic(params: &'static [Ty], result: Ty) -> Self {
        Self { member: false, params, result, variadic: true }
    }
}

impl CallCx<'_> {
    /// Pays for work on `elements` elements, before it is done.
    pub(crate) fn charge(&self, elements: usize) -> Result<(), CallError> {
        self.budget.charge(elements)
    }

    /// Pays for reading or writing `bytes` bytes of text, before it is done.
    pub(crate) fn charge_bytes(&self, bytes: usize) -> Result<(), CallError> {
        self.budget.charge(bytes / limits::BYTES_PER_COST_UNIT)
    }
}

/// The function called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    LIBRARIES.iter().flat_map(|library| library.iter()).find(|function| function.name == name)
}

/// The one argument of a function that takes a text.
fn only_text<'a>(args: &'a [Val<'_>]) -> Result<&'a str, CallError> {
    let [Val::String(text)] = args else {
        return Err(CallError::no_overload());
    };
    Ok(text.as_str())
}

/// Why a native failed; the evaluator adds the position.
#[derive(Debug)]
pub(crate) struct CallError {
    pub(crate) kind: EvalErrorKind,
    pub(crate) message: String,
}

impl CallError {
    /// The arguments have types that no overload takes. The evaluator words the message.
    pub(crate) fn no_overload() -> Self {
        Self { kind: EvalErrorKind::NoSuchOverload, message: String::new() }
    }

    /// An argument has a value that the function does not take.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self { kind: EvalErrorKind::InvalidArgument, message: message.into() }
    }

    /// Something is not there.
    pub(crate) fn absent(message: impl Into<String>) -> Self {
        Self { kind: EvalErrorKind::NoSuchKey, message: message.into() }
    }

    /// The budget does not cover the work.
    pub(crate) fn cost() -> Self {
        Self { kind: EvalErrorKind::CostExceeded, message: "the cost limit is reached".into() }
    }

    /// Overflow or an index out of range.
    pub(crate) fn range(message: impl Into<String>) -> Self {
        Self { kind: EvalErrorKind::Range, message: message.into() }
    }
}

#[cfg(test)]
mod tests;
