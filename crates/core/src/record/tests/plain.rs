//! The plain form of the record of a call: a tree, as it is read, and the bytes that `serde_json` makes of it. What
//! [`CallRecord`] writes must be the same.

use std::borrow::Cow;

use super::super::*;
use crate::model::*;

/// What the record of this call says.
pub(super) fn record<'a>(
    (at, call, basis): (Timestamp, Call<'a>, Basis<'a>),
    request: &'a Request<'_>,
    vouchers: &'a Vouchers,
    evaluation: &'a Evaluation,
) -> DecisionRecord<'a> {
    let principal = &request.principal;
    DecisionRecord {
        presented: PresentedInput::new(&request.signals),
        signals: request.signals.facts.iter().map(|fact| FactRecord::new(fact)).collect(),
        at,
        results: request.items.iter().zip(&evaluation.resources).map(result).collect(),
        call,
        basis,
        principal: PrincipalInput {
            id: borrowed(&principal.id),
            roles: Cow::Borrowed(&principal.roles),
            attr: Cow::Borrowed(&principal.attr),
            policy_version: borrowed(&principal.policy_version),
            scope: borrowed(&principal.scope),
        },
        context: request.context.as_ref().map(Cow::Borrowed),
        aux_data: AuxDataInput::new(&request.aux_data, vouchers),
        actor: request.aux_data.actor.as_ref().map(Cow::Borrowed),
        resources: request.items.iter().map(|item| resource(&item.resource)).collect(),
        replay: None,
        masked: Vec::new(),
    }
}

/// Its bytes, written by `serde_json`.
pub(super) fn encoded(record: &DecisionRecord<'_>) -> Vec<u8> {
    encode(KIND_DECISION, record).unwrap()
}

fn resource<'a>(resource: &'a Resource<'_>) -> ResourceInput<'a> {
    ResourceInput {
        kind: borrowed(&resource.kind),
        id: borrowed(&resource.id),
        attr: Cow::Borrowed(&resource.attr),
        policy_version: borrowed(&resource.policy_version),
        scope: borrowed(&resource.scope),
    }
}

fn result<'a>((item, result): (&'a Item<'_>, &'a ResourceEvaluation)) -> ResultRecord<'a> {
    let decisions = item.actions.iter().zip(&result.actions);
    ResultRecord {
        policy: borrowed(&result.policy),
        derived_roles: result.effective_derived_roles.iter().map(|role| borrowed(role)).collect(),
        decisions: decisions.map(|(action, decision)| entry(action, decision, result)).collect(),
        validation_errors: result.validation_errors.iter().map(validation).collect(),
    }
}

fn entry<'a>(
    action: &'a str,
    decision: &'a ActionDecision,
    result: &'a ResourceEvaluation,
) -> DecisionEntry<'a> {
    let outputs = result.outputs.iter().filter(|output| output.action == action);
    DecisionEntry {
        signal: decision.ground.as_ref().and_then(|ground| ground.signal),
        demand: decision.ground.as_ref().and_then(|ground| ground.demand.as_ref()).map(DemandRecord::new),
        action: borrowed(action),
        effect: decision.effect,
        reason: borrowed(decision.reason.code()),
        policy: decision.own_policy.as_deref().map(borrowed),
        scope: borrowed(decision.scope()),
        rule: decision.rule.as_deref().map(borrowed),
        outputs: outputs.map(output).collect(),
        problems: decision.problems.iter().map(problem).collect(),
    }
}

fn output(output: &OutputEntry) -> OutputRecord<'_> {
    let (value, error) = match &output.value {
        OutputValue::Value(value) => (Some(Cow::Borrowed(value)), None),
        OutputValue::Error(error) => (None, Some(borrowed(error))),
    };
    OutputRecord { rule: borrowed(&output.src), value, error }
}

fn validation(error: &ValidationError) -> ValidationRecord<'_> {
    let source = match error.part {
        ValidatedPart::Principal => "principal",
        ValidatedPart::Resource => "resource",
    };
    let (path, message) = (borrowed(&error.path), borrowed(&error.message));
    ValidationRecord { source: borrowed(source), path, message }
}

fn problem(problem: &Problem) -> ProblemRecord<'_> {
    ProblemRecord {
        code: borrowed(problem.code.code()),
        source: borrowed(&problem.source),
        expression: borrowed(&problem.expression),
        position: borrowed(&problem.position),
        message: borrowed(&problem.message),
    }
}

fn borrowed(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}
