//! Policy files: source text -> AST with spans -> checked -> compiled [`Snapshot`].
//!
//! A set of files compiles as a whole: either there is a snapshot, or there are error diagnostics for every
//! problem of every file. The passes, in order:
//!
//! | module | what it does |
//! |---|---|
//! | `files` | tells policy files from tests, schemas and the rest |
//! | `text` | what is wrong with a text before it is parsed |
//! | `yaml` | text to a tree of nodes with places |
//! | `shape` | which fields there are, of what type and form |
//! | `decode` | tree to AST |
//! | `set`, `memory` | the passes over a set; what is remembered of it for the next one |
//! | `outline` | what a set must know of one policy |
//! | `capability` | what is declared of actions |
//! | `check` | what can be said of one policy alone |
//! | `index` | the set as a whole: duplicates, what can be imported |
//! | `scopes` | the scopes of the set: gaps and contradictions |
//! | `names` | variables and constants of one policy, in order |
//! | `compile` | AST to snapshot; `scalar` finds the place of each part of an expression |
//! | `lint` | warnings about what is legal and surely not meant |
//! | `pool` | texts that policies have in common |
//! | `path` | the way to a place in a file |
//! | `snapshot`, `rules`, `naming` | what comes of it: the policies of a set, their rules, their names |
//! | `table`, `bits`, `hash` | how they are found: rules by action, resource and role, policies by name |
//! | `criterion` | what is evaluated of conditions |
//! | `schemas` | the schemas that resource policies refer to |
//! | `findings`, `frame` | problems to diagnostics with source frames |

mod ast;
mod bits;
mod capability;
mod check;
mod compile;
mod criterion;
mod decode;
mod diagnostic;
mod files;
mod findings;
mod frame;
mod glob;
mod hash;
pub(crate) mod hint;
mod index;
mod lint;
mod memory;
mod names;
mod naming;
mod outline;
mod path;
mod pool;
mod rules;
mod scalar;
mod schemas;
mod scopes;
mod set;
mod shape;
mod snapshot;
mod source;
mod table;
mod text;
pub(crate) mod yaml;

pub(crate) use bits::Mask;
pub use capability::{Capabilities, Capability, RequiredSignal, RiskClass};
pub use check::is_identifier;
pub(crate) use criterion::Criterion;
pub(crate) use decode::json;
pub use diagnostic::{Code, Diagnostic, Severity, Subject};
pub use files::{FileKind, classify};
pub(crate) use findings::printable;
pub(crate) use frame::of as frame;
pub use frame::render;
pub use glob::{Glob, GlobError};
pub use hash::NameMap;
pub use naming::{policy_name, sanitise};
pub use path::path_at;
pub use rules::{
    ActionPattern, Condition, DerivedRole, Output, Policy, PolicyKind, ResourcePattern, Roles, Rule,
    ScopePermissions, Spanned, Stance,
};
pub use schemas::{AttributeSchema, Schemas};
pub use scopes::ancestors;
pub use shape::{SCHEMAS, json_schema};
pub use snapshot::{ByName, PolicyTable, SchemaTable, ScopeTable, Snapshot};
pub use source::{FileText, Position, Revision, SourceFile};
pub(crate) use table::{Brief, DerivedBrief};

use std::sync::Arc;

use self::ast::Document;
use self::findings::{Finding, Findings};
use self::memory::Memory;
use self::set::Passed;
use self::yaml::{Node, Place};
use crate::expr::Patterns;
use crate::limits::POLICY_FILE_BYTES;

/// What compiling a set yields: a snapshot unless a diagnostic is an error, and every diagnostic, ordered by
/// file, line and column; what a file that could not be read may have caused comes after all else.
#[derive(Debug, Default)]
pub struct Compiled {
    /// The compiled set; `None` if any diagnostic is an error.
    pub snapshot: Option<Snapshot>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The policies that could be read, disabled ones included, in the order of their files; none from a [`Compiler`],
    /// whose users have no use for thousands of them at each change.
    pub policies: Vec<PolicyName>,
}

/// A policy of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyName {
    /// Kind, name, version and scope, as in `resource.album.vdefault/acme`.
    pub name: String,
    /// Its file.
    pub file: Arc<str>,
    /// Whether it is treated as if it were not there.
    pub disabled: bool,
}

/// Compiles a set of policy files, with the schemas that they refer to. The order of `files` is irrelevant; files that
/// hold neither by their path (see [`classify`]) count towards the revision and are not read.
#[must_use]
pub fn compile(files: &[SourceFile]) -> Compiled {
    Compiler { lists_names: true, ..Compiler::default() }.compile(files)
}

/// Compiles one set after another. What came of the files of the last set without errors is remembered, so that of
/// the next one only those files are read and compiled that are changed or import what is.
#[derive(Debug, Default)]
pub struct Compiler {
    memory: Memory,
    patterns: Patterns,
    /// Whether the names of the policies are told.
    lists_names: bool,
}

impl Compiler {
    /// As [`compile`], with the same result but for the names of the policies.
    #[must_use]
    pub fn compile(&mut self, files: &[SourceFile]) -> Compiled {
        if let Some(compiled) = self.compile_changes(files) {
            return compiled;
        }
        // Whatever is wrong is told as it is to those who remember nothing. The memory stays for the next set.
        let patterns = Patterns::default();
        let sorted = sorted(files);
        let Some(passed) = set::pass(&sorted, &Memory::default(), &patterns, self.lists_names) else {
            return Compiled::default();
        };
        if passed.memory.is_some() {
            self.patterns = patterns;
        }
        self.compiled(passed, files)
    }

