//! The function libraries: one file per library, each a table of [`Function`]s.
//!
//! A table entry declares the overloads for the static checker and one native that dispatches on the run-time
//! types of its arguments, so a call on dynamic values behaves as the same call on typed ones.

use super::error::EvalErrorKind;
use super::val::Val;
use crate::model::Timestamp;

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
}

/// Evaluates a call. The caller has charged one unit; work that grows with its input charges more.
pub(crate) type Native = for<'r> fn(&CallCx<'_>, &[Val<'r>]) -> Result<Val<'r>, CallError>;

/// A type in an [`Overload`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ty {
    Dyn,
    Null,
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

/// What a native can reach.
pub(crate) struct CallCx<'c> {
    pub(crate) now: Timestamp,
    pub(crate) budget: &'c super::Budget,
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
        Self {
            kind: EvalErrorKind::NoSuchOverload,
            message: String::new(),
        }
    }

    /// An argument has a value that the function does not take.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self {
            kind: EvalErrorKind::InvalidArgument,
            message: message.into(),
        }
    }

    /// Overflow or an index out of range.
    pub(crate) fn range(message: impl Into<String>) -> Self {
        Self {
            kind: EvalErrorKind::Range,
            message: message.into(),
        }
    }
}
