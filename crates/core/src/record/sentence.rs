//! A decision as a sentence for people, made from the record alone.

use super::{Decision, DecisionRecord};
use crate::model::{Effect, Reason};

/// One decision of `record` as a sentence.
///
/// Names come from requests, so control characters in them are escaped: a name cannot forge a second line.
#[must_use]
pub fn sentence(record: &DecisionRecord<'_>, decision: &Decision<'_, '_>) -> String {
    let principal = record.principal.id.escape_debug();
    let action = decision.action.escape_debug();
    let resource =
        format!("{}:{}", decision.resource.kind.escape_debug(), decision.resource.id.escape_debug());
    let outcome = match decision.effect {
        Effect::Allow => "allowed",
        Effect::Deny => "denied",
    };
    let because = because(record, decision);
    format!(
        "principal `{principal}` attempted `{action}` on `{resource}` and was {outcome} because {because}"
    )
}

fn because(record: &DecisionRecord<'_>, decision: &Decision<'_, '_>) -> String {
    let policy = decision.policy.escape_debug();
    let rule = decision.rule.unwrap_or("unnamed").escape_debug();
    let reason = decision.reason;
    if reason == Reason::AllowRule.code() || reason == Reason::DenyRule.code() {
        format!("of policy `{policy}` rule `{rule}`")
    } else if reason == Reason::DenyRuleUndecided.code() {
        format!("policy `{policy}` rule `{rule}` could not be evaluated and counts as a denial")
    } else if reason == Reason::NoRuleMatched.code() {
        format!("no rule of policy `{policy}` applied")
    } else if reason == Reason::NoPolicy.code() {
        no_policy(record, decision)
    } else if reason == Reason::InvalidAttributes.code() {
        format!("attributes do not fit the schemas of policy `{policy}`{}", first_mismatch(decision))
    } else if reason == Reason::CostExceeded.code() {
        "the evaluation would have cost more than a call may spend".to_owned()
    } else {
        format!("of reason `{}`, policy `{policy}`", reason.escape_debug())
    }
}

fn first_mismatch(decision: &Decision<'_, '_>) -> String {
    let mut errors = decision.validation_errors.iter();
    let Some(error) = errors.next() else { return String::new() };
    let (path, message) = (error.path.escape_debug(), error.message.escape_debug());
    let more = match errors.count() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!(": {} `{path}`: {message}{more}", error.source.escape_debug())
}

/// What was looked for in vain: the default version where the request names none; `.` is the empty scope.
fn no_policy(record: &DecisionRecord<'_>, decision: &Decision<'_, '_>) -> String {
    let resource = decision.resource;
    let version = match &*resource.policy_version {
        "" => &record.basis.default_policy_version,
        version => version,
    };
    let scope = match &*resource.scope {
        "" | "." => String::new(),
        scope => format!(", scope `{}`", scope.escape_debug()),
    };
    let (kind, version) = (resource.kind.escape_debug(), version.escape_debug());
    format!("no policy exists for kind `{kind}`, version `{version}`{scope}")
}
