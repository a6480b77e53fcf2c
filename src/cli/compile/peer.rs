//! Our diagnostics as the peer's lint and compile errors: which class and kind each code is, and how many entries
//! the peer makes of them. Scripts read this; the shape is that of `cerbos compile -o json`, version 0.55.

use std::collections::{BTreeMap, BTreeSet};

use procura_core::policy::{
    self, Code, Compiled, Diagnostic, PolicyName, Severity, SourceFile, Subject, path_at,
};
use serde::Serialize;

use super::context;

/// What is wrong with a set. Errors of compilation are told only if nothing is wrong with the files.
#[derive(Debug, Serialize)]
pub(super) enum Errors {
    /// The files, each by itself or together.
    #[serde(rename = "lintErrors")]
    Lint(LintErrors),
    /// What they say.
    #[serde(rename = "compileErrors")]
    Compile(CompileErrors),
}

#[derive(Debug, Default, Serialize)]
pub(super) struct LintErrors {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) disabled_defs: Vec<DisabledDef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) duplicate_defs: Vec<DuplicateDef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) load_failures: Vec<LoadFailure>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) missing_imports: Vec<MissingImport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) missing_scope_details: Vec<MissingScope>,
}

#[derive(Debug, Serialize)]
pub(super) struct CompileErrors {
    pub(super) errors: Vec<CompileError>,
}

#[derive(Debug, Serialize)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
    /// The JSON path to the value; absent where the file cannot be read at all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) path: String,
}

#[derive(Debug, Serialize)]
pub(super) struct DisabledDef {
    pub(super) file: String,
    pub(super) policy: String,
}

#[derive(Debug, Serialize)]
pub(super) struct DuplicateDef {
    pub(super) file: String,
    pub(super) other_file: String,
    pub(super) policy: String,
    pub(super) position: Position,
}

#[derive(Debug, Serialize)]
pub(super) struct LoadFailure {
    pub(super) file: String,
    pub(super) error: String,
    pub(super) error_details: Details,
}

#[derive(Debug, Serialize)]
pub(super) struct Details {
    /// 1: the text cannot be read; 2: a field has no valid value; absent: anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<u8>,
    pub(super) position: Position,
    message: String,
    pub(super) context: String,
}

#[derive(Debug, Serialize)]
pub(super) struct MissingImport {
    pub(super) importing_file: String,
    pub(super) desc: String,
    importing_policy: String,
    import_kind: &'static str,
    import_name: String,
    pub(super) position: Position,
    pub(super) context: String,
}

#[derive(Debug, Serialize)]
pub(super) struct MissingScope {
    pub(super) missing_policy: String,
    pub(super) descendants: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct CompileError {
    pub(super) file: String,
    pub(super) error: &'static str,
    pub(super) description: String,
    pub(super) position: Position,
    pub(super) context: String,
}

/// What the peer takes a finding for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The file cannot be used; the number is `error_details.kind`, 3 where that is absent.
    Load(u8),
    Duplicate,
    Import,
    Scope,
    Compile(&'static str),
}

/// The table: each code, and the name of the thing where a code is about several.
fn kind(found: &Diagnostic) -> Kind {
    match (found.code, &found.subject) {
        (
            Code::Syntax
            | Code::TooLarge
            | Code::UnknownField
            | Code::DuplicateKey
            | Code::WrongType
            | Code::UnknownWord
            | Code::SeveralChosen,
            _,
        ) => Kind::Load(1),
        (
            Code::MissingField
            | Code::InvalidValue
            | Code::NotUnique
            | Code::NothingChosen
            | Code::NotOnePolicy,
            _,
        ) => Kind::Load(2),
        (
            Code::NoRoles
            | Code::DuplicateName
            | Code::SeveralDocuments
            | Code::MisplacedVariables
            | Code::MisplacedSchemas,
            _,
        ) => Kind::Load(3),
        (Code::DuplicatePolicy, _) => Kind::Duplicate,
        (Code::UnknownImport, _) => Kind::Import,
        (_, Some(Subject::MissingPolicy { .. })) => Kind::Scope,
        (Code::AmbiguousName, Some(Subject::DerivedRole(_))) => Kind::Compile("ambiguous derived role"),
        (Code::AmbiguousName, Some(Subject::Constant(_))) => Kind::Compile("constant redefined"),
        (Code::AmbiguousName, _) => Kind::Compile("variable redefined"),
        (Code::InvalidName, Some(Subject::Constant(_))) => Kind::Compile("invalid constant name"),
        (Code::InvalidName, _) => Kind::Compile("invalid variable name"),
        (Code::UnusableSchema, _) => Kind::Compile("invalid schema"),
        (Code::CyclicVariables, _) => Kind::Compile("cyclical variable definitions"),
        (Code::ScriptCondition, _) => Kind::Compile("scripts in conditions are no longer supported"),
        (other, _) => Kind::Compile(other.title()),
    }
}

/// Whether the schemas that policies refer to have to be usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SchemaCheck {
    Required,
    Ignored,
}

