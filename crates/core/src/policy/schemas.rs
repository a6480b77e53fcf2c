//! The `schemas` of resource policies: what they refer to, compiled, and what is wrong with it.
//!
//! A schema that cannot be used is no error of the set, as with the peer: requests are told of it, and denied where
//! attributes must fit.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ast::{self, Text};
use super::diagnostic::Code;
use super::findings::{Finding, Findings};
use super::glob::Glob;
use super::outline::{Identity, Outline};
use super::rules::ActionPattern;
use super::source::SourceFile;
use super::yaml::Place;
use crate::expr::Patterns;
use crate::schema::{Flaw, Library, Schema, Unusable, UnusableKind};

/// What the attributes of requests must look like.
#[derive(Debug, Default)]
pub struct Schemas {
    /// Those of the principal.
    pub principal: Option<AttributeSchema>,
    /// Those of the resource.
    pub resource: Option<AttributeSchema>,
}

/// A schema for attributes.
#[derive(Debug)]
pub struct AttributeSchema {
    /// The schema, or why it cannot be used.
    pub schema: Result<Arc<Schema>, Arc<str>>,
    /// If every requested action is one of these, the attributes are not looked at.
    pub ignored_actions: Vec<ActionPattern>,
}

/// Schemas by kind of resource and version.
pub(super) type Table = BTreeMap<Arc<str>, BTreeMap<Arc<str>, Schemas>>;

/// The schemas of the policies of the root scope. `sources` are the files of the set as places number them.
pub(super) fn compile(
    outlines: &[&Outline],
    sources: &[&SourceFile],
    patterns: &Patterns,
    findings: &mut Findings<'_>,
) -> Table {
    let library = Library::new(sources.iter().map(|source| (source.path.as_ref(), source.text.as_ref())));
    let numbers = (0..).zip(sources).map(|(number, source)| (source.path.as_ref(), number)).collect();
    let mut compiler = Compiler { library, numbers, patterns, findings };
    for source in sources {
        for flaw in compiler.library.flaws(&source.path, patterns) {
            compiler.report(flaw, Code::InvalidSchema);
        }
    }
    let mut table = Table::new();
    for outline in outlines {
        let Some(declared) = &outline.schemas else { continue };
        let schemas = compiler.schemas(declared);
        let Identity { name, version, scope, .. } = &outline.identity;
        match scope.as_ref() {
            "" => {
                let versions = table.entry(Arc::clone(name)).or_default();
                versions.insert(Arc::clone(version), schemas);
            }
            scope => {
                let message = format!("the schemas of the policy with scope `{scope}` are never used");
                compiler.findings.add(Finding::new(Code::IdleSchemas, declared.place, message));
            }
        }
    }
    table
}

struct Compiler<'c, 't> {
    library: Library<'c>,
    /// The number of each file.
    numbers: BTreeMap<&'c str, u32>,
    patterns: &'c Patterns,
    findings: &'c mut Findings<'t>,
}

impl Compiler<'_, '_> {
    fn schemas(&mut self, declared: &ast::Schemas<'_>) -> Schemas {
        Schemas {
            principal: declared.principal.as_ref().map(|used| self.attribute_schema(used, "principal")),
            resource: declared.resource.as_ref().map(|used| self.attribute_schema(used, "resource")),
        }
    }

    fn attribute_schema(&mut self, used: &ast::SchemaUse<'_>, whose: &str) -> AttributeSchema {
        let actions = used.ignored_actions.iter();
        let ignored_actions = actions.filter_map(|action| ignored(action, self.findings)).collect();
        let reference = &used.reference;
        let schema = self.library.schema(&reference.value, self.patterns).map_err(|unusable| {
            let message =
                format!("Failed to load {whose} schema \"{}\": {}", reference.value, unusable.message);
            self.unusable(unusable, reference, whose);
            Arc::from(message)
        });
        AttributeSchema { schema, ignored_actions }
    }

    /// Reports a schema that cannot be used, where the policy refers to it and where the files are wrong.
    fn unusable(&mut self, unusable: Unusable, reference: &Text<'_>, whose: &str) {
        let hint = match unusable.kind {
            UnusableKind::Missing => "`cerbos:///a/b.json` stands for the file `_schemas/a/b.json`",
            UnusableKind::Malformed | UnusableKind::Invalid => "mend the schema file",
            UnusableKind::Outside => "put the schema below `_schemas` and refer to it as `cerbos:///<path>`",
        };
        let message = format!("the {whose} schema cannot be used: {}", unusable.message);
        self.findings.add(Finding::new(Code::UnusableSchema, reference.place, message).hint(hint));
        let code = match unusable.kind {
            UnusableKind::Missing | UnusableKind::Outside => Code::UnknownSchemaReference,
            UnusableKind::Malformed | UnusableKind::Invalid => Code::InvalidSchema,
        };
        for flaw in unusable.flaws {
            self.report(flaw, code);
        }
    }

    fn report(&mut self, flaw: Flaw, code: Code) {
        let Some(number) = self.numbers.get(flaw.path.as_str()) else { return };
        let start = Place::start_of(*number);
        if self.findings.is_full(start) {
            return;
        }
        let place = Place::of(self.findings.text(start), flaw.range, *number);
        self.findings.add(Finding::new(code, place, flaw.message));
    }
}

/// A pattern of `ignoreWhen.actions`. Unlike those of rules, it is a pattern also without `*`.
fn ignored(action: &Text<'_>, findings: &mut Findings<'_>) -> Option<ActionPattern> {
    if action.value == "*" {
        return Some(ActionPattern::Any);
    }
    match Glob::parse(&action.value) {
        Ok(glob) => Some(ActionPattern::Glob(glob)),
        Err(error) => {
            let message = format!("`{}` is no pattern of actions: {error}", action.value.escape_debug());
            findings.add(Finding::new(Code::InvalidValue, action.place, message));
            None
        }
    }
}
