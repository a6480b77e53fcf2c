//! Rules, conditions and outputs from the YAML tree.

use super::fields::{Fields, wrong_type};
use crate::limits::CONDITION_DEPTH;
use crate::model::Effect;
use crate::policy::ast::{ActionRule, Match, PrincipalRule, ResourceRule, RoleRule, Text, When};
use crate::policy::diagnostic::Code;
use crate::policy::findings::{Finding, Findings};
use crate::policy::hint;
use crate::policy::yaml::{Content, Node};

/// A rule of a resource policy.
pub(super) fn resource_rule<'t>(node: Node<'t>, findings: &mut Findings<'_>) -> Option<ResourceRule<'t>> {
    let mut fields = Fields::of(node, "rules", findings)?;
    let place = fields.place;
    let name = fields.text("name", findings);
    let actions = fields.some_texts("actions", findings);
    let roles = fields.texts("roles", findings);
    let derived_roles = fields.texts("derivedRoles", findings);
    let effect = effect(&mut fields, findings);
    let when = when(&mut fields, findings);
    fields.finish(findings);
    Some(ResourceRule { place, name, actions, roles, derived_roles, effect, when })
}

/// A rule of a principal policy.
pub(super) fn principal_rule<'t>(node: Node<'t>, findings: &mut Findings<'_>) -> Option<PrincipalRule<'t>> {
    let mut fields = Fields::of(node, "rules", findings)?;
    let resource = fields.required("resource", findings);
    let nodes = fields.list("actions", findings);
    if nodes.is_empty() {
        fields.missing("actions", findings);
    }
    let actions = nodes.into_iter().filter_map(|node| action_rule(node, findings)).collect();
    fields.finish(findings);
    Some(PrincipalRule { resource: resource?, actions })
}

fn action_rule<'t>(node: Node<'t>, findings: &mut Findings<'_>) -> Option<ActionRule<'t>> {
    let mut fields = Fields::of(node, "actions", findings)?;
    let place = fields.place;
    let action = fields.required("action", findings);
    let effect = effect(&mut fields, findings);
    let name = fields.text("name", findings);
    let when = when(&mut fields, findings);
    fields.finish(findings);
    Some(ActionRule { place, name, action: action?, effect, when })
}

/// A rule of a role policy.
pub(super) fn role_rule<'t>(node: Node<'t>, findings: &mut Findings<'_>) -> Option<RoleRule<'t>> {
    let mut fields = Fields::of(node, "rules", findings)?;
    let place = fields.place;
    let resource = fields.required("resource", findings);
    let allow_actions = fields.some_texts("allowActions", findings);
    let name = fields.text("name", findings);
    let when = when(&mut fields, findings);
    fields.finish(findings);
    Some(RoleRule { place, name, resource: resource?, allow_actions, when })
}

fn effect(fields: &mut Fields<'_>, findings: &mut Findings<'_>) -> Option<Effect> {
    let text = fields.required("effect", findings)?;
    let known = [Effect::Allow, Effect::Deny];
    let effect = known.into_iter().find(|effect| text.value == effect.wire_name());
    if effect.is_none() {
        let names = known.map(Effect::wire_name);
        let message = format!("unknown effect `{}`", text.value);
        let hint = hint::fields(&text.value, &names);
        findings.add(Finding::new(Code::InvalidValue, text.place, message).hint(hint));
    }
    effect
}

fn when<'t>(fields: &mut Fields<'t>, findings: &mut Findings<'_>) -> When<'t> {
    let condition = condition(fields, findings);
    let (rule_activated, condition_not_met) = output(fields, findings);
    When { condition, rule_activated, condition_not_met }
}

fn output<'t>(fields: &mut Fields<'t>, findings: &mut Findings<'_>) -> (Option<Text<'t>>, Option<Text<'t>>) {
    let Some(node) = fields.take("output") else {
        return (None, None);
    };
    let Some(mut output) = Fields::of(node, "output", findings) else {
        return (None, None);
    };
    let place = output.place;
    let expr = output.text("expr", findings);
    let mut activated = None;
    let mut not_met = None;
    if let Some(node) = output.take("when")
        && let Some(mut when) = Fields::of(node, "when", findings)
    {
        activated = when.text("ruleActivated", findings);
        not_met = when.text("conditionNotMet", findings);
        when.finish(findings);
    }
    output.finish(findings);
    if let Some(expr) = expr {
        let finding = Finding::new(Code::Deprecated, expr.place, "`output.expr` is deprecated");
        findings.add(finding.hint("write it as `output.when.ruleActivated`, which wins if both are given"));
        activated = activated.or(Some(expr));
    }
    if activated.is_none() && not_met.is_none() {
        findings.add(Finding::new(Code::EmptyOutput, place, "the output has no expression"));
    }
    (activated, not_met)
}

/// The `condition` field of a rule or derived role.
pub(super) fn condition<'t>(fields: &mut Fields<'t>, findings: &mut Findings<'_>) -> Option<Match<'t>> {
    let mut condition = Fields::of(fields.take("condition")?, "condition", findings)?;
    let script = condition.take_entry("script");
    let node = condition.take("match");
    condition.finish(findings);
    match script {
        Some(script) => Some(Match::Script(script.place)),
        None => matching(node?, CONDITION_DEPTH, findings),
    }
}

fn matching<'t>(node: Node<'t>, depth: usize, findings: &mut Findings<'_>) -> Option<Match<'t>> {
    let place = node.place;
    let Some(inner) = depth.checked_sub(1) else {
        let message = format!("conditions are nested deeper than {CONDITION_DEPTH} levels");
        findings.add(Finding::new(Code::TooLarge, place, message));
        return None;
    };
    let mut fields = Fields::of(node, "match", findings)?;
    let expr = fields.text("expr", findings);
    let all = fields.take("all");
    let any = fields.take("any");
    let none = fields.take("none");
    let given = [expr.is_some(), all.is_some(), any.is_some(), none.is_some()];
    let count = given.into_iter().filter(|given| *given).count();
    fields.finish(findings);
    if count != 1 {
        let message = "a condition needs exactly one of `expr`, `all`, `any`, `none`";
        findings.add(Finding::new(Code::InvalidValue, place, message));
        return None;
    }
    if let Some(node) = all {
        return Some(Match::All(items(node, inner, findings)?));
    }
    if let Some(node) = any {
        return Some(Match::Any(items(node, inner, findings)?));
    }
    if let Some(node) = none {
        return Some(Match::None(items(node, inner, findings)?));
    }
    expr.map(Match::Expr)
}

fn items<'t>(node: Node<'t>, depth: usize, findings: &mut Findings<'_>) -> Option<Vec<Match<'t>>> {
    let mut fields = Fields::of(node, "match", findings)?;
    let place = fields.place;
    let nodes = match fields.take("of") {
        Some(Node { content: Content::List(items), .. }) => items,
        Some(node) => {
            wrong_type("of", "a list", &node.content, node.place, findings);
            return None;
        }
        None => Vec::new(),
    };
    fields.finish(findings);
    if nodes.is_empty() {
        findings.add(Finding::new(Code::MissingField, place, "`of` needs at least one condition"));
        return None;
    }
    Some(nodes.into_iter().filter_map(|node| matching(node, depth, findings)).collect())
}
