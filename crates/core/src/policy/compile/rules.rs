//! The rules of each kind of policy.

use std::sync::Arc;

use super::conditions::when;
use crate::model::Effect;
use crate::policy::ast::{self, Text, When};
use crate::policy::diagnostic::Code;
use crate::policy::findings::{Finding, Findings};
use crate::policy::glob::GlobError;
use crate::policy::names::Names;
use crate::policy::rules::{ActionPattern, DerivedRole, ResourcePattern, Roles, Rule};
use crate::policy::yaml::Place;

/// What the rules of one policy have in common.
pub(super) struct Rules<'p, 'n> {
    /// The name of the policy, as decisions print it.
    pub(super) policy: &'p str,
    pub(super) names: &'p Names<'n>,
    pub(super) derived_roles: &'p [Arc<DerivedRole>],
}

impl Rules<'_, '_> {
    /// Those of a resource policy.
    pub(super) fn of_resource(
        &self,
        rules: &[ast::ResourceRule<'_>],
        findings: &mut Findings<'_>,
    ) -> Vec<Rule> {
        let rule = |(index, rule): (usize, &ast::ResourceRule<'_>)| {
            let name = given(rule.name.as_ref()).unwrap_or_else(|| numbered(index));
            let mut derived_roles: Vec<_> =
                rule.derived_roles.iter().filter_map(|role| self.derived_role(role)).collect();
            derived_roles.sort_unstable();
            derived_roles.dedup();
            derived_roles.shrink_to_fit();
            Rule {
                actions: patterns(&rule.actions, ACTIONS, ActionPattern::parse, findings),
                roles: (!rule.roles.is_empty()).then(|| roles(&rule.roles)),
                derived_roles,
                effect: rule.effect.unwrap_or(Effect::Deny),
                ..self.rule(name.clone(), &name, &rule.when, rule.place, findings)
            }
        };
        rules.iter().enumerate().map(rule).collect()
    }

    /// Those of a principal policy. The peer numbers the rules of each resource by themselves.
    pub(super) fn of_principal(
        &self,
        rules: &[ast::PrincipalRule<'_>],
        findings: &mut Findings<'_>,
    ) -> Vec<Rule> {
        let mut compiled = Vec::new();
        for ast::PrincipalRule { resource, actions } in rules {
            let resource_pattern = pattern(resource, RESOURCES, ResourcePattern::parse, findings);
            for (index, rule) in actions.iter().enumerate() {
                let name = given(rule.name.as_ref())
                    .unwrap_or_else(|| format!("{}_{}", resource.value, numbered(index)).into());
                compiled.push(Rule {
                    resource: resource_pattern.clone(),
                    actions: Vec::from_iter(pattern(&rule.action, ACTIONS, ActionPattern::parse, findings)),
                    effect: rule.effect.unwrap_or(Effect::Deny),
                    ..self.rule(name.clone(), &name, &rule.when, rule.place, findings)
                });
            }
        }
        compiled
    }

    /// Those of a role policy. Outputs of rules without a name carry none, as the peer's.
    pub(super) fn of_role(&self, rules: &[ast::RoleRule<'_>], findings: &mut Findings<'_>) -> Vec<Rule> {
        let rule = |(index, rule): (usize, &ast::RoleRule<'_>)| {
            let written = given(rule.name.as_ref());
            let output_name = written.clone().unwrap_or_default();
            let name = written.unwrap_or_else(|| numbered(index));
            Rule {
                resource: pattern(&rule.resource, RESOURCES, ResourcePattern::parse, findings),
                actions: patterns(&rule.allow_actions, ACTIONS, ActionPattern::parse_allowed, findings),
                ..self.rule(name, &output_name, &rule.when, rule.place, findings)
            }
        };
        rules.iter().enumerate().map(rule).collect()
    }

    /// What all rules have: here one that allows nothing to nobody.
    fn rule(
        &self,
        name: Arc<str>,
        output_name: &str,
        written: &When<'_>,
        place: Place,
        findings: &mut Findings<'_>,
    ) -> Rule {
        let (condition, output) = when(written, self.names, findings);
        let has_output = output.rule_activated.is_some() || output.condition_not_met.is_some();
        let source = has_output.then(|| format!("{}#{output_name}", self.policy).into());
        Rule {
            name,
            position: findings.position(place),
            output_source: source.unwrap_or_default(),
            resource: None,
            actions: Vec::new(),
            roles: None,
            derived_roles: Vec::new(),
            effect: Effect::Allow,
            condition,
            output,
        }
    }

    fn derived_role(&self, name: &Text<'_>) -> Option<usize> {
        self.derived_roles.binary_search_by(|known| (*known.name).cmp(&name.value)).ok()
    }
}

/// A list of roles as written.
pub(super) fn roles(texts: &[Text<'_>]) -> Roles {
    if texts.iter().any(|text| text.value == "*") {
        return Roles::Any;
    }
    let mut names: Vec<Arc<str>> = texts.iter().map(|text| text.value.as_ref().into()).collect();
    names.sort();
    names.dedup();
    Roles::Named(names)
}

const ACTIONS: &str = "actions";
const RESOURCES: &str = "resources";

fn given(name: Option<&Text<'_>>) -> Option<Arc<str>> {
    name.map(|name| name.value.as_ref()).filter(|name| !name.is_empty()).map(Arc::from)
}

/// The name of a rule that has none, by its index.
fn numbered(index: usize) -> Arc<str> {
    format!("rule-{:03}", index + 1).into()
}

fn patterns<T>(
    texts: &[Text<'_>],
    what: &str,
    parse: fn(&str) -> Result<T, GlobError>,
    findings: &mut Findings<'_>,
) -> Vec<T> {
    let mut patterns: Vec<T> = texts.iter().filter_map(|text| pattern(text, what, parse, findings)).collect();
    patterns.shrink_to_fit();
    patterns
}

fn pattern<T>(
    text: &Text<'_>,
    what: &str,
    parse: fn(&str) -> Result<T, GlobError>,
    findings: &mut Findings<'_>,
) -> Option<T> {
    match parse(&text.value) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let message = format!("`{}` is no pattern of {what}: {error}", text.value.escape_debug());
            findings.add(Finding::new(Code::InvalidValue, text.place, message));
            None
        }
    }
}
