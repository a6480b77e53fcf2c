//! A set of files, from text to snapshot: the passes in order, each over what is new or depends on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ast::Document;
use super::compile;
use super::files::{FileKind, classify};
use super::findings::{Finding, Findings};
use super::index::{self, Index};
use super::memory::{Memory, Remembered, RememberedSchemas, Unit};
use super::outline::{ExportKey, ExportKind, Kind, Outline};
use super::pool::{Pool, Texts};
use super::rules::Policy;
use super::snapshot::Snapshot;
use super::source::SourceFile;
use super::{PolicyName, capability, check, lint, schemas, scopes};
use crate::expr::Patterns;

/// What comes of a set. The snapshot is good for nothing if an error was found.
#[derive(Debug)]
pub(super) struct Passed<'t> {
    pub(super) snapshot: Snapshot,
    pub(super) findings: Findings<'t>,
    pub(super) names: Vec<PolicyName>,
    /// `None` if an error was found, or if what was found depends on an order that another set may not have.
    pub(super) memory: Option<Memory>,
}

/// Passes over the set of `sources`, compiling only what `memory` does not know, and lists the names if `lists_names`.
/// `None` if it does not know enough.
pub(super) fn pass<'t>(
    sources: &'t [&'t SourceFile],
    memory: &Memory,
    patterns: &Patterns,
    lists_names: bool,
) -> Option<Passed<'t>> {
    let mut set = Set::read(sources, memory);
    if set.has_mentions && !memory.has_mentions && !memory.is_empty() {
        return None;
    }
    if !memory.is_empty() {
        set.mark();
        set.read_again();
    }
    Some(set.compile(patterns, lists_names))
}

/// The policy files of a set while it is compiled.
struct Set<'t, 'm> {
    sources: &'t [&'t SourceFile],
    memory: &'m Memory,
    /// By number; `None` where the file holds no policies.
    members: Vec<Option<Member<'m>>>,
    /// The members that are read, by number: those that are stale, and what they import.
    documents: BTreeMap<u32, Document<'t>>,
    findings: Findings<'t>,
    has_mentions: bool,
}

struct Member<'m> {
    /// What came of it, if the file is unchanged.
    unit: Option<&'m Arc<Unit>>,
    /// The outline of a file that is new or changed; `None` if it cannot be read.
    fresh: Option<Arc<Outline>>,
    /// Whether it must be compiled.
    is_stale: bool,
}

impl<'m> Member<'m> {
    /// `None` if the file cannot be read.
    fn outline(&self) -> Option<&Arc<Outline>> {
        self.unit.map(|unit| &unit.outline).or(self.fresh.as_ref())
    }

    /// What is remembered of it, if it need not be compiled.
    fn known(&self) -> Option<&'m Arc<Unit>> {
        self.unit.filter(|_| !self.is_stale)
    }
}

