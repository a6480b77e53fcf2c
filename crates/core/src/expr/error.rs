//! What can be wrong with an expression, before and during evaluation.

use std::ops::Range;

/// A finding about the text of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprDiagnostic {
    /// Byte range in the source.
    pub range: Range<usize>,
    /// What is wrong: lower-case, no final stop, names in backticks.
    pub message: String,
    /// How to mend it, when known.
    pub hint: Option<String>,
    /// What kind of finding.
    pub kind: ExprFault,
}

/// The kinds of [`ExprDiagnostic`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExprFault {
    /// The text is no valid expression.
    Invalid,
    /// It names a variable that the policy does not have.
    UndefinedVariable(String),
    /// It names a constant that the policy does not have.
    UndefinedConstant(String),
}

impl ExprDiagnostic {
    /// A finding of kind [`ExprFault::Invalid`].
    pub(crate) fn new(range: Range<usize>, message: String, hint: Option<String>) -> Self {
        Self { range, message, hint, kind: ExprFault::Invalid }
    }
}

/// Why an evaluation has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// What kind of failure.
    pub kind: EvalErrorKind,
    /// Byte range in the source of the part that failed.
    pub range: Range<usize>,
    /// What happened: lower-case, no final stop.
    pub message: String,
}

/// The kinds of [`EvalError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvalErrorKind {
    /// A map has no such key, or an attribute is absent.
    NoSuchKey,
    /// A function or operator does not take values of these types.
    NoSuchOverload,
    /// The value of an argument is outside what the function takes.
    InvalidArgument,
    /// Arithmetic overflow, division by zero, index out of range.
    Range,
    /// The cost limit of the expression or the call was reached.
    CostExceeded,
}

impl EvalError {
    /// An error at `range`.
    #[must_use]
    pub fn new(kind: EvalErrorKind, range: Range<usize>, message: String) -> Self {
        Self { kind, range, message }
    }
}
