//! Conditions that no request can change.
//!
//! Where a rule denies while its condition is false, or may deny because it cannot be evaluated, nothing here says
//! that it may go: without it, access would be open.

use crate::expr::{Always, Frame};
use crate::policy::ast::{self, Body, Match, When};
use crate::policy::compile::RoleSet;
use crate::policy::diagnostic::Code;
use crate::policy::findings::{Finding, Findings};
use crate::policy::rules::{Condition, Policy, Rule, Stance};
use crate::policy::yaml::Place;

/// Looks at the conditions of a policy, as written in `body` and compiled without an error.
pub(in crate::policy) fn conditions(policy: &Policy, body: &Body<'_>, findings: &mut Findings<'_>) {
    let written: Vec<&When<'_>> = match body {
        Body::Resource(body) => body.rules.iter().map(|rule| &rule.when).collect(),
        Body::Principal(body) => {
            body.rules.iter().flat_map(|rule| &rule.actions).map(|action| &action.when).collect()
        }
        Body::Role(body) => body.rules.iter().map(|rule| &rule.when).collect(),
        _ => return,
    };
    let variables = policy.frame.always();
    for (written, rule) in written.into_iter().zip(&policy.rules) {
        if let (Some(written), Some(compiled)) = (&written.condition, &rule.condition) {
            Lint { variables: &variables, while_false: while_false(policy, rule), findings: &mut *findings }
                .whole(written, compiled);
        }
    }
}

/// Looks at the conditions of a `derivedRoles` file, compiled without an error.
pub(in crate::policy) fn derived_roles(
    body: &ast::DerivedRoles<'_>,
    compiled: &RoleSet,
    frame: &Frame,
    findings: &mut Findings<'_>,
) {
    let variables = frame.always();
    for written in &body.definitions {
        let role = compiled.get(written.name.value.as_ref());
        let compiled = role.and_then(|role| role.condition.as_ref());
        if let (Some(written), Some(compiled)) = (&written.condition, compiled) {
            Lint { variables: &variables, while_false: WhileFalse::Idle, findings: &mut *findings }
                .whole(written, compiled);
        }
    }
}

/// What something does while its condition is false.
#[derive(Clone, Copy)]
enum WhileFalse {
    Idle,
    Denies,
    PutsOut,
}

fn while_false(policy: &Policy, rule: &Rule) -> WhileFalse {
    match (policy.stance(rule), &rule.output.condition_not_met) {
        (Stance::Confine, _) => WhileFalse::Denies,
        (_, Some(_)) => WhileFalse::PutsOut,
        (_, None) => WhileFalse::Idle,
    }
}

struct Lint<'l, 'f> {
    /// What the variables always come to, by slot.
    variables: &'l [Option<Always>],
    while_false: WhileFalse,
    findings: &'l mut Findings<'f>,
}

impl Lint<'_, '_> {
    /// The two forms of the condition have the same parts.
    fn whole(&mut self, written: &Match<'_>, compiled: &Condition) {
        let (Some(place), Some(always)) = (first_place(written), self.always(compiled)) else {
            return self.parts(written, compiled);
        };
        let message = match (always, self.while_false) {
            (Always::Bool(false), WhileFalse::Denies) => {
                "the condition is false for every request: the rule always denies"
            }
            (Always::Bool(false), _) => "the condition is false for every request",
            (Always::Bool(true), _) => "the condition is true for every request",
            (Always::Other, _) => "the condition is a boolean for no request",
            (Always::Error, _) => "the condition cannot be evaluated for any request",
        };
        let constant = Finding::new(Code::ConstantCondition, place, message);
        self.findings.add(match (always, self.while_false) {
            (Always::Bool(true), _) => constant,
            (Always::Bool(false), WhileFalse::Idle) => Finding::new(Code::NeverApplies, place, message),
            _ => constant.hint(CORRECT),
        });
    }

    /// Reports the parts of a condition that are always the same, while the whole is not.
    fn parts(&mut self, written: &Match<'_>, compiled: &Condition) {
        let (Match::All(parts) | Match::Any(parts) | Match::None(parts)) = written else { return };
        let (Condition::All(compiled) | Condition::Any(compiled) | Condition::None(compiled)) = compiled
        else {
            return;
        };
        // Beside a part that fails, no other is idle: the block may be settled by it.
        let any_fails = compiled.iter().any(|part| self.fails(part));
        for (part, compiled) in parts.iter().zip(compiled) {
            if any_fails && !self.fails(compiled) {
                continue;
            }
            let (Some(always), Some(place)) = (self.always(compiled), first_place(part)) else {
                self.parts(part, compiled);
                continue;
            };
            let message = match always {
                Always::Bool(always) => format!("this part of the condition is {always} for every request"),
                Always::Other => "this part of the condition is a boolean for no request".to_owned(),
                Always::Error => "this part of the condition cannot be evaluated for any request".to_owned(),
            };
            let finding = Finding::new(Code::ConstantCondition, place, message);
            self.findings.add(match always {
                Always::Bool(_) => finding,
                Always::Other | Always::Error => finding.hint(CORRECT),
            });
        }
    }

    /// What the condition always comes to. What fails within a block is left to its parts: whether the block is then
    /// true depends on the settings.
    fn always(&self, condition: &Condition) -> Option<Always> {
        match condition {
            Condition::Expr(program) => program.node.always(self.variables),
            Condition::All(parts) => self.settled(parts, false).map(Always::Bool),
            Condition::Any(parts) => self.settled(parts, true).map(Always::Bool),
            Condition::None(parts) => self.settled(parts, true).map(|any| Always::Bool(!any)),
        }
    }

    /// `decisive` if a part is always that, the opposite if all parts always are.
    fn settled(&self, parts: &[Condition], decisive: bool) -> Option<bool> {
        if parts.iter().any(|part| self.fails(part)) {
            return None;
        }
        let known: Vec<_> = parts.iter().map(|part| self.always(part)).collect();
        if known.contains(&Some(Always::Bool(decisive))) {
            return Some(decisive);
        }
        known.iter().all(|known| *known == Some(Always::Bool(!decisive))).then_some(!decisive)
    }

    /// Whether an expression of the condition never is a boolean.
    fn fails(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Expr(program) => {
                matches!(program.node.always(self.variables), Some(Always::Other | Always::Error))
            }
            Condition::All(parts) | Condition::Any(parts) | Condition::None(parts) => {
                parts.iter().any(|part| self.fails(part))
            }
        }
    }
}

/// The advice where to remove the condition, or what it belongs to, may open access.
const CORRECT: &str = "correct the condition";

/// Where the first expression is.
fn first_place(written: &Match<'_>) -> Option<Place> {
    match written {
        Match::Expr(text) => Some(text.place),
        Match::All(parts) | Match::Any(parts) | Match::None(parts) => parts.iter().find_map(first_place),
        Match::Script(place) => Some(*place),
    }
}
