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
    /// What kind of mistake.
    pub fault: ExprFault,
}

/// The kinds of [`ExprDiagnostic`], as tools tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExprFault {
    /// Syntax, types, names of the language.
    Invalid,
    /// `V.name`, and no variable of the policy has the name.
    UndefinedVariable,
    /// `C.name`, and no constant of the policy has the name.
    UndefinedConstant,
}

impl ExprDiagnostic {
    /// A finding about the expression itself.
    pub(crate) fn new(range: Range<usize>, message: String, hint: Option<String>) -> Self {
        Self { range, message, hint, fault: ExprFault::Invalid }
    }
}

/// Why an evaluation has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// What kind of failure.
    pub kind: EvalErrorKind,
    /// Byte range in the source of the part that failed.
    pub range: Range<usize>,
    /// What happened, in the words of the peer: callers see it in outputs.
    pub message: String,
    /// What happened in the variable that failed, if one was read.
    pub cause: Option<Box<str>>,
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
    /// A constant that is written out is not what it is converted to, as in `int("x")`: the expression never has a
    /// value.
    BadConstant,
    /// The cost limit of the expression or the call was reached.
    CostExceeded,
}

impl EvalError {
    /// An error at `range`.
    #[must_use]
    pub fn new(kind: EvalErrorKind, range: Range<usize>, message: String) -> Self {
        Self { kind, range, message, cause: None }
    }

    /// What happened and why, for those who mend it.
    #[must_use]
    pub fn account(&self) -> String {
        match &self.cause {
            Some(cause) => format!("{}: {cause}", self.message),
            None => self.message.clone(),
        }
    }
}
