//! The schema files of a set, and how references find them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use super::compile::Compiler;
use super::document::Document;
use super::json::{JsonId, Tree};
use super::text::quote;
use super::{Schema, uri};
use crate::expr::Patterns;
use crate::limits::POLICY_FILE_BYTES;

/// The directory of schema files, at the root of a set.
const DIRECTORY: &str = "_schemas/";

/// The schema files of a set of policies.
#[derive(Debug)]
pub struct Library<'t> {
    /// Text by path below `_schemas/`.
    texts: BTreeMap<&'t str, &'t str>,
    documents: BTreeMap<String, Result<Rc<Document>, Flaw>>,
    schemas: BTreeMap<String, Result<Arc<Schema>, Unusable>>,
    /// How many schemas have been compiled.
    pub(super) compiled: usize,
}

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// What kind of reason.
    pub kind: UnusableKind,
    /// The reason as the peer tells it to callers.
    pub message: String,
    /// Every place in a schema file that has to be mended; empty if the reference itself is wrong.
    pub flaws: Vec<Flaw>,
}

/// The kinds of [`Unusable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnusableKind {
    /// It refers to something that the set does not have.
    Missing,
    /// A file is not JSON.
    Malformed,
    /// A file is no schema.
    Invalid,
    /// It refers to something outside the set.
    Outside,
}

/// A place in a schema file, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Path below the root of the set.
    pub path: String,
    /// Bytes of the file.
    pub range: Range<usize>,
    /// What is wrong.
    pub message: String,
}

/// A schema in a file.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// Path below `_schemas/`.
    pub(super) path: Rc<str>,
    pub(super) document: Rc<Document>,
    pub(super) id: JsonId,
    /// The resource it is part of.
    pub(super) resource: usize,
}

impl<'t> Library<'t> {
    /// The files of a set, as path and text; those that are not below `_schemas/` are passed over.
    pub fn new(files: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let below = |(path, text): (&'t str, &'t str)| Some((path.strip_prefix(DIRECTORY)?, text));
        let texts = files.into_iter().filter_map(below).collect();
        Self { texts, documents: BTreeMap::new(), schemas: BTreeMap::new(), compiled: 0 }
    }

    /// The schema that a policy refers to as `reference`, such as `cerbos:///leave_request.json`.
    pub fn schema(&mut self, reference: &str, patterns: &Patterns) -> Result<Arc<Schema>, Unusable> {
        if let Some(known) = self.schemas.get(reference) {
            return known.clone();
        }
        let schema = Compiler::new(self, patterns, reference).schema().map(Arc::new);
        self.schemas.insert(reference.to_owned(), schema.clone());
        schema
    }

    /// What is wrong in the JSON file at `path`, relative to the root of the set, whether something refers to it or not.
    pub fn flaws(&mut self, path: &str, patterns: &Patterns) -> Vec<Flaw> {
        let Some(inner) = path.strip_prefix(DIRECTORY) else { return Vec::new() };
        match self.document(inner, patterns) {
            Some(Ok(document)) => flaws_of(inner, &document),
            Some(Err(flaw)) => vec![flaw],
            None => Vec::new(),
        }
    }

    /// The schema file at `path` below `_schemas/`, if there is one.
    fn document(&mut self, path: &str, patterns: &Patterns) -> Option<Result<Rc<Document>, Flaw>> {
        if let Some(known) = self.documents.get(path) {
            return Some(known.clone());
        }
        let text = self.texts.get(path)?;
        let read = match text.len() {
            0..=POLICY_FILE_BYTES => Tree::parse(text).map_err(|error| (error.range, error.message)),
            _ => Err((0..0, format!("the file is larger than {POLICY_FILE_BYTES} bytes"))),
        };
        let document = match read {
            Ok(tree) => Ok(Rc::new(Document::new(format!("cerbos:///{path}"), tree, patterns))),
            Err((range, message)) => Err(Flaw { path: format!("{DIRECTORY}{path}"), range, message }),
        };
        self.documents.insert(path.to_owned(), document.clone());
        Some(document)
    }
}

/// What is wrong in `document`.
pub(super) fn flaws_of(path: &str, document: &Document) -> Vec<Flaw> {
    let flaw = |fault: &super::document::Fault| Flaw {
        path: format!("{DIRECTORY}{path}"),
        range: fault.range.clone(),
        message: match fault.pointer.is_empty() {
            true => fault.message.clone(),
            false => format!("`{}`: {}", fault.pointer, fault.message),
        },
    };
    document.faults.iter().map(flaw).collect()
}

/// Finding what a reference leads to, on behalf of the schema that a policy refers to as `root`.
pub(super) struct Finder<'l, 't> {
    pub(super) library: &'l mut Library<'t>,
    pub(super) patterns: &'l Patterns,
    pub(super) root: &'l str,
}

impl Finder<'_, '_> {
    /// The schema that the policy refers to.
    pub(super) fn root(&mut self) -> Result<Site, Unusable> {
        let (url, fragment) = uri::split(self.root);
        let Some(scheme) = uri::scheme(url) else {
            return Err(self.no_such_file(url, None));
        };
        let file = self.file(url, &scheme, None)?;
        self.fragment(file, fragment, None)
    }