/// What the peer would say of `compiled`; `None` if nothing is wrong. `again` compiles the files that remain when
/// those that cannot be used are left out: others may miss them.
pub(super) fn errors(
    files: &[SourceFile],
    compiled: &Compiled,
    schemas: SchemaCheck,
    again: impl FnOnce(Vec<SourceFile>) -> anyhow::Result<Compiled>,
) -> anyhow::Result<Option<Errors>> {
    // For us a schema that cannot be used is a matter of the requests that meet it.
    let is_wrong = |found: &&Diagnostic| {
        let is_schema = found.code == Code::UnusableSchema && schemas == SchemaCheck::Required;
        is_schema || found.severity == Severity::Error
    };
    let wrong: Vec<_> = compiled.diagnostics.iter().filter(is_wrong).collect();
    if wrong.is_empty() {
        return Ok(None);
    }
    let mut by_file: BTreeMap<&str, Vec<&Diagnostic>> = BTreeMap::new();
    for found in &wrong {
        by_file.entry(&found.position.file).or_default().push(found);
    }
    let mut lint = LintErrors::default();
    let mut broken = BTreeSet::new();
    for (file, found) in &by_file {
        if found.iter().any(|found| matches!(kind(found), Kind::Load(_))) {
            broken.insert(*file);
            load_failures(files, found, &mut lint.load_failures);
        }
    }
    let rest;
    let remaining = if broken.is_empty() {
        compiled
    } else {
        let usable = files.iter().filter(|file| !broken.contains(&*file.path));
        rest = again(usable.cloned().collect())?;
        &rest
    };
    links(files, remaining, &mut lint);
    if lint.is_empty() {
        let errors = compile_errors(files, &wrong);
        return Ok(Some(Errors::Compile(CompileErrors { errors })));
    }
    let is_listed = |policy: &&PolicyName| policy.disabled && !broken.contains(&*policy.file);
    let disabled = compiled.policies.iter().filter(is_listed);
    lint.disabled_defs = disabled
        .map(|policy| DisabledDef { file: policy.file.to_string(), policy: policy.name.clone() })
        .collect();
    Ok(Some(Errors::Lint(lint)))
}

impl LintErrors {
    fn is_empty(&self) -> bool {
        self.duplicate_defs.is_empty()
            && self.load_failures.is_empty()
            && self.missing_imports.is_empty()
            && self.missing_scope_details.is_empty()
    }
}