    /// As [`Self::compile`] if only what changed since the last set has to be read and compiled, and nothing is wrong;
    /// otherwise `None`, and what is remembered stays as it was.
    #[must_use]
    pub fn compile_changes(&mut self, files: &[SourceFile]) -> Option<Compiled> {
        if self.memory.is_empty() {
            return None;
        }
        let hole = SourceFile { path: "".into(), text: "".into() };
        let arranged = self.memory.arrange(sorted(files), &hole);
        let passed = set::pass(&arranged, &self.memory, &self.patterns, self.lists_names);
        match passed.filter(|passed| passed.memory.is_some()) {
            Some(passed) => Some(self.compiled(passed, files)),
            None => {
                self.patterns.forget_unused_forms();
                None
            }
        }
    }

    /// What comes of `files`; `passed` becomes what is remembered, as far as it can be.
    fn compiled(&mut self, passed: Passed<'_>, files: &[SourceFile]) -> Compiled {
        let Passed { snapshot, findings, names, memory } = passed;
        let revision = (!findings.any_error()).then(|| Revision::of(files));
        let is_policy = |file: &&SourceFile| classify(&file.path) == FileKind::Policy;
        let count = files.iter().filter(is_policy).count();
        let snapshot = revision.map(|revision| Snapshot { revision, files: count, ..snapshot });
        let diagnostics = findings.into_diagnostics();
        self.memory = memory.unwrap_or_else(|| std::mem::take(&mut self.memory));
        Compiled { snapshot, diagnostics, policies: names }
    }
}

/// The files that hold policies or schemas, by path.
fn sorted(files: &[SourceFile]) -> Vec<&SourceFile> {
    let is_read = |file: &&SourceFile| matches!(classify(&file.path), FileKind::Policy | FileKind::Schema);
    let mut sorted: Vec<&SourceFile> = files.iter().filter(is_read).collect();
    sorted.sort_by(|a, b| (&a.path, &a.text).cmp(&(&b.path, &b.text)));
    sorted
}

/// The policy of one file, if it can be read.
fn read<'t>(source: &'t SourceFile, number: u32, findings: &mut Findings<'_>) -> Option<Document<'t>> {
    let start = Place::start_of(number);
    if files::is_misplaced_schema(&source.path) {
        let message = "a `_schemas` directory must be at the root of the set";
        findings.add(Finding::new(Code::MisplacedSchemas, start, message));
        return None;
    }
    if source.text.len() > POLICY_FILE_BYTES {
        let message = format!("the file is larger than {POLICY_FILE_BYTES} bytes");
        findings.add(Finding::new(Code::TooLarge, start, message));
        return None;
    }
    if let Some(place) = text::damage(&source.text, number) {
        let message = "the text is not UTF-8: it holds U+FFFD, which stands for bytes that are no character";
        findings.add(Finding::new(Code::Syntax, place, message));
        return None;
    }
    if let Some(place) = text::second_document(&source.text, number) {
        findings.add(Finding::new(Code::SeveralDocuments, place, "the file holds more than one document"));
        return None;
    }
    let parsed = match yaml::parse(&source.text, number) {
        Ok(parsed) => parsed,
        Err(fault) => {
            report_fault(fault, &source.text, findings);
            return None;
        }
    };
    for (key, place, _) in parsed.repeated {
        let message = format!("key `{key}` occurs twice in one map");
        findings.add(Finding::new(Code::DuplicateKey, place, message));
    }
    let Some(node) = parsed.documents.into_iter().next() else {
        // A file that someone emptied must not take its deny rules out of the set unnoticed.
        let finding = Finding::new(Code::NotOnePolicy, start, "the file holds no policy");
        let hint = "remove it, or write `disabled: true` in its policy";
        findings.add(finding.hint(hint).about(Subject::EmptyFile));
        return None;
    };
    if decode::is_extension(&node) {
        shape::document(&node, &shape::EXTENSION, findings);
        return decode::capabilities(node, &mut findings.scratch());
    }
    decoded(node, findings)
}

/// Says why a text cannot be parsed; what quotes do to an expression is a slip that deserves its own words.
fn report_fault(fault: yaml::Fault, text: &str, findings: &mut Findings<'_>) {
    let slips = text::quotes_that_end_early(text, fault.place.file);
    if fault.code != Code::Syntax || slips.is_empty() {
        let finding = Finding::new(fault.code, fault.place, fault.message);
        return findings.add(match text::missing_quotes(text, fault.place) {
            Some(hint) if fault.code == Code::Syntax => finding.hint(hint),
            _ => finding,
        });
    }
    for place in slips {
        let finding =
            Finding::new(Code::Syntax, place, "the value ends with its closing quote, but text follows");
        findings.add(finding.hint("write the whole value below `|-` or `>-`, or within other quotes"));
    }
}

/// The policy in `node`. If fields are wrong the rest of it is read as far as it goes, so that everything is
/// found at once; of a policy that is disabled only the form is checked.
fn decoded<'t>(node: Node<'t>, findings: &mut Findings<'_>) -> Option<Document<'t>> {
    let before = findings.errors(node.place);
    shape::document(&node, &shape::POLICY, findings);
    if findings.errors(node.place) == before && !decode::is_disabled(&node) {
        return decode::document(node, findings);
    }
    decode::document(node, &mut findings.scratch())
}

#[cfg(test)]
mod tests;
