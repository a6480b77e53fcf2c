//! Capabilities: which actions exist, who answers for them, how bad a wrong allow would be, and which signals must be
//! fresh when they are decided. Files of kind `capabilities` under `procura.dev/v1`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ast::{Body, Capabilities as Declared, CapabilityEntry, Document};
use super::diagnostic::Code;
use super::findings::{Finding, Findings};
use super::shape::duration;
use super::source::Position;
use super::yaml::Place;

/// The capabilities of a set, by kind of resource and action.
#[derive(Debug, Default)]
pub struct Capabilities {
    by_resource: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Arc<Capability>>>,
}

/// What is known of some actions on a kind of resource.
#[derive(Debug, PartialEq, Eq)]
pub struct Capability {
    /// The system that carries the actions out.
    pub system: Arc<str>,
    /// Who answers for them.
    pub owner: Arc<str>,
    /// How bad a wrong allow would be.
    pub risk: RiskClass,
    /// The signals that must be fresh, in the order of the file.
    pub signals: Vec<RequiredSignal>,
    /// Where it is declared.
    pub position: Position,
}

/// How bad a wrong allow would be, from bearable to ruinous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RiskClass {
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `critical`
    Critical,
}

/// A signal that must be fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredSignal {
    /// The type of the signal.
    pub kind: Arc<str>,
    /// How old the newest one may be, in seconds.
    pub max_age: u64,
}

impl RiskClass {
    /// All classes, from the least.
    pub const ALL: [RiskClass; 4] = [RiskClass::Low, RiskClass::Medium, RiskClass::High, RiskClass::Critical];

    /// The class as files write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RiskClass::Low => "low",
            RiskClass::Medium => "medium",
            RiskClass::High => "high",
            RiskClass::Critical => "critical",
        }
    }
}

impl Capabilities {
    /// What is known of `action` on resources of `kind`.
    #[must_use]
    pub fn get(&self, kind: &str, action: &str) -> Option<&Capability> {
        self.by_resource.get(kind)?.get(action).map(Arc::as_ref)
    }

    /// The declared actions on resources of `kind`; `None` if nothing is declared about it.
    pub fn actions(&self, kind: &str) -> Option<impl Iterator<Item = &str>> {
        Some(self.by_resource.get(kind)?.keys().map(AsRef::as_ref))
    }

    /// Every kind of resource, action and capability, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Capability)> {
        self.by_resource.iter().flat_map(|(kind, actions)| {
            actions.iter().map(|(action, capability)| (kind.as_ref(), action.as_ref(), capability.as_ref()))
        })
    }
}

/// Compiles the capabilities of the set; an action that is declared twice is reported.
pub(super) fn compile(documents: &[Document<'_>], findings: &mut Findings<'_>) -> Capabilities {
    let mut compiled = Capabilities::default();
    let mut seen: BTreeMap<(&str, &str), Place> = BTreeMap::new();
    for declared in documents.iter().filter_map(declared) {
        for entry in &declared.entries {
            let capability = Arc::new(capability(declared, entry, findings));
            let by_action = compiled.by_resource.entry(entry.resource.value.as_ref().into()).or_default();
            for action in &entry.actions {
                let key = (entry.resource.value.as_ref(), action.value.as_ref());
                if let Some(first) = seen.get(&key) {
                    let first = findings.position(*first);
                    let message = format!("action `{}` on `{}` is declared twice", key.1, key.0);
                    let finding = Finding::new(Code::DuplicateCapability, action.place, message);
                    findings.add(finding.hint(format!("the first is at {first}")));
                    continue;
                }
                seen.insert(key, action.place);
                by_action.insert(action.value.as_ref().into(), Arc::clone(&capability));
            }
        }
    }
    compiled
}

/// What `document` declares, if it does.
pub(super) fn declared<'p, 't>(document: &'p Document<'t>) -> Option<&'p Declared<'t>> {
    match &document.body {
        Body::Capabilities(body) => Some(body),
        _ => None,
    }
}

fn capability(declared: &Declared<'_>, entry: &CapabilityEntry<'_>, findings: &Findings<'_>) -> Capability {
    let signals = entry.signals.iter().map(|(kind, max_age)| RequiredSignal {
        kind: kind.value.as_ref().into(),
        max_age: duration(&max_age.value).unwrap_or_default(),
    });
    let risk = RiskClass::ALL.into_iter().find(|class| class.as_str() == entry.risk.value);
    Capability {
        system: declared.system.value.as_ref().into(),
        owner: entry.owner.value.as_ref().into(),
        risk: risk.unwrap_or(RiskClass::Critical),
        signals: signals.collect(),
        position: findings.position(entry.place),
    }
}
