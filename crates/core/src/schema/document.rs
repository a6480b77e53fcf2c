//! One schema file: its tree, the names it can be referred to by, and what is wrong with it.
//!
//! Everything in a file is checked, whether something refers to it or not.

use std::collections::BTreeMap;
use std::ops::Range;

use super::draft::Draft;
use super::json::{Content, Json, JsonId, Tree};
use super::keywords::{Takes, keyword};
use super::text::{quote, segment};
use super::uri;
use crate::expr::Patterns;

/// A schema file that is JSON.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) tree: Tree,
    pub(super) draft: Draft,
    /// The file itself first, then each schema in it that has an id of its own.
    pub(super) resources: Vec<Resource>,
    /// The resource of each schema.
    owners: BTreeMap<JsonId, usize>,
    /// What is wrong with it, in the order of the text.
    pub(super) faults: Vec<Fault>,
}

/// A schema with a URI.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) url: String,
    pub(super) root: JsonId,
    pub(super) anchors: BTreeMap<String, JsonId>,
    /// Those that a dynamic reference can be diverted to; `$recursiveAnchor` counts as the one without a name.
    pub(super) dynamic: BTreeMap<String, JsonId>,
}

/// Something wrong in a file.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) range: Range<usize>,
    /// Where, as a JSON pointer.
    pub(super) pointer: String,
    pub(super) message: String,
}

impl Document {
    /// Reads the tree of the file at `url`.
    pub(super) fn new(url: String, tree: Tree, patterns: &Patterns) -> Self {
        let root = tree.root();
        let named = tree.member(root, "$schema");
        let draft = named.map_or(Some(Draft::D2020), |id| tree.text(id).and_then(Draft::named));
        let mut survey = Survey::of(&tree, draft.unwrap_or(Draft::D2020), patterns);
        if let (Some(id), None) = (named, draft) {
            survey.below("$schema", |survey| survey.add(id, NO_DRAFT));
        }
        survey.resources.push(Resource { url, root, anchors: BTreeMap::new(), dynamic: BTreeMap::new() });
        survey.schema(root, 0);
        let Survey { draft, resources, owners, mut faults, .. } = survey;
        faults.sort_by_key(|fault| fault.range.start);
        Self { tree, draft, resources, owners, faults }
    }

    /// What is wrong with the value `id`, found by `pointer`, as a schema.
    pub(super) fn faults_at(&self, id: JsonId, pointer: &str, patterns: &Patterns) -> Vec<Fault> {
        if self.owners.contains_key(&id) {
            return Vec::new();
        }
        let mut survey = Survey::of(&self.tree, self.draft, patterns);
        survey.pointer.push_str(pointer);
        survey.schema(id, 0);
        survey.faults
    }

    /// The resource of the schema `id`, which stands in a schema of resource `outer`.
    pub(super) fn owner(&self, id: JsonId, outer: usize) -> usize {
        self.owners.get(&id).copied().unwrap_or(outer)
    }

    /// What `pointer` leads to from `resource`, and the resource it is in.
    pub(super) fn find(&self, resource: usize, pointer: &str) -> Option<(JsonId, usize)> {
        let mut at = self.resources.get(resource)?.root;
        let mut owner = resource;
        for part in pointer.split('/').skip(1) {
            let name = part.replace("~1", "/").replace("~0", "~");
            at = match &self.tree.get(at).content {
                Content::List(items) => *items.get(name.parse::<usize>().ok()?)?,
                _ => self.tree.member(at, &name)?,
            };
            owner = self.owner(at, owner);
        }
        Some((at, owner))
    }
}

/// What is said of a `$schema` that is none of ours.
const NO_DRAFT: &str =
    "value must name a draft of JSON Schema, such as `https://json-schema.org/draft/2020-12/schema`";

/// A walk over all schemas of a file.
struct Survey<'d> {
    tree: &'d Tree,
    draft: Draft,
    patterns: &'d Patterns,
    pointer: String,
    resources: Vec<Resource>,
    owners: BTreeMap<JsonId, usize>,
    faults: Vec<Fault>,
}

