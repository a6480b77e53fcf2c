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
        at,
        decisions: entries(&call.id, request, evaluation),
        validation_errors: validation_errors(evaluation),
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
        resources: request.items.iter().map(|item| resource(&item.resource)).collect(),
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

fn entries<'a>(
    call_id: &str,
    request: &'a Request<'_>,
    evaluation: &'a Evaluation,
) -> Vec<DecisionEntry<'a>> {
    let mut entries = Vec::with_capacity(request.items.iter().map(|item| item.actions.len()).sum());
    for (resource, (item, result)) in request.items.iter().zip(&evaluation.resources).enumerate() {
        for (action, decision) in item.actions.iter().zip(&result.actions) {
            let number = u32::try_from(entries.len() + 1).unwrap_or(u32::MAX);
            let id = DecisionId { call: Cow::Owned(call_id.to_owned()), number };
            entries.push(entry(id, resource, action, decision, result));
        }
    }
    entries
}

fn validation_errors(evaluation: &Evaluation) -> Vec<ValidationRecord<'_>> {
    let resources = evaluation.resources.iter().enumerate();
    let errors = resources
        .flat_map(|(resource, result)| result.validation_errors.iter().map(move |error| (resource, error)));
    errors.map(|(resource, error)| validation(resource, error)).collect()
}

fn entry<'a>(
    id: DecisionId<'a>,
    resource: usize,
    action: &'a str,
    decision: &'a ActionDecision,
    result: &'a ResourceEvaluation,
) -> DecisionEntry<'a> {
    let outputs = result.outputs.iter().filter(|output| output.action == action);
    DecisionEntry {
        id,
        resource,
        action: borrowed(action),
        effect: decision.effect,
        reason: borrowed(decision.reason.code()),
        policy: borrowed(&decision.matched_policy),
        scope: borrowed(&decision.matched_scope),
        rule: decision.rule.as_deref().map(borrowed),
        derived_roles: result.effective_derived_roles.iter().map(|role| borrowed(role)).collect(),
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

fn validation(resource: usize, error: &ValidationError) -> ValidationRecord<'_> {
    let source = match error.part {
        ValidatedPart::Principal => "principal",
        ValidatedPart::Resource => "resource",
    };
    let (path, message) = (borrowed(&error.path), borrowed(&error.message));
    ValidationRecord { resource, source: borrowed(source), path, message }
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
