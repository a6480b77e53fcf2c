//! From schema files to a compiled schema: every schema that a reference leads to becomes one node.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::document::Document;
use super::formats::Format;
use super::json::{Content, JsonId};
use super::keywords::keyword;
use super::library::{Finder, Flaw, Library, Site, Unusable, UnusableKind};
use super::node::{Condition, Dynamic, InPlace, Keywords, Node, NodeId, Number, Pattern, Text};
use super::{Schema, constants, containers, loops};
use crate::expr::Patterns;
use crate::limits::SCHEMA_NODES;

/// Compiles one schema of a policy with all it refers to.
pub(super) struct Compiler<'l, 't> {
    finder: Finder<'l, 't>,
    nodes: Vec<Node>,
    known: BTreeMap<(String, JsonId), NodeId>,
    waiting: VecDeque<(NodeId, Site)>,
    /// Resources that a node is part of, by file and number in the file.
    resources: BTreeMap<(String, usize), usize>,
    /// The dynamic anchors of each of them.
    dynamic: Vec<BTreeMap<Box<str>, NodeId>>,
}

impl<'l, 't> Compiler<'l, 't> {
    /// A compiler for what a policy refers to as `reference`.
    pub(super) fn new(library: &'l mut Library<'t>, patterns: &'l Patterns, reference: &'l str) -> Self {
        Self {
            finder: Finder { library, patterns, root: reference },
            nodes: Vec::new(),
            known: BTreeMap::new(),
            waiting: VecDeque::new(),
            resources: BTreeMap::new(),
            dynamic: Vec::new(),
        }
    }

    /// The schema, unless something that it needs is missing or wrong.
    pub(super) fn schema(mut self) -> Result<Schema, Unusable> {
        let root = self.finder.root()?;
        self.node(root.clone())?;
        while let Some((NodeId(at), site)) = self.waiting.pop_front() {
            let node = self.build(&site)?;
            if let Some(reserved) = self.nodes.get_mut(at) {
                *reserved = node;
            }
        }
        if let Some(message) = loops::find(&self.nodes, &url_of(&root)) {
            return Err(self.finder.failed(
                UnusableKind::Invalid,
                &message,
                vec![flaw(&root, 0..1, &message)],
            ));
        }
        Ok(Schema { nodes: self.nodes, dynamic: self.dynamic })
    }

