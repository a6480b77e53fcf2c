//! Capabilities from the YAML tree.

use super::fields::Fields;
use crate::policy::ast::{Body, Capabilities, CapabilityEntry, Document, Text};
use crate::policy::findings::Findings;
use crate::policy::yaml::{Content, Node};

/// Whether `node` is a file of our own kinds.
pub(in crate::policy) fn is_extension(node: &Node<'_>) -> bool {
    let Content::Map(entries) = &node.content else { return false };
    let is_ours =
        |content: &Content<'_>| matches!(content, Content::String(text) if text.starts_with("procura.dev/"));
    entries.iter().any(|entry| entry.key == "apiVersion" && is_ours(&entry.value.content))
}

/// What `node` declares, if it can be read.
pub(in crate::policy) fn capabilities<'t>(
    node: Node<'t>,
    findings: &mut Findings<'_>,
) -> Option<Document<'t>> {
    let mut fields = Fields::of(node, "document", findings)?;
    let entry = fields.take_entry("capabilities")?;
    let place = entry.place;
    let mut body = Fields::of(entry.value, "capabilities", findings)?;
    let system = body.required("system", findings)?;
    let entries = body.list("entries", findings);
    let entries = entries.into_iter().filter_map(|node| capability(node, findings)).collect();
    Some(Document { place, disabled: false, body: Body::Capabilities(Capabilities { system, entries }) })
}

fn capability<'t>(node: Node<'t>, findings: &mut Findings<'_>) -> Option<CapabilityEntry<'t>> {
    let mut fields = Fields::of(node, "entries", findings)?;
    let place = fields.place;
    let resource = fields.required("resource", findings);
    let actions = fields.some_texts("actions", findings);
    let owner = fields.required("owner", findings);
    let risk = fields.required("risk", findings);
    let signals = fields.list("signals", findings);
    let signals = signals.into_iter().filter_map(|node| signal(node, findings)).collect();
    Some(CapabilityEntry { place, resource: resource?, actions, owner: owner?, risk: risk?, signals })
}

/// Type and greatest age.
fn signal<'t>(node: Node<'t>, findings: &mut Findings<'_>) -> Option<(Text<'t>, Text<'t>)> {
    let mut fields = Fields::of(node, "signals", findings)?;
    Some((fields.required("type", findings)?, fields.required("maxAge", findings)?))
}
