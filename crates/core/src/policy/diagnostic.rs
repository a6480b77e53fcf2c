//! Findings about policy text: what authors see when a set does not go live.

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

/// The kinds of finding. A code never changes its meaning and is never used again for another.
///
/// P0022 was in use once: it warned of names that had no value yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// P0001: the text is not well-formed YAML or JSON.
    Syntax,
    /// P0002: a file, a condition or a constant is larger or deeper than allowed.
    TooLarge,
    /// P0003: a field that no policy has at this place.
    UnknownField,
    /// P0004: a key occurs twice in one map.
    DuplicateKey,
    /// P0005: a value of another type than the field takes.
    WrongType,
    /// P0006: a field that must be given is absent or empty.
    MissingField,
    /// P0007: a value that the field does not take.
    InvalidValue,
    /// P0008: the document holds no policy, or more than one.
    NotOnePolicy,
    /// P0009: a name or value occurs twice where each must be unique.
    NotUnique,
    /// P0010: two policies of the set have the same kind, name, version and scope.
    DuplicatePolicy,
    /// P0011: an import of something that no file of the set defines.
    UnknownImport,
    /// P0012: a derived role that none of the imports defines.
    UnknownDerivedRole,
    /// P0013: a name that has more than one definition.
    AmbiguousName,
    /// P0014: the name of a variable or constant that expressions cannot use.
    InvalidName,
    /// P0015: variables that need one another.
    CyclicVariables,
    /// P0016: an expression that does not compile.
    InvalidExpression,
    /// P0017: `condition.script`, which the language no longer has.
    ScriptCondition,
    /// P0018: part of the language that this version does not evaluate yet.
    NotEvaluatedYet,
    /// P0019: a `_schemas` directory that is not at the root of the set.
    MisplacedSchemas,
    /// P0020: a field that still works and should be replaced.
    Deprecated,
    /// P0021: a role that looks like a pattern and is compared as it is written.
    PatternAsRole,
    /// P0023: policies of one scope that disagree about `scopePermissions`.
    ConflictingScopePermissions,
    /// P0024: a policy in a scope, and none of its name and version in a scope above.
    MissingScope,
    /// P0025: a role policy that does not confine its role.
    NothingConfined,
    /// P0070: an expression reads a variable that its policy does not have.
    UndefinedVariable,
    /// P0071: an expression reads a constant that its policy does not have.
    UndefinedConstant,
}

impl Code {
    /// All codes, in the order of their numbers.
    pub const ALL: [Code; 26] = [
        Code::Syntax,
        Code::TooLarge,
        Code::UnknownField,
        Code::DuplicateKey,
        Code::WrongType,
        Code::MissingField,
        Code::InvalidValue,
        Code::NotOnePolicy,
        Code::NotUnique,
        Code::DuplicatePolicy,
        Code::UnknownImport,
        Code::UnknownDerivedRole,
        Code::AmbiguousName,
        Code::InvalidName,
        Code::CyclicVariables,
        Code::InvalidExpression,
        Code::ScriptCondition,
        Code::NotEvaluatedYet,
        Code::MisplacedSchemas,
        Code::Deprecated,
        Code::PatternAsRole,
        Code::ConflictingScopePermissions,
        Code::MissingScope,
        Code::NothingConfined,
        Code::UndefinedVariable,
        Code::UndefinedConstant,
    ];

    /// The code as shown to authors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.entry().0
    }

    /// What the code is about, in a few words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.entry().1
    }

    /// What to do about it; `None` where the marked place says all there is to say.
    #[must_use]
    pub fn advice(self) -> Option<&'static str> {
        Some(self.entry().2).filter(|advice| !advice.is_empty())
    }

    /// Whether findings of this kind keep the set from going live.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Code::Deprecated | Code::PatternAsRole | Code::NothingConfined => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// Number, title, advice or nothing.
    const fn entry(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Code::Syntax => ("P0001", "not well-formed", ""),
            Code::TooLarge => ("P0002", "over a limit", "split the file or flatten what is nested"),
            Code::UnknownField => ("P0003", "unknown field", "correct the name or remove the field"),
            Code::DuplicateKey => ("P0004", "duplicate key", "keep one of the entries"),
            Code::WrongType => ("P0005", "wrong type", "write a value of the expected type; quote text"),
            Code::MissingField => ("P0006", "missing field", "add the field"),
            Code::InvalidValue => ("P0007", "invalid value", "use a value that the field takes"),
            Code::NotOnePolicy => ("P0008", "not one policy", "give each document exactly one policy body"),
            Code::NotUnique => ("P0009", "not unique", "rename or remove one of the two"),
            Code::DuplicatePolicy => {
                ("P0010", "duplicate policy", "remove one, or change its name or version")
            }
            Code::UnknownImport => {
                ("P0011", "unknown import", "correct the name or add the file that exports it")
            }
            Code::UnknownDerivedRole => {
                ("P0012", "unknown derived role", "correct the name or import the file that defines it")
            }
            Code::AmbiguousName => ("P0013", "ambiguous name", "rename one definition or drop one import"),
            Code::InvalidName => {
                ("P0014", "invalid name", "use letters, digits and `_`, and no reserved word")
            }
            Code::CyclicVariables => ("P0015", "cyclic variables", "write one of them without the others"),
            Code::InvalidExpression => ("P0016", "invalid expression", ""),
            Code::ScriptCondition => {
                ("P0017", "script condition", "write the condition as `match` with `expr`")
            }
            Code::NotEvaluatedYet => ("P0018", "not evaluated yet", "remove it, or use a later version"),
            Code::MisplacedSchemas => {
                ("P0019", "misplaced schemas", "move `_schemas` to the root of the set")
            }
            Code::Deprecated => ("P0020", "deprecated", "write it in the way of the hint"),
            Code::PatternAsRole => ("P0021", "pattern as role", "name each role, or write `*` alone"),
            Code::ConflictingScopePermissions => (
                "P0023",
                "conflicting scope permissions",
                "write the same `scopePermissions` in all policies of the scope",
            ),
            Code::MissingScope => {
                ("P0024", "missing scope", "add the policy for the scope above; it may be without rules")
            }
            Code::NothingConfined => ("P0025", "nothing confined", "list the actions the role may perform"),
            Code::UndefinedVariable => {
                ("P0070", "undefined variable", "correct the name, define it, or import the file that does")
            }
            Code::UndefinedConstant => {
                ("P0071", "undefined constant", "correct the name, define it, or import the file that does")
            }
        }
    }
}
