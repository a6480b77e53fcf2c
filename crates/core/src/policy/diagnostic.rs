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
    /// What it is about, where programs want to know.
    pub subject: Option<Subject>,
}

/// What a finding is about, in parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A variable, by name.
    Variable(String),
    /// A constant, by name.
    Constant(String),
    /// A derived role, by name.
    DerivedRole(String),
    /// An expression, by the place where its text begins.
    Expression(Position),
    /// An import of something that does not exist.
    Import {
        /// `derived roles`, `variables` or `constants`.
        what: &'static str,
        /// What the import names.
        name: String,
    },
    /// A policy file without a document.
    EmptyFile,
    /// A policy that exists twice.
    Duplicate {
        /// The policy: kind, name, version and scope, as in `resource.album.vdefault/acme`.
        policy: String,
        /// The file of the other one.
        other: String,
    },
    /// A policy that others need: the parent scopes of a policy.
    MissingPolicy {
        /// The policy that does not exist.
        policy: String,
        /// The policies below it.
        descendants: Vec<String>,
    },
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
    /// P0008: the file or its document holds no policy.
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
    /// P0030: a policy names a schema that cannot be used.
    UnusableSchema,
    /// P0031: a file that is no schema.
    InvalidSchema,
    /// P0032: a reference in a schema that leads to nothing in the set.
    UnknownSchemaReference,
    /// P0033: schemas of a policy with a scope, which nothing reads.
    IdleSchemas,
    /// P0040: a word that is none of those a field knows.
    UnknownWord,
    /// P0041: fields that exclude each other.
    SeveralChosen,
    /// P0042: none of the fields of which one is needed.
    NothingChosen,
    /// P0043: a file with more than one document.
    SeveralDocuments,
    /// P0044: a rule that names neither roles nor derived roles.
    NoRoles,
    /// P0045: two rules, derived roles or resources of one policy with the same name.
    DuplicateName,
    /// P0046: top-level `variables` beside exported definitions.
    MisplacedVariables,
    /// P0047: an output without an expression.
    EmptyOutput,
    /// P0050: an action that is declared twice.
    DuplicateCapability,
    /// P0051: a rule about an action that nobody declared, where others of its kind of resource are.
    UndeclaredAction,
    /// P0052: a declared action that no rule mentions.
    UnmentionedAction,
    /// P0053: something defined or imported that nothing uses.
    Unused,
    /// P0054: a condition that is the same for every request.
    ConstantCondition,
    /// P0055: a rule that never applies.
    NeverApplies,
    /// P0056: a rule that says nothing which another one does not say.
    ShadowedRule,
    /// P0057: an allow rule that a deny rule always overrides.
    OverriddenRule,
    /// P0060: a suite of tests that cannot be run.
    UnusableTests,
    /// P0070: an expression reads a variable that its policy does not have.
    UndefinedVariable,
    /// P0071: an expression reads a constant that its policy does not have.
    UndefinedConstant,
}

impl Code {
    /// All codes, in the order of their numbers.
    pub const ALL: [Code; 46] = [
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
        Code::MisplacedSchemas,
        Code::Deprecated,
        Code::PatternAsRole,
        Code::ConflictingScopePermissions,
        Code::MissingScope,
        Code::NothingConfined,
        Code::UnusableSchema,
        Code::InvalidSchema,
        Code::UnknownSchemaReference,
        Code::IdleSchemas,
        Code::UnknownWord,
        Code::SeveralChosen,
        Code::NothingChosen,
        Code::SeveralDocuments,
        Code::NoRoles,
        Code::DuplicateName,
        Code::MisplacedVariables,
        Code::EmptyOutput,
        Code::DuplicateCapability,
        Code::UndeclaredAction,
        Code::UnmentionedAction,
        Code::Unused,
        Code::ConstantCondition,
        Code::NeverApplies,
        Code::ShadowedRule,
        Code::OverriddenRule,
        Code::UnusableTests,
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
            Code::Deprecated
            | Code::PatternAsRole
            | Code::NothingConfined
            | Code::UnusableSchema
            | Code::InvalidSchema
            | Code::UnknownSchemaReference
            | Code::IdleSchemas
            | Code::UndeclaredAction
            | Code::UnmentionedAction
            | Code::Unused
            | Code::ConstantCondition
            | Code::NeverApplies
            | Code::ShadowedRule
            | Code::OverriddenRule
            | Code::UnusableTests => Severity::Warning,
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
            Code::WrongType => ("P0005", "wrong type", "write a value of the expected type"),
            Code::MissingField => ("P0006", "missing field", "add the field"),
            Code::InvalidValue => ("P0007", "invalid value", "use a value that the field takes"),
            Code::NotOnePolicy => ("P0008", "no policy", "give the file exactly one policy body"),
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
            Code::UnusableSchema => ("P0030", "unusable schema", "correct the reference or the schema"),
            Code::InvalidSchema => ("P0031", "invalid schema", ""),
            Code::UnknownSchemaReference => (
                "P0032",
                "unknown schema reference",
                "correct the reference or add what it names to `_schemas`",
            ),
            Code::IdleSchemas => (
                "P0033",
                "idle schemas",
                "move `schemas` to the policy of the root scope, whose schemas always apply",
            ),
            Code::UnknownWord => ("P0040", "unknown word", "write one of the words that the field knows"),
            Code::SeveralChosen => ("P0041", "excluding fields", "keep one of them"),
            Code::NothingChosen => ("P0042", "nothing chosen", "add one of the fields"),
            Code::SeveralDocuments => ("P0043", "several documents", "give each policy a file of its own"),
            Code::NoRoles => ("P0044", "no roles", "add `roles`, with `\"*\"` for whoever holds any role"),
            Code::DuplicateName => ("P0045", "duplicate name", "rename or remove one of the two"),
            Code::MisplacedVariables => (
                "P0046",
                "misplaced variables",
                "move the entries into `definitions` of an `exportVariables` file",
            ),
            Code::EmptyOutput => {
                ("P0047", "empty output", "add `when.ruleActivated` or `when.conditionNotMet`, or remove it")
            }
            Code::DuplicateCapability => ("P0050", "duplicate capability", "declare each action once"),
            Code::UndeclaredAction => {
                ("P0051", "undeclared action", "correct the name, or declare the action in a capability file")
            }
            Code::UnmentionedAction => (
                "P0052",
                "unmentioned action",
                "write a rule for it, or remove it: as it is, every request for it is denied",
            ),
            Code::Unused => ("P0053", "unused", "use it or remove it"),
            Code::ConstantCondition => {
                ("P0054", "constant condition", "remove the condition, or let it read something")
            }
            Code::NeverApplies => ("P0055", "never applies", "correct the condition, or remove the rule"),
            Code::ShadowedRule => ("P0056", "shadowed rule", "remove this rule, or tell the two apart"),
            Code::OverriddenRule => {
                ("P0057", "overridden rule", "remove this rule, or give the deny rule a condition")
            }
            Code::UnusableTests => (
                "P0060",
                "unusable tests",
                "correct the suite or the fixture: as it is, `procura test` fails",
            ),
            Code::UndefinedVariable => {
                ("P0070", "undefined variable", "correct the name, define it, or import the file that does")
            }
            Code::UndefinedConstant => {
                ("P0071", "undefined constant", "correct the name, define it, or import the file that does")
            }
        }
    }
}
