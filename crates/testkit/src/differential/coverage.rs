//! What the answers were about.

use std::collections::BTreeMap;
use std::fmt;

use procura_samples::answer::Answer;
use procura_samples::model::Settings;

/// How often each kind of answer was met.
#[derive(Clone, Debug, Default)]
pub struct Coverage(BTreeMap<String, usize>);

impl Coverage {
    /// Counts one answer of the peer.
    pub fn count(&mut self, settings: &Settings, answer: &Answer) {
        for decision in answer.actions.values() {
            let effect = if decision.allow { "allow" } else { "deny" };
            let (kind, _) = decision.policy.split_once('.').unwrap_or((&decision.policy, ""));
            let scope = if decision.scope.is_empty() { "" } else { " in a scope" };
            self.add(format!("{effect} by {kind}{scope}"));
            self.add(format!("{effect}{}", if settings.strict { ", strict" } else { "" }));
        }
        if !answer.derived_roles.is_empty() {
            self.add("with derived roles".to_owned());
        }
        for output in &answer.outputs {
            let (kind, _) = output.src.split_once('.').unwrap_or_default();
            let what = if output.value.is_some() { "value" } else { "error" };
            self.add(format!("output of {kind}: {what}"));
        }
        if !answer.validation_errors.is_empty() {
            self.add("with validation errors".to_owned());
        }
    }

    /// How often `what` was met.
    #[must_use]
    pub fn of(&self, what: &str) -> usize {
        self.0.get(what).copied().unwrap_or_default()
    }

    fn add(&mut self, what: String) {
        *self.0.entry(what).or_default() += 1;
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(what, count)| writeln!(f, "{count:>8} {what}"))
    }
}