/// The peer reads a file in steps and goes no further than the first that fails; of a text that cannot be decoded
/// it names the first place only.
fn load_failures(files: &[SourceFile], found: &[&Diagnostic], failures: &mut Vec<LoadFailure>) {
    let Some(first) = found.iter().map(|found| kind(found)).min() else { return };
    let mut of_step: Vec<_> = found.iter().filter(|found| kind(found) == first).collect();
    if first == Kind::Load(1) && of_step.iter().any(|found| found.code != Code::Syntax) {
        of_step.truncate(1);
    }
    for found in of_step {
        let file = match (found.code, found.position.file.rfind("/_schemas/")) {
            (Code::MisplacedSchemas, Some(end)) => {
                found.position.file.get(..end + "/_schemas".len()).unwrap_or_default()
            }
            _ => &found.position.file,
        };
        if found.code == Code::MisplacedSchemas && failures.iter().any(|failure| failure.file == file) {
            continue;
        }
        let error_kind = match first {
            Kind::Load(kind @ (1 | 2)) => Some(kind),
            _ => None,
        };
        failures.push(LoadFailure {
            file: file.to_owned(),
            error: found.message.clone(),
            error_details: Details {
                kind: error_kind,
                position: position(files, found),
                message: found.message.clone(),
                context: context::of(files, &found.position),
            },
        });
    }
}

/// What is wrong between files: policies that exist twice, imports of nothing, missing parent scopes.
fn links(files: &[SourceFile], compiled: &Compiled, lint: &mut LintErrors) {
    let duplicates = compiled.diagnostics.iter().filter(|found| kind(found) == Kind::Duplicate);
    let duplicates: BTreeSet<_> = duplicates.map(|found| &found.position.file).collect();
    for found in &compiled.diagnostics {
        let file = &found.position.file;
        match &found.subject {
            Some(Subject::Duplicate { policy, other }) => lint.duplicate_defs.push(DuplicateDef {
                file: file.to_string(),
                other_file: other.clone(),
                policy: policy.clone(),
                position: position(files, found),
            }),
            Some(Subject::MissingPolicy { policy, descendants }) => {
                let descendants = descendants.clone();
                lint.missing_scope_details.push(MissingScope { missing_policy: policy.clone(), descendants });
            }
            Some(Subject::Import { what, name }) if !duplicates.contains(file) => {
                let importing = compiled.policies.iter().find(|policy| policy.file == *file);
                let policy = importing.map(|policy| policy.name.clone()).unwrap_or_default();
                lint.missing_imports.push(MissingImport {
                    importing_file: file.to_string(),
                    desc: format!("cannot find {what} '{name}' imported by policy {policy}"),
                    importing_policy: policy,
                    import_kind: what,
                    import_name: name.clone(),
                    position: position(files, found),
                    context: context::of(files, &found.position),
                });
            }
            _ => {}
        }
    }
}

/// The peer tells of an expression once, however much is wrong with it, and of a name once in a policy.
fn compile_errors(files: &[SourceFile], wrong: &[&Diagnostic]) -> Vec<CompileError> {
    let invalid = wrong.iter().filter(|found| found.code == Code::InvalidExpression);
    let invalid: BTreeSet<_> = invalid.map(|found| &found.subject).collect();
    let mut told = BTreeSet::new();
    let mut errors = Vec::new();
    for found in wrong {
        let Kind::Compile(error) = kind(found) else { continue };
        let is_undefined = matches!(found.code, Code::UndefinedVariable | Code::UndefinedConstant);
        if is_undefined && invalid.contains(&found.subject) {
            continue;
        }
        let once = match &found.subject {
            Some(Subject::Expression(_)) if is_undefined => Some((error, &found.subject, &*found.message)),
            Some(_) => Some((error, &found.subject, "")),
            None => None,
        };
        if once.is_some_and(|once| !told.insert((&found.position.file, once))) {
            continue;
        }
        errors.push(CompileError {
            file: found.position.file.to_string(),
            error,
            description: found.message.clone(),
            position: position(files, found),
            context: context::of(files, &found.position),
        });
    }
    errors
}

fn position(files: &[SourceFile], found: &Diagnostic) -> Position {
    let policy::Position { file, line, column } = &found.position;
    let text = files.iter().find(|known| known.path == *file).map(|file| &*file.text);
    let path = text.and_then(|text| path_at(text, *line, *column)).unwrap_or_default();
    Position { line: *line, column: *column, path }
}