    /// What `reference` in the schema at `from` leads to; `flaw` is the place of the reference.
    pub(super) fn reference(&mut self, from: &Site, reference: &str, flaw: &Flaw) -> Result<Site, Unusable> {
        let (url, fragment) = uri::split(reference);
        let resources = &from.document.resources;
        let base = resources.get(from.resource).map(|resource| resource.url.as_str()).unwrap_or_default();
        let url = uri::resolve(base, url);
        if let Some(resource) = resources.iter().position(|resource| resource.url == url) {
            let id = resources.get(resource).map_or(from.id, |resource| resource.root);
            return self.fragment(Site { id, resource, ..from.clone() }, fragment, Some(flaw));
        }
        let scheme = uri::scheme(&url).unwrap_or_default();
        let file = self.file(&url, &scheme, Some(flaw))?;
        self.fragment(file, fragment, Some(flaw))
    }

    /// A failure to compile that is told with a reason of its own.
    pub(super) fn failed(&self, kind: UnusableKind, reason: &str, flaws: Vec<Flaw>) -> Unusable {
        let message = format!("jsonschema {} compilation failed: {reason}", self.root);
        Unusable { kind, message, flaws }
    }

    fn file(&mut self, url: &str, scheme: &str, flaw: Option<&Flaw>) -> Result<Site, Unusable> {
        let flaws = |message: String| flaw.map(|flaw| Flaw { message, ..flaw.clone() }).into_iter().collect();
        let path = uri::path(url).unwrap_or_default();
        match scheme {
            "cerbos" => {}
            "file" => return Err(self.no_such_file(&path, flaw)),
            "http" | "https" => {
                let reason = format!("Get \"{url}\": schemas are not read from the network");
                return Err(self.failed(
                    UnusableKind::Outside,
                    &reason,
                    flaws(format!("`{url}` is outside the set")),
                ));
            }
            _ => {
                let reason = format!("no Loader found for {url}");
                return Err(self.failed(
                    UnusableKind::Outside,
                    &reason,
                    flaws(format!("`{url}` is outside the set")),
                ));
            }
        }
        let inner = path.strip_prefix('/').unwrap_or_default();
        if inner.split('/').any(|part| matches!(part, "" | "." | "..")) {
            let reason = format!("open {inner}: invalid argument");
            return Err(self.failed(UnusableKind::Missing, &reason, flaws(format!("`{url}` names no file"))));
        }
        match self.library.document(inner, self.patterns) {
            None => {
                let below = inner.strip_prefix(DIRECTORY).unwrap_or(inner);
                Err(self.no_such_file(&format!("{DIRECTORY}{below}"), flaw))
            }
            Some(Err(flaw)) => {
                let reason = format!("invalid json {url}: {}", flaw.message);
                Err(self.failed(UnusableKind::Malformed, &reason, vec![flaw]))
            }
            Some(Ok(document)) => self.valid(inner, document),
        }
    }

    fn valid(&self, path: &str, document: Rc<Document>) -> Result<Site, Unusable> {
        let Some(first) = document.faults.first() else {
            let id = document.tree.root();
            return Ok(Site { path: path.into(), document, id, resource: 0 });
        };
        let reason = format!("{} does not validate: {}", quote(&first.pointer), first.message);
        Err(self.failed(UnusableKind::Invalid, &reason, flaws_of(path, &document)))
    }

    /// The part of `file` that `fragment` names.
    fn fragment(&self, file: Site, fragment: &str, flaw: Option<&Flaw>) -> Result<Site, Unusable> {
        let resource = file.document.resources.get(file.resource);
        let decoded = uri::decode(fragment);
        let found = match decoded.as_deref() {
            Some("") => Some((file.id, file.resource)),
            Some(pointer) if pointer.starts_with('/') => file.document.find(file.resource, pointer),
            Some(anchor) => resource
                .and_then(|resource| resource.anchors.get(anchor))
                .map(|id| (*id, file.document.owner(*id, file.resource))),
            None => None,
        };
        let url = resource.map(|resource| resource.url.as_str()).unwrap_or_default();
        let Some((id, resource)) = found else {
            let flaw = flaw
                .map(|flaw| Flaw { message: format!("`{url}#{fragment}` does not exist"), ..flaw.clone() });
            let reason = format!("{url}#{fragment} not found");
            return Err(self.failed(UnusableKind::Missing, &reason, flaw.into_iter().collect()));
        };
        let faults = file.document.faults_at(id, fragment, self.patterns);
        if let Some(first) = faults.first() {
            let reason = format!("{} does not validate: {}", quote(&first.pointer), first.message);
            let flaw = Flaw {
                path: format!("{DIRECTORY}{}", file.path),
                range: first.range.clone(),
                message: first.message.clone(),
            };
            return Err(self.failed(UnusableKind::Invalid, &reason, vec![flaw]));
        }
        Ok(Site { id, resource, ..file })
    }

    fn no_such_file(&self, path: &str, flaw: Option<&Flaw>) -> Unusable {
        let by = flaw.map(|_| format!(" referenced by {}", self.root)).unwrap_or_default();
        let message = format!("schema {path}{by} doesn't exist");
        let missing =
            |flaw: &Flaw| Flaw { message: format!("schema `{path}` does not exist"), ..flaw.clone() };
        Unusable { kind: UnusableKind::Missing, message, flaws: flaw.map(missing).into_iter().collect() }
    }
}