impl<'d> Survey<'d> {
    fn of(tree: &'d Tree, draft: Draft, patterns: &'d Patterns) -> Self {
        let (resources, owners, faults) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { tree, draft, patterns, pointer: String::new(), resources, owners, faults }
    }

    fn schema(&mut self, id: JsonId, outer: usize) {
        let tree = self.tree;
        let entries = match &tree.get(id).content {
            Content::Map(entries) => entries,
            Content::Bool(_) if self.draft > Draft::D4 => {
                self.owners.insert(id, outer);
                return;
            }
            other if self.draft == Draft::D4 => {
                return self.add(id, &format!("expected object, but got {}", other.type_name()));
            }
            other => {
                return self.add(id, &format!("expected object or boolean, but got {}", other.type_name()));
            }
        };
        let owner = self.name(id, outer);
        self.owners.insert(id, owner);
        for entry in entries {
            if let Some(keyword) = keyword(&entry.key, self.draft) {
                self.below(&entry.key, |survey| survey.value(keyword.takes, entry.value, owner));
            }
        }
    }

    /// Notes the names of the schema `id`; returns its resource.
    fn name(&mut self, id: JsonId, outer: usize) -> usize {
        let (tree, draft) = (self.tree, self.draft);
        let member = |key: &str| keyword(key, draft).and_then(|_| tree.member(id, key));
        let text = |key: &str| member(key).and_then(|id| tree.text(id));
        let mut owner = outer;
        let mut anchors = Vec::new();
        let is_reference = draft.ref_stands_alone() && member("$ref").is_some();
        if let Some(name) = text(draft.id_keyword()).filter(|_| !is_reference) {
            let (url, fragment) = uri::split(name);
            if !url.is_empty() {
                owner = self.resource(id, outer, url);
            } else if draft.ref_stands_alone() {
                anchors.push(fragment);
            }
        }
        anchors.extend(text("$anchor"));
        let dynamic = text("$dynamicAnchor");
        let recursive = member("$recursiveAnchor").map(|flag| &tree.get(flag).content);
        let is_recursive = matches!(recursive, Some(Content::Bool(true)));
        for name in anchors.into_iter().chain(dynamic) {
            self.anchor(id, owner, name);
        }
        if let Some(resource) = self.resources.get_mut(owner) {
            resource.dynamic.extend(dynamic.map(|name| (name.to_owned(), id)));
            if is_recursive && resource.root == id {
                resource.dynamic.insert(String::new(), id);
            }
        }
        owner
    }

    fn anchor(&mut self, id: JsonId, owner: usize, name: &str) {
        let anchors = self.resources.get_mut(owner).map(|resource| &mut resource.anchors);
        if anchors.and_then(|anchors| anchors.insert(name.to_owned(), id)).is_some_and(|other| other != id) {
            self.add(id, &format!("the anchor {} names two schemas", quote(name)));
        }
    }

    /// Adds the resource of the schema `id`, whose name is `url` as seen from resource `outer`.
    fn resource(&mut self, id: JsonId, outer: usize, url: &str) -> usize {
        let Some(base) = self.resources.get_mut(outer) else { return outer };
        let url = uri::resolve(&base.url, url);
        if base.root == id {
            base.url = url;
            return outer;
        }
        self.resources.push(Resource { url, root: id, anchors: BTreeMap::new(), dynamic: BTreeMap::new() });
        self.resources.len() - 1
    }