    /// The node of the schema at `site`, which is built when its turn comes.
    pub(super) fn node(&mut self, site: Site) -> Result<NodeId, Unusable> {
        let key = (site.path.to_string(), site.id);
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        if self.finder.library.compiled >= SCHEMA_NODES {
            let message = format!("the schemas of all policies hold more than {SCHEMA_NODES} schemas");
            return Err(self.finder.failed(
                UnusableKind::Invalid,
                &message,
                vec![flaw(&site, 0..1, &message)],
            ));
        }
        self.finder.library.compiled += 1;
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node::Always(false));
        self.known.insert(key, id);
        self.waiting.push_back((id, site));
        Ok(id)
    }

    fn build(&mut self, site: &Site) -> Result<Node, Unusable> {
        if let Content::Bool(always) = site.document.tree.get(site.id).content {
            return Ok(Node::Always(always));
        }
        let resource = self.resource(site)?;
        let source = Source { site, document: &site.document };
        let in_place = self.in_place(&source)?;
        if source.stands_alone() {
            return Ok(Node::Keywords(Box::new(Keywords { resource, in_place, ..Keywords::default() })));
        }
        Ok(Node::Keywords(Box::new(Keywords {
            resource,
            types: source.types(),
            constant: source.member("const").map(|id| constants::constant(source.document, id)),
            choice: source.member("enum").and_then(|id| constants::choice(source.document, id)),
            format: source.text("format").and_then(Format::named),
            text: self.text(&source)?,
            number: source.bounds(),
            array: containers::array(self, &source)?,
            object: containers::object(self, &source)?,
            in_place,
            unevaluated_properties: self.child(&source, "unevaluatedProperties")?,
            unevaluated_items: self.child(&source, "unevaluatedItems")?,
        })))
    }

    /// The number of the resource that `site` is part of, its dynamic anchors compiled.
    fn resource(&mut self, site: &Site) -> Result<usize, Unusable> {
        let key = (site.path.to_string(), site.resource);
        if let Some(known) = self.resources.get(&key) {
            return Ok(*known);
        }
        let number = self.dynamic.len();
        self.resources.insert(key, number);
        self.dynamic.push(BTreeMap::new());
        let anchors = site.document.resources.get(site.resource).map(|resource| resource.dynamic.clone());
        for (name, id) in anchors.unwrap_or_default() {
            let node = self.node(Site { id, ..site.clone() })?;
            if let Some(anchors) = self.dynamic.get_mut(number) {
                anchors.insert(name.into(), node);
            }
        }
        Ok(number)
    }

    fn in_place(&mut self, source: &Source<'_>) -> Result<InPlace, Unusable> {
        let reference = self.reference(source, "$ref")?;
        if source.stands_alone() {
            return Ok(InPlace { reference, ..InPlace::default() });
        }
        let condition = match self.child(source, "if")? {
            Some(test) => Some(Condition {
                test,
                then: self.child(source, "then")?,
                otherwise: self.child(source, "else")?,
            }),
            None => None,
        };
        Ok(InPlace {
            reference,
            dynamic: self.dynamic_reference(source)?,
            not: self.child(source, "not")?,
            all_of: self.children(source, "allOf")?,
            any_of: self.children(source, "anyOf")?,
            one_of: self.children(source, "oneOf")?,
            condition,
        })
    }

    fn reference(&mut self, source: &Source<'_>, name: &str) -> Result<Option<NodeId>, Unusable> {
        let (Some(id), Some(reference)) = (source.member(name), source.text(name)) else { return Ok(None) };
        let place = flaw(source.site, source.document.tree.get(id).range.clone(), "");
        let target = self.finder.reference(source.site, reference, &place)?;
        self.node(target).map(Some)
    }

    /// `$dynamicRef`, or `$recursiveRef`, which is one to the anchor without a name.
    fn dynamic_reference(&mut self, source: &Source<'_>) -> Result<Option<Dynamic>, Unusable> {
        for name in ["$dynamicRef", "$recursiveRef"] {
            let Some(fallback) = self.reference(source, name)? else { continue };
            let fragment = source.text(name).and_then(|reference| Some(reference.split_once('#')?.1));
            let named = fragment.filter(|fragment| !fragment.starts_with('/'));
            let diverts = self.dynamic_anchor(fallback, named.unwrap_or_default());
            let anchor = named.filter(|_| diverts).map(Box::from);
            return Ok(Some(Dynamic { fallback, anchor }));
        }
        Ok(None)
    }

    /// Whether the schema of `node` carries the dynamic anchor `name`.
    fn dynamic_anchor(&self, node: NodeId, name: &str) -> bool {
        let waiting = self.waiting.iter().find(|(id, _)| *id == node).map(|(_, site)| site.clone());
        let site_has = |site: &Site| {
            let resource = site.document.resources.get(site.resource);
            resource.is_some_and(|resource| resource.dynamic.get(name) == Some(&site.id))
        };
        match waiting {
            Some(site) => site_has(&site),
            None => self.dynamic.iter().any(|anchors| anchors.get(name) == Some(&node)),
        }
    }

    /// The schema under the keyword `name`.
    pub(super) fn child(&mut self, source: &Source<'_>, name: &str) -> Result<Option<NodeId>, Unusable> {
        match source.member(name) {
            Some(id) => self.node(source.inner(id)).map(Some),
            None => Ok(None),
        }
    }

    /// The schemas in the list under the keyword `name`.
    pub(super) fn children(&mut self, source: &Source<'_>, name: &str) -> Result<Vec<NodeId>, Unusable> {
        let items = source.list(name);
        items.iter().map(|id| self.node(source.inner(*id))).collect()
    }

    /// The program of a pattern.
    pub(super) fn pattern(&self, source: &Source<'_>, pattern: &str) -> Result<Arc<regex::Regex>, Unusable> {
        self.finder.patterns.compile(pattern).map_err(|message| {
            self.finder.failed(UnusableKind::Invalid, &message, vec![flaw(source.site, 0..1, &message)])
        })
    }

    fn text(&mut self, source: &Source<'_>) -> Result<Text, Unusable> {
        let pattern = match source.text("pattern") {
            Some(pattern) => Some(Pattern { regex: self.pattern(source, pattern)?, source: pattern.into() }),
            None => None,
        };
        Ok(Text {
            min: source.number("minLength"),
            max: source.number("maxLength"),
            pattern,
            is_base64: source.text("contentEncoding") == Some("base64"),
            is_json: source.text("contentMediaType") == Some("application/json"),
            content: self.child(source, "contentSchema")?,
        })
    }
}

