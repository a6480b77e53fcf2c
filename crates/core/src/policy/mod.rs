//! Policy files: source text -> AST with spans -> checked -> compiled [`Snapshot`].
//!
//! A set of files compiles as a whole: either there is a snapshot, or there are error diagnostics for every
//! problem of every file.

mod diagnostic;
mod glob;
mod snapshot;
mod source;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use glob::{Glob, GlobError};
pub use snapshot::{
    ActionPattern, Condition, DerivedRole, Output, ResourcePolicy, Roles, Rule, Snapshot, Spanned,
};
pub use source::{Position, Revision, SourceFile};

/// What compiling a set yields: a snapshot unless a diagnostic is an error, and every diagnostic, ordered by
/// file, line and column.
#[derive(Debug)]
pub struct Compiled {
    /// The compiled set; `None` if any diagnostic is an error.
    pub snapshot: Option<Snapshot>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles a set of policy files. The order of `files` is irrelevant.
#[must_use]
pub fn compile(files: &[SourceFile]) -> Compiled {
    let revision = Revision::of(files);
    Compiled {
        snapshot: Some(Snapshot {
            revision,
            ..Snapshot::default()
        }),
        diagnostics: Vec::new(),
    }
}
