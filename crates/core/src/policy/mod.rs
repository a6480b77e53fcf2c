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
//! | `check` | what can be said of one policy alone |
//! | `index` | the set as a whole: duplicates, what can be imported |
//! | `names` | variables and constants of one policy, in order |
//! | `compile` | AST to snapshot; `scalar` finds the place of each part of an expression |
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
mod scalar;
mod shape;
mod snapshot;
mod source;
mod text;
pub(crate) mod yaml;

pub(crate) use decode::json;
pub use diagnostic::{Code, Diagnostic, Severity, Subject};
pub use files::{FileKind, classify};
pub use frame::render;
pub use glob::{Glob, GlobError};
pub use shape::{SCHEMAS, json_schema};
pub use snapshot::{
    ActionPattern, Condition, DerivedRole, Output, ResourcePolicy, Roles, Rule, Snapshot, Spanned,
};
pub use source::{Position, Revision, SourceFile};

use std::sync::Arc;

use self::ast::Policy;
use self::findings::{Finding, Findings};
use self::yaml::{Node, Place};
use crate::limits::POLICY_FILE_BYTES;

/// What compiling a set yields: a snapshot unless a diagnostic is an error, and every diagnostic, ordered by
/// file, line and column.
#[derive(Debug)]
pub struct Compiled {
    /// The compiled set; `None` if any diagnostic is an error.
    pub snapshot: Option<Snapshot>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The policies that could be read, disabled ones included, in the order of their files.
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

/// Compiles a set of policy files. The order of `files` is irrelevant; files that hold no policies by their
/// path (see [`classify`]) count towards the revision and are not read.
#[must_use]
pub fn compile(files: &[SourceFile]) -> Compiled {
    let mut sources: Vec<&SourceFile> =
        files.iter().filter(|file| classify(&file.path) == FileKind::Policy).collect();
    sources.sort_by(|a, b| (&a.path, &a.text).cmp(&(&b.path, &b.text)));
    let mut findings = Findings::new(&sources);
    let mut policies = Vec::new();
    for (number, source) in (0..).zip(&sources) {
        policies.extend(read(source, number, &mut findings));
    }
    for policy in &policies {
        check::policy(policy, &mut findings);
    }
    let names = policies.iter().map(|policy| PolicyName {
        name: index::name_of(policy),
        file: findings.position(policy.place).file,
        disabled: policy.disabled,
    });
    let names = names.collect();
    policies.retain(|policy| !policy.disabled);
    let index = index::build(&policies, &mut findings);
    let resource_policies = compile::policies(&policies, &index, &mut findings);
    let snapshot = Snapshot { revision: Revision::of(files), resource_policies, files: sources.len() };
    let snapshot = (!findings.any_error()).then_some(snapshot);
    Compiled { snapshot, diagnostics: findings.into_diagnostics(), policies: names }
}

/// The policy of one file, if it can be read.
fn read<'t>(source: &'t SourceFile, number: u32, findings: &mut Findings<'_>) -> Option<Policy<'t>> {
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
    decoded(parsed.documents.into_iter().next()?, findings)
}

/// Says why a text cannot be parsed; what quotes do to an expression is a slip that deserves its own words.
fn report_fault(fault: yaml::Fault, text: &str, findings: &mut Findings<'_>) {
    let slips = text::quotes_that_end_early(text, fault.place.file);
    if fault.code != Code::Syntax || slips.is_empty() {
        findings.add(Finding::new(fault.code, fault.place, fault.message));
        return;
    }
    for place in slips {
        let finding =
            Finding::new(Code::Syntax, place, "the value ends with its closing quote, but text follows");
        findings.add(finding.hint("write the whole value below `|-` or `>-`, or within other quotes"));
    }
}

/// The policy in `document`. If fields are wrong the rest of it is read as far as it goes, so that everything is
/// found at once; of a policy that is disabled only the form is checked.
fn decoded<'t>(document: Node<'t>, findings: &mut Findings<'_>) -> Option<Policy<'t>> {
    let before = findings.errors(document.place);
    shape::document(&document, &shape::POLICY, findings);
    if findings.errors(document.place) == before && !decode::is_disabled(&document) {
        return decode::policy(document, findings);
    }
    decode::policy(document, &mut findings.scratch())
}

#[cfg(test)]
mod tests;