    fn value(&mut self, takes: Takes, id: JsonId, owner: usize) {
        let json = self.tree.get(id);
        match (takes, &json.content) {
            (Takes::Rest, Content::Bool(_)) => drop(self.owners.insert(id, owner)),
            (Takes::Schema | Takes::Rest, _) => self.schema(id, owner),
            (Takes::SchemaOrSchemas, Content::List(items)) => self.schemas(items, owner),
            (Takes::SchemaOrSchemas, _) => self.schema(id, owner),
            (Takes::Schemas, Content::List(items)) => {
                if items.is_empty() {
                    self.add(id, "minimum 1 items required, but found 0 items");
                }
                self.schemas(items, owner);
            }
            (Takes::SchemaMap | Takes::Patterns | Takes::Dependencies, Content::Map(entries)) => {
                for entry in entries {
                    if takes == Takes::Patterns {
                        self.regex(&entry.key, entry.place.clone());
                    }
                    let is_names = matches!(self.tree.get(entry.value).content, Content::List(_));
                    self.below(&entry.key, |survey| match takes {
                        Takes::Dependencies if is_names => survey.names(entry.value),
                        _ => survey.schema(entry.value, owner),
                    });
                }
            }
            (Takes::NameLists, Content::Map(entries)) => {
                for entry in entries {
                    self.below(&entry.key, |survey| survey.names(entry.value));
                }
            }
            (Takes::Regex, Content::String(pattern)) => self.regex(pattern, json.range.clone()),
            (Takes::Names, _) => self.names(id),
            (Takes::Types, _) => self.types(id),
            _ => self.plain(takes, id, json),
        }
    }

    /// A value that holds no schema.
    fn plain(&mut self, takes: Takes, id: JsonId, json: &Json) {
        let wanted = match (takes, &json.content) {
            (Takes::Count, Content::Number(n)) if n.value < 0.0 || n.value.fract() != 0.0 => {
                return self.add(id, "must be a whole number from 0");
            }
            (Takes::Positive, Content::Number(n)) if n.value <= 0.0 => {
                return self.add(id, &format!("must be > 0 but found {}", n.text));
            }
            (Takes::Count | Takes::Number | Takes::Positive, Content::Number(_))
            | (Takes::Flag, Content::Bool(_))
            | (Takes::Text, Content::String(_))
            | (Takes::List, Content::List(_))
            | (Takes::Anything, _) => return,
            (Takes::Count, _) => "integer",
            (Takes::Number | Takes::Positive, _) => "number",
            (Takes::Flag, _) => "boolean",
            (Takes::Text | Takes::Regex, _) => "string",
            (Takes::Schemas | Takes::List | Takes::Names, _) => "array",
            _ => "object",
        };
        self.add(id, &format!("expected {wanted}, but got {}", json.content.type_name()));
    }

    fn schemas(&mut self, items: &[JsonId], owner: usize) {
        for (index, item) in items.iter().enumerate() {
            self.below(&index.to_string(), |survey| survey.schema(*item, owner));
        }
    }

    fn names(&mut self, id: JsonId) {
        let tree = self.tree;
        let Content::List(items) = &tree.get(id).content else {
            return self.plain(Takes::Names, id, tree.get(id));
        };
        let mut seen = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            match tree.text(*item) {
                None => self.below(&index.to_string(), |survey| {
                    survey.plain(Takes::Text, *item, tree.get(*item));
                }),
                Some(name) => {
                    if let Some(first) = seen.insert(name, index) {
                        self.add(id, &format!("items at index {first} and {index} are equal"));
                    }
                }
            }
        }
    }

    fn types(&mut self, id: JsonId) {
        const NAMES: &str = r#""array", "boolean", "integer", "null", "number", "object", "string""#;
        let tree = self.tree;
        let items = match &tree.get(id).content {
            Content::List(items) => items.as_slice(),
            _ => std::slice::from_ref(&id),
        };
        for item in items {
            let is_type = tree.text(*item).is_some_and(|name| NAMES.contains(&format!("\"{name}\"")));
            if !is_type {
                self.add(*item, &format!("value must be one of {NAMES}"));
            }
        }
    }

    fn regex(&mut self, pattern: &str, range: Range<usize>) {
        if self.patterns.compile(pattern).is_err() {
            let message = format!("{} is not valid 'regex'", quote(pattern));
            self.faults.push(Fault { range, pointer: self.pointer.clone(), message });
        }
    }

    fn below(&mut self, name: &str, walk: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&segment(name));
        walk(self);
        self.pointer.truncate(length);
    }

    fn add(&mut self, id: JsonId, message: &str) {
        let range = self.tree.get(id).range.clone();
        self.faults.push(Fault { range, pointer: self.pointer.clone(), message: message.to_owned() });
    }
}
