//! Rules about actions that nobody declared, and declared actions that no rule mentions. Only kinds of resource that
//! some capability file is about are looked at.

use std::collections::BTreeSet;

use crate::policy::ast::{Body, Document, Text};
use crate::policy::capability::{self, Capabilities};
use crate::policy::diagnostic::Code;
use crate::policy::findings::{Finding, Findings};
use crate::policy::hint;
use crate::policy::rules::{ActionPattern, ResourcePattern};

/// Compares the rules with what is declared.
pub(super) fn check(documents: &[Document<'_>], capabilities: &Capabilities, findings: &mut Findings<'_>) {
    let mentions: Vec<_> = documents.iter().flat_map(mentions).collect();
    let mut mentioned: BTreeSet<(&str, &str)> = BTreeSet::new();
    for mention in &mentions {
        let Ok(pattern) = ActionPattern::parse(&mention.action.value) else { continue };
        for (kind, action, _) in capabilities.iter() {
            if mention.is_about(kind) && pattern.matches(action) {
                mentioned.insert((kind, action));
            }
        }
        undeclared(mention, &pattern, capabilities, findings);
    }
    for declared in documents.iter().filter_map(capability::declared) {
        for entry in &declared.entries {
            for action in &entry.actions {
                let kind = entry.resource.value.as_ref();
                if !mentioned.contains(&(kind, action.value.as_ref())) {
                    let message = format!("no rule mentions action `{}` on `{kind}`", action.value);
                    findings.add(Finding::new(Code::UnmentionedAction, action.place, message));
                }
            }
        }
    }
}

/// An action that a rule names, and the resources it is about.
struct Mention<'p> {
    resource: &'p str,
    /// Whether the resource is a pattern, as in policies of principals and roles.
    is_pattern: bool,
    action: &'p Text<'p>,
}

impl Mention<'_> {
    fn is_about(&self, kind: &str) -> bool {
        if !self.is_pattern {
            return self.resource == kind;
        }
        ResourcePattern::parse(self.resource).is_ok_and(|pattern| pattern.matches(kind, kind))
    }
}

fn mentions<'p>(document: &'p Document<'p>) -> Vec<Mention<'p>> {
    let of = |resource: &'p Text<'p>, is_pattern| {
        move |action: &'p Text<'p>| Mention { resource: &resource.value, is_pattern, action }
    };
    match &document.body {
        Body::Resource(body) => {
            body.rules.iter().flat_map(|rule| &rule.actions).map(of(&body.resource, false)).collect()
        }
        Body::Principal(body) => {
            let actions = body.rules.iter().flat_map(|rule| {
                rule.actions.iter().map(|action| &action.action).map(of(&rule.resource, true))
            });
            actions.collect()
        }
        Body::Role(body) => {
            let actions =
                body.rules.iter().flat_map(|rule| rule.allow_actions.iter().map(of(&rule.resource, true)));
            actions.collect()
        }
        _ => Vec::new(),
    }
}

/// Reports `mention` if none of the declared actions on its resource is meant.
fn undeclared(
    mention: &Mention<'_>,
    pattern: &ActionPattern,
    capabilities: &Capabilities,
    findings: &mut Findings<'_>,
) {
    let Some(declared) = capabilities.actions(mention.resource) else { return };
    let declared: Vec<_> = declared.collect();
    if matches!(pattern, ActionPattern::Any) || declared.iter().any(|action| pattern.matches(action)) {
        return;
    }
    let message = format!("no capability file declares `{}` on `{}`", mention.action.value, mention.resource);
    let finding = Finding::new(Code::UndeclaredAction, mention.action.place, message);
    findings.add(match hint::similar(&mention.action.value, declared) {
        Some(hint) => finding.hint(hint),
        None => finding,
    });
}
