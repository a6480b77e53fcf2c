//! Findings about policy text.

use super::Position;

/// A finding: a stable code, a place, what is wrong and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of finding.
    pub code: Code,
    /// Whether it keeps the set from going live.
    pub severity: Severity,
    /// Where it was found.
    pub position: Position,
    /// What is wrong: lower-case, no final stop, names in backticks.
    pub message: String,
    /// How to mend it, when known.
    pub hint: Option<String>,
    /// The source around the place, with the place marked.
    pub frame: String,
}

/// Whether a finding keeps the set from going live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The set does not go live.
    Error,
    /// The set goes live; its author should look.
    Warning,
}

/// The kinds of finding. A code never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// P0001: the file is not UTF-8, too large or not well-formed YAML or JSON.
    Syntax,
}

impl Code {
    /// The code as shown to authors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Code::Syntax => "P0001",
        }
    }
}