/// The text of one schema.
pub(super) struct Source<'s> {
    site: &'s Site,
    document: &'s Document,
}

impl<'s> Source<'s> {
    /// The value of the keyword `name`, if the draft of the file has it.
    pub(super) fn member(&self, name: &str) -> Option<JsonId> {
        keyword(name, self.document.draft)?;
        self.document.tree.member(self.site.id, name)
    }

    pub(super) fn content(&self, name: &str) -> Option<&'s Content> {
        self.member(name).map(|id| &self.document.tree.get(id).content)
    }

    pub(super) fn document(&self) -> &'s Document {
        self.document
    }

    /// The schema `id` within this one.
    pub(super) fn inner(&self, id: JsonId) -> Site {
        Site { id, resource: self.document.owner(id, self.site.resource), ..self.site.clone() }
    }

    pub(super) fn text(&self, name: &str) -> Option<&'s str> {
        self.document.tree.text(self.member(name)?)
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        match self.content(name) {
            Some(Content::Number(number)) => Some(number.value),
            _ => None,
        }
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.content(name), Some(Content::Bool(true)))
    }

    pub(super) fn list(&self, name: &str) -> &'s [JsonId] {
        match self.content(name) {
            Some(Content::List(items)) => items,
            _ => &[],
        }
    }

    /// Whether there is a reference, beside which nothing counts.
    fn stands_alone(&self) -> bool {
        self.document.draft.ref_stands_alone() && self.member("$ref").is_some()
    }

    fn types(&self) -> Vec<super::node::Type> {
        let items = match self.content("type") {
            Some(Content::List(items)) => items.clone(),
            _ => self.member("type").into_iter().collect(),
        };
        items.iter().filter_map(|id| super::node::Type::named(self.document.tree.text(*id)?)).collect()
    }

    /// In draft-04 `exclusiveMinimum` and `exclusiveMaximum` say what the limit beside them means.
    fn bounds(&self) -> Number {
        let side = |limit: &str, exclusive: &str| match self.flag(exclusive) {
            true => (None, self.number(limit)),
            false => (self.number(limit), self.number(exclusive)),
        };
        let (minimum, exclusive_minimum) = side("minimum", "exclusiveMinimum");
        let (maximum, exclusive_maximum) = side("maximum", "exclusiveMaximum");
        let multiple_of = self.number("multipleOf");
        Number { minimum, exclusive_minimum, maximum, exclusive_maximum, multiple_of }
    }
}

fn url_of(site: &Site) -> String {
    format!("cerbos:///{}#", site.path)
}

/// Something wrong at `range` of the file of `site`; a range of length one means the schema itself.
fn flaw(site: &Site, range: Range<usize>, message: &str) -> Flaw {
    let own = &site.document.tree.get(site.id).range;
    let range = if range == (0..1) { own.start..own.start + 1 } else { range };
    Flaw { path: format!("_schemas/{}", site.path), range, message: message.to_owned() }
}
