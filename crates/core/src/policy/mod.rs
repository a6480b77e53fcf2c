//! Policy files: source text -> AST with spans -> checked -> compiled [`Snapshot`].
//!
//! A set of files compiles as a whole: either there is a snapshot, or there are error diagnostics for every
//! problem of every file. The passes, in order:
//!
//! | module | what it does |
//! |---|---|
//! | `files` | tells policy files from tests, schemas and the rest |
//! | `yaml` | text to a tree of nodes with places |
//! | `decode` | tree to AST: which fields there are, of what type |
//! | `check` | what can be said of one policy alone |
//! | `index` | the set as a whole: duplicates, what can be imported |
//! | `scopes` | the scopes of the set: gaps and contradictions |
//! | `names` | variables and constants of one policy, in order |
//! | `compile` | AST to snapshot; `scalar` finds the place of each part of an expression |
//! | `snapshot`, `rules`, `naming` | what comes of it: the policies of a set, their rules, their names |
//! | `findings`, `frame` | problems to diagnostics with source frames |

mod ast;
mod check;
mod compile;
mod decode;
mod diagnostic;
mod files;
mod findings;
mod frame;
mod glob;
mod hint;
mod index;
mod names;
mod naming;
mod rules;
mod scalar;
mod scopes;
mod snapshot;
mod source;
pub(crate) mod yaml;

pub use check::is_identifier;
pub(crate) use decode::json;
pub use diagnostic::{Code, Diagnostic, Severity};
pub use files::{FileKind, classify};
pub(crate) use findings::printable;
pub use frame::render;
pub use glob::{Glob, GlobError};
pub use naming::{policy_name, sanitise};
pub use rules::{
    ActionPattern, Condition, DerivedRole, Output, Policy, PolicyKind, ResourcePattern, Roles, Rule,
    ScopePermissions, Spanned, Stance,
};
pub use scopes::ancestors;
pub use snapshot::{ByName, ByVersion, PolicyTable, Snapshot};
pub use source::{Position, Revision, SourceFile};

use self::ast::Document;
use self::findings::{Finding, Findings};
use self::yaml::Place;
use crate::limits::POLICY_FILE_BYTES;

/// What compiling a set yields: a snapshot unless a diagnostic is an error, and every diagnostic, ordered by
/// file, line and column.
#[derive(Debug)]
pub struct Compiled {
    /// The compiled set; `None` if any diagnostic is an error.
    pub snapshot: Option<Snapshot>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles a set of policy files. The order of `files` is irrelevant; files that hold no policies by their
/// path (see [`classify`]) count towards the revision and are not read.
#[must_use]
pub fn compile(files: &[SourceFile]) -> Compiled {
    let mut sources: Vec<&SourceFile> =
        files.iter().filter(|file| classify(&file.path) == FileKind::Policy).collect();
    sources.sort_by(|a, b| (&a.path, &a.text).cmp(&(&b.path, &b.text)));
    let mut findings = Findings::new(&sources);
    let mut documents = Vec::new();
    for (number, source) in (0..).zip(&sources) {
        documents.extend(read(source, number, &mut findings));
    }
    for document in &documents {
        check::document(document, &mut findings);
    }
    documents.retain(|document| !document.disabled);
    let index = index::build(&documents, &mut findings);
    scopes::check(&documents, &mut findings);
    let compiled = compile::snapshot(&documents, &index, &mut findings);
    let snapshot = Snapshot { revision: Revision::of(files), files: sources.len(), ..compiled };
    let snapshot = (!findings.any_error()).then_some(snapshot);
    Compiled { snapshot, diagnostics: findings.into_diagnostics() }
}

/// The policies of one file that can be read.
fn read<'t>(source: &'t SourceFile, number: u32, findings: &mut Findings<'_>) -> Vec<Document<'t>> {
    let start = Place::start_of(number);
    if files::is_misplaced_schema(&source.path) {
        let message = "a `_schemas` directory must be at the root of the set";
        findings.add(Finding::new(Code::MisplacedSchemas, start, message));
        return Vec::new();
    }
    if source.text.len() > POLICY_FILE_BYTES {
        let message = format!("the file is larger than {POLICY_FILE_BYTES} bytes");
        findings.add(Finding::new(Code::TooLarge, start, message));
        return Vec::new();
    }
    if let Some(place) = damaged_text(&source.text, number) {
        let message = "the text is not UTF-8: it holds U+FFFD, which stands for bytes that are no character";
        findings.add(Finding::new(Code::Syntax, place, message));
        return Vec::new();
    }
    let parsed = match yaml::parse(&source.text, number) {
        Ok(parsed) => parsed,
        Err(fault) => {
            findings.add(Finding::new(fault.code, fault.place, fault.message));
            return Vec::new();
        }
    };
    for (key, place, _) in parsed.repeated {
        let message = format!("key `{key}` occurs twice in one map");
        findings.add(Finding::new(Code::DuplicateKey, place, message));
    }
    parsed.documents.into_iter().filter_map(|document| decode::document(document, findings)).collect()
}

/// The first U+FFFD: whoever read the file puts it where the bytes were no UTF-8. Written on purpose it is refused as
/// well, since the two cannot be told apart.
fn damaged_text(text: &str, file: u32) -> Option<Place> {
    let (before, _) = text.split_once(char::REPLACEMENT_CHARACTER)?;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Some(Place {
        file,
        line: number(before.matches('\n').count() + 1),
        column: number(column),
        start: number(before.len()),
        end: number(before.len() + char::REPLACEMENT_CHARACTER.len_utf8()),
    })
}

#[cfg(test)]
mod tests;