impl<'t, 'm> Set<'t, 'm> {
    /// Reads the files that are new or changed.
    fn read(sources: &'t [&'t SourceFile], memory: &'m Memory) -> Self {
        let mut findings = Findings::new(sources);
        let mut documents = BTreeMap::new();
        let mut members = Vec::with_capacity(sources.len());
        for (number, source) in (0..).zip(sources) {
            let unit = memory.unit(number, source);
            if unit.is_none() && classify(&source.path) != FileKind::Policy {
                members.push(None);
                continue;
            }
            if unit.is_none() {
                documents.extend(super::read(source, number, &mut findings).map(|read| (number, read)));
            }
            members.push(Some(Member { unit, fresh: None, is_stale: unit.is_none() }));
        }
        let mut known = members.iter().flatten().filter_map(Member::outline);
        let has_mentions = known.any(|outline| outline.identity.kind == Kind::Capabilities)
            || documents.values().any(|document| capability::declared(document).is_some());
        let mut texts = Texts::default();
        for (number, document) in &documents {
            if let Some(Some(member)) = members.get_mut(*number as usize) {
                member.fresh = Some(Arc::new(Outline::of(document, has_mentions, &mut texts)));
            }
        }
        Self { sources, memory, members, documents, findings, has_mentions }
    }

    /// Marks the unchanged members that depend on a change.
    fn mark(&mut self) {
        let gone = self.gone().filter_map(|unit| unit.outline.export());
        let new = self.stale().filter_map(|(_, member)| member.outline()?.export());
        let mut changed: BTreeSet<ExportKey> = gone.chain(new).collect();
        let imported = self.imported_roles();
        for is_export in [true, false] {
            for member in self.members.iter_mut().flatten().filter(|member| !member.is_stale) {
                let Some(unit) = member.unit else { continue };
                let outline = &unit.outline;
                let export = outline.export();
                if export.is_some() != is_export {
                    continue;
                }
                member.is_stale = outline.identity.kind == Kind::Capabilities
                    || unit.is_imported != imported.contains(&outline.identity.name)
                        && outline.defined_roles.is_some()
                    || outline.imports.iter().any(|import| changed.contains(import));
                if member.is_stale {
                    changed.extend(export);
                }
            }
        }
    }

    /// What is remembered of files that are changed or gone.
    fn gone(&self) -> impl Iterator<Item = &'m Unit> {
        let members = self.members.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        let files = self.memory.files.iter().zip(members);
        let gone = files.filter(|(_, member)| member.is_none_or(|member| member.unit.is_none()));
        gone.filter_map(|(file, _)| file.unit.as_deref())
    }

    /// The members with their numbers.
    fn members(&self) -> impl Iterator<Item = (u32, &Member<'m>)> {
        (0..).zip(&self.members).filter_map(|(number, member)| Some((number, member.as_ref()?)))
    }

    /// The members that must be compiled, with their numbers.
    fn stale(&self) -> impl Iterator<Item = (u32, &Member<'m>)> {
        self.members().filter(|(_, member)| member.is_stale)
    }

    /// The names of the `derivedRoles` files that some policy imports.
    fn imported_roles(&self) -> BTreeSet<Arc<str>> {
        let outlines = self.outlines();
        outlines.flat_map(|outline| outline.imported(ExportKind::DerivedRoles)).cloned().collect()
    }

    /// The outlines of the policies that take effect.
    fn outlines(&self) -> impl Iterator<Item = &Outline> {
        let outlines = self.members().filter_map(|(_, member)| member.outline());
        outlines.map(AsRef::as_ref).filter(|outline| !outline.disabled)
    }

    /// Reads the unchanged members that must be compiled, and those that are imported for that.
    fn read_again(&mut self) {
        let exports = self.members().filter_map(|(number, member)| {
            let outline = member.outline().filter(|outline| !outline.disabled)?;
            Some((outline.export()?, number))
        });
        let exports: BTreeMap<ExportKey, u32> = exports.collect();
        let mut open: Vec<u32> = self.stale().map(|(number, _)| number).collect();
        let mut seen: BTreeSet<u32> = open.iter().copied().collect();
        let mut untold = self.findings.scratch();
        while let Some(number) = open.pop() {
            let Some(Some(member)) = self.members.get(number as usize) else { continue };
            if let (Some(_), Some(source)) = (member.unit, self.sources.get(number as usize)) {
                let findings = if member.is_stale { &mut self.findings } else { &mut untold };
                let document = super::read(source, number, findings);
                self.documents.extend(document.map(|document| (number, document)));
            }
            let imports = member.outline().into_iter().flat_map(|outline| &outline.imports);
            open.extend(
                imports.filter_map(|import| exports.get(import)).filter(|found| seen.insert(**found)),
            );
        }
    }

    /// Compiles what was read and joins it with what is remembered.
    fn compile(mut self, patterns: &Patterns, lists_names: bool) -> Passed<'t> {
        let unreadable = self.findings.files_with_errors();
        let stale: BTreeSet<u32> = self.stale().map(|(number, _)| number).collect();
        for document in self.documents.values().filter(|document| stale.contains(&document.place.file)) {
            check::document(document, &mut self.findings);
        }
        let names = if lists_names { self.names() } else { Vec::new() };
        let documents = std::mem::take(&mut self.documents).into_values();
        let documents: Vec<_> = documents.filter(|document| !document.disabled).collect();
        let mut findings = std::mem::replace(&mut self.findings, Findings::new(&[]));
        let outlines: Vec<&Outline> = self.outlines().collect();
        let known = index::known(&outlines, &mut findings);
        scopes::check(&outlines, &known, &mut findings);
        let index = Index::of(&documents, patterns);
        let mut fresh = Fresh { imported: self.imported_roles(), ..Fresh::default() };
        fresh.compile(&documents, &index, &mut findings);
        let capabilities = capability::compile(&documents, &mut findings);
        findings.forget_warnings_except(&stale);
        fresh.found(findings.warnings());
        let schemas = self.schemas(&outlines, patterns, &mut findings);
        if !findings.any_error() {
            let mut lints = findings.scratch();
            let stale = documents.iter().filter(|document| stale.contains(&document.place.file));
            stale.for_each(|document| lint::policy(document, &index, &mut lints));
            fresh.found(lints.warnings());
            findings.absorb(lints);
            lint::set(&documents, &outlines, &capabilities, &mut findings);
        }
        let known = self.members().filter_map(|(_, member)| member.known());
        known.flat_map(|unit| &unit.findings).for_each(|finding| findings.add(finding.clone()));
        let importing = outlines.iter().filter(|outline| outline.imports_names());
        findings.blame_unreadable(&unreadable, &importing.map(|outline| outline.place.file).collect());

        let units = self.units(fresh);
        let mut snapshot =
            Snapshot { schemas: Arc::clone(&schemas.table), capabilities, ..Snapshot::default() };
        let by_path = self.by_path();
        let in_order = by_path.iter().filter_map(|number| units.get(*number as usize)?.as_ref());
        in_order.filter_map(|unit| unit.policy.clone()).for_each(|policy| snapshot.insert(policy));
        let is_whole = self.members.iter().flatten().count() == units.iter().flatten().count();
        let is_sound = !findings.any_error() && findings.are_all_listed() && is_whole;
        let memory = is_sound.then(|| self.memory(units, by_path, schemas, patterns)).flatten();
        Passed { snapshot, findings, names, memory }
    }

    fn names(&self) -> Vec<PolicyName> {
        let outlines = self.members().filter_map(|(_, member)| Some(member.outline()?.as_ref()));
        let names = outlines.map(|Outline { identity, place, disabled, .. }| PolicyName {
            name: identity.to_string(),
            file: self.findings.position(*place).file,
            disabled: *disabled,
        });
        let mut names: Vec<_> = names.collect();
        names.sort_by(|a, b| a.file.cmp(&b.file));
        names
    }

    /// The schemas: all of them are compiled again if one is changed, or a policy that names one.
    fn schemas(
        &self,
        outlines: &[&Outline],
        patterns: &Patterns,
        findings: &mut Findings<'_>,
    ) -> RememberedSchemas {
        let others = self.sources.iter().zip(&self.members).filter(|(_, member)| member.is_none());
        let schemas = others.filter(|(source, _)| classify(&source.path) == FileKind::Schema);
        let files: Vec<SourceFile> = schemas.map(|(source, _)| SourceFile::clone(source)).collect();
        let new = self.stale().filter_map(|(_, member)| Some(member.outline()?.as_ref()));
        let mut touched = self.gone().map(|unit| unit.outline.as_ref()).chain(new);
        let remembered = self.memory.schemas.as_ref();
        let remembered = remembered.filter(|remembered| remembered.is_flawless && remembered.files == files);
        if let Some(RememberedSchemas { table, literals, .. }) = remembered
            && !touched.any(|outline| outline.schemas.is_some())
        {
            let (table, literals) = (Arc::clone(table), literals.clone());
            return RememberedSchemas { table, files, literals, is_flawless: true };
        }
        patterns.take_asked();
        let mut found = findings.scratch();
        let table = Arc::new(schemas::compile(outlines, self.sources, patterns, &mut found));
        let is_flawless = found.is_empty();
        findings.absorb(found);
        RememberedSchemas { table, files, literals: patterns.take_asked(), is_flawless }
    }

    /// What came of every file that can be read, by number.
    fn units(&self, mut fresh: Fresh) -> Vec<Option<Arc<Unit>>> {
        let mut unit = |number: u32, member: &Member<'_>| match member.known() {
            Some(unit) => Some(Arc::clone(unit)),
            None => member.outline().map(|outline| {
                Arc::new(Unit {
                    outline: Arc::clone(outline),
                    is_imported: fresh.imported.contains(&outline.identity.name),
                    policy: fresh.policies.remove(&number),
                    findings: fresh.findings.remove(&number).unwrap_or_default().into(),
                    literals: fresh.literals.remove(&number).unwrap_or_default(),
                })
            }),
        };
        let members = (0..).zip(&self.members);
        members.map(|(number, member)| unit(number, member.as_ref()?)).collect()
    }

    /// The numbers of the files, by path.
    fn by_path(&self) -> Vec<u32> {
        let files = (0..).zip(self.sources).filter(|(_, source)| !source.path.is_empty());
        let mut files: Vec<(u32, &str)> =
            files.map(|(number, source)| (number, source.path.as_ref())).collect();
        files.sort_by_key(|(_, path)| *path);
        files.into_iter().map(|(number, _)| number).collect()
    }

    /// What is remembered of the set; `None` if there may be no room for another regular expression: then it depends
    /// on the order of the files which of them are refused.
    fn memory(
        &self,
        units: Vec<Option<Arc<Unit>>>,
        by_path: Vec<u32>,
        schemas: RememberedSchemas,
        patterns: &Patterns,
    ) -> Option<Memory> {
        if patterns.is_full() {
            return None;
        }
        let literals = units.iter().flatten().flat_map(|unit| &unit.literals).chain(&schemas.literals);
        patterns.keep_only(&literals.cloned().collect());
        let files = self.sources.iter().zip(units).map(|(source, unit)| {
            let SourceFile { path, text } = SourceFile::clone(source);
            Remembered { path, text, unit }
        });
        let (has_mentions, schemas) = (self.has_mentions, Some(schemas));
        Some(Memory { files: files.collect(), by_path, has_mentions, schemas })
    }
}

/// What comes of the files that were read, by number.
#[derive(Default)]
struct Fresh {
    policies: BTreeMap<u32, Arc<Policy>>,
    findings: BTreeMap<u32, Vec<Finding>>,
    literals: BTreeMap<u32, BTreeSet<Arc<str>>>,
    /// The names of the `derivedRoles` files that some policy imports.
    imported: BTreeSet<Arc<str>>,
}

impl Fresh {
    fn compile<'p>(
        &mut self,
        documents: &'p [Document<'_>],
        index: &'p Index<'p, '_>,
        findings: &mut Findings<'_>,
    ) {
        let sets = compile::role_sets(documents, &self.imported, index, &mut self.literals, findings);
        let mut pool = Pool::default();
        for document in documents {
            index.patterns.take_asked();
            if let Some(policy) = compile::policy(document, &sets, index, findings) {
                self.policies.insert(document.place.file, Arc::new(pool.share(policy)));
                self.literals.insert(document.place.file, index.patterns.take_asked());
            }
        }
    }

    fn found(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            self.findings.entry(finding.file()).or_default().push(finding);
        }
    }
}
