//! CEL expressions: source text -> tree -> checked -> compiled [`Program`] -> [`Val`].
//!
//! A program is compiled once per policy and evaluated against borrowed request values.
//! Evaluation is bounded by a [`Budget`] and every error carries its position in the source.
//! Language: <https://github.com/google/cel-spec>; extensions as policy authors know them from Cerbos.
//!
//! | file | step |
//! |---|---|
//! | `lexer`, `literal` | text to tokens |
//! | `parser`, `macros`, `ast` | tokens to tree, macros expanded |
//! | `compile`, `types`, `operators`, `env` | names resolved, types checked, constants folded: tree to `ir` |
//! | `patterns` | the regular expressions of a set of policies |
//! | `scope`, `budget` | what an evaluation reads, and what it may cost |
//! | `eval`, `ops`, `equality`, `time`, `instant`, `val` | `ir` and a [`Scope`] to a value |
//! | `signals` | the facts in force, as expressions see them |
//! | `functions`, `format` | the libraries |
//! | `output`, `wording` | values to JSON, errors to text |
//! | `explain` | what an expression read, for those who explain decisions |
//! | `always` | what an expression comes to for every request, for those who warn of it |
//! | `uses` | which variables an expression uses, for those who put them in order |

mod always;
mod ast;
mod budget;
mod compile;
mod env;
mod equality;
mod error;
mod eval;
mod explain;
mod format;
mod functions;
mod hint;
mod instant;
mod ir;
mod lexer;
mod literal;
mod macros;
mod operators;
mod ops;
mod output;
mod parser;
mod patterns;
mod scope;
mod signals;
mod time;
mod types;
mod uses;
mod val;
mod wording;

pub use always::Always;
pub use budget::Budget;
pub use env::{Constants, Declarations, Names, Typing};
pub use error::{EvalError, EvalErrorKind, ExprDiagnostic, ExprFault};
pub use explain::{Comparison, ReadValue, Reading};
pub(crate) use functions::conversions::double_text;
pub use instant::{Instant, NotAnInstant};
pub use patterns::Patterns;
pub(crate) use patterns::is_regex;
pub use scope::{Bindings, FailedVariable, Frame, Inputs, Scope};
pub use signals::InForce;
pub use types::Type;
pub use uses::{Used, names_used, variables_used};
pub use val::{List, MapVal, Opaque, SpiffeMatcher, Str, Val};

use std::fmt;
use std::sync::Arc;

use env::Env;
pub(crate) use ir::Form;
use ir::Op;

/// A compiled expression.
pub struct Program {
    source: Arc<str>,
    form: Arc<Form>,
    constants: Box<[Val<'static>]>,
    /// The error that every evaluation ends with.
    spoilt: Option<Box<EvalError>>,
}

/// Compiles an expression of a policy; all findings are reported, each with its byte range in `source`.
pub fn compile(source: &str, names: Names<'_>) -> Result<Program, Vec<ExprDiagnostic>> {
    Program::of(source, Env::Policy(names))
}

/// Compiles an expression that stands alone, with the variables that `declarations` name.
pub fn compile_with(source: &str, declarations: &Declarations<'_>) -> Result<Program, Vec<ExprDiagnostic>> {
    Program::of(source, Env::Declared(*declarations))
}

impl Program {
    fn of(source: &str, env: Env<'_>) -> Result<Self, Vec<ExprDiagnostic>> {
        let tree = parser::parse(source).map_err(|finding| vec![finding])?;
        let compile::Compiled { mut form, spoilt } = compile::compile(&tree, env)?;
        let mut constants = Vec::new();
        form.root.part_with_constants(&mut constants);
        let form = match env.patterns() {
            Some(patterns) => patterns.share(form),
            None => Arc::new(form),
        };
        Ok(Self { source: source.into(), form, constants: constants.into(), spoilt })
    }

    /// What is evaluated and the constants for that, unless it errs before.
    pub(crate) fn parts(&self) -> Option<(&Arc<Form>, &[Val<'static>])> {
        self.spoilt.is_none().then_some((&self.form, &*self.constants))
    }

    /// The expression as written.
    #[must_use]
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// The type of its value, as far as it is known before evaluation.
    #[must_use]
    pub fn result_type(&self) -> &Type {
        &self.form.result
    }

    /// What it always comes to, if that is known before evaluation; `Err` is the error it always ends with.
    #[must_use]
    pub fn constant(&self) -> Option<Result<&Val<'static>, &EvalError>> {
        match (&self.spoilt, &self.form.root.op) {
            (Some(error), _) => Some(Err(&**error)),
            (None, Op::Kept(slot)) => self.constants.get(*slot).map(Ok),
            _ => None,
        }
    }

    /// The slots of the variables that it uses, sorted.
    #[must_use]
    pub fn uses(&self) -> &[u32] {
        &self.form.uses
    }

    /// Evaluates against `scope`; an error names the byte range that failed.
    pub fn eval<'r>(&'r self, scope: &Scope<'r>) -> Result<Val<'r>, EvalError> {
        self.run(scope).map_err(|error| *error)
    }

    /// Evaluates against `scope` for the boolean that a condition is; `None` if its value is none.
    /// The answer and what it costs are those of [`eval`](Self::eval), which takes longer.
    pub fn holds<'r>(&'r self, scope: &Scope<'r>) -> Result<Option<bool>, Box<EvalError>> {
        self.ask(scope)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.source).finish()
    }
}

#[cfg(test)]
mod tests;
