//! A record, read back into what was asked and under which settings.

use std::borrow::Cow;
use std::sync::Arc;

use crate::engine::{self, OnError, SchemaEnforcement, Settings};
use crate::model::{
    AuxData, Demand, Evaluation, Item, OutputEntry, OutputValue, Principal, Problem, Request, Resource,
    ResourceEvaluation, Signals, Timestamp, ValidatedPart,
};
use crate::policy::Snapshot;
use crate::record::{
    AuxDataInput, Basis, DecisionEntry, DecisionRecord, DemandRecord, OutputRecord, PresentedInput,
    ProblemRecord, ResourceInput, ResultRecord, ValidationRecord,
};

/// A call as it was asked, ready to be decided again.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedCall<'r> {
    /// The instant of the call.
    pub at: Timestamp,
    /// What was asked, claims included.
    pub request: Request<'r>,
    /// Every setting that can change a decision.
    pub settings: Settings,
}

/// Why a record cannot be decided again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreplayable {
    /// It does not say what was decided about each of its resources.
    #[error("it has {resources} resources and results for {results} of them")]
    Incomplete {
        /// How many resources it has.
        resources: usize,
        /// How many results.
        results: usize,
    },
    /// A fact is about something that this release does not know.
    #[error("the fact {index} of its `signals` cannot be read: written by a later release?")]
    UnknownSignal {
        /// Its place, from 0.
        index: usize,
    },
    /// A setting has a value that this release does not know.
    #[error("the value `{value}` of `{setting}` is unknown: written by a later release?")]
    UnknownSetting {
        /// The member of `basis`.
        setting: &'static str,
        /// Its value, shortened.
        value: String,
    },
}

impl<'r> RecordedCall<'r> {
    /// Reads `record` back.
    ///
    /// # Errors
    /// If it does not say what was asked, or under which settings; no server writes such a record.
    pub fn of(record: &'r DecisionRecord<'_>) -> Result<Self, Unreplayable> {
        let (resources, results) = (record.resources.len(), record.results.len());
        if resources != results {
            return Err(Unreplayable::Incomplete { resources, results });
        }
        let asked = record.resources.iter().zip(&record.results);
        let (input, tenants) = (&record.principal, &record.call.caller.tenants);
        let request = Request {
            principal: Principal {
                id: borrowed(&input.id),
                roles: input.roles.iter().map(|role| borrowed(role)).collect(),
                attr: input.attr.clone().into_owned(),
                policy_version: borrowed(&input.policy_version),
                scope: borrowed(&input.scope),
            },
            items: asked.map(item).collect(),
            context: record.context.clone().map(Cow::into_owned),
            aux_data: AuxData {
                actor: record.actor.clone().map(|actor| actor.into_owned().into_owned()),
                ..record.aux_data.as_ref().map(AuxDataInput::claims).unwrap_or_default()
            },
            tenants: tenants.as_ref().map(|tenants| tenants.iter().map(|tenant| borrowed(tenant)).collect()),
            signals: signals(record)?,
        };
        Ok(Self { at: record.at, request, settings: settings(&record.basis)? })
    }

    /// What `snapshot` makes of it.
    #[must_use]
    pub fn decide(&self, snapshot: &Snapshot) -> Evaluation {
        engine::decide(snapshot, &self.request, &self.settings, self.at)
    }

    /// What `snapshot` makes of it, as it would be recorded.
    #[must_use]
    pub fn results<'a>(&self, snapshot: &Snapshot) -> Vec<ResultRecord<'a>> {
        let evaluation = self.decide(snapshot);
        self.request.items.iter().zip(&evaluation.resources).map(|(item, of)| result(item, of)).collect()
    }
}

fn item<'r>((input, result): (&'r ResourceInput<'_>, &'r ResultRecord<'_>)) -> Item<'r> {
    let resource = Resource {
        kind: borrowed(&input.kind),
        id: borrowed(&input.id),
        attr: input.attr.clone().into_owned(),
        policy_version: borrowed(&input.policy_version),
        scope: borrowed(&input.scope),
    };
    Item { resource, actions: result.decisions.iter().map(|entry| borrowed(&entry.action)).collect() }
}

/// What was held true, and presented.
fn signals<'r>(record: &'r DecisionRecord<'_>) -> Result<Signals<'r>, Unreplayable> {
    let facts = record.signals.iter().enumerate();
    let facts =
        facts.map(|(index, fact)| fact.fact().map(Arc::new).ok_or(Unreplayable::UnknownSignal { index }));
    let presented = record.presented.as_ref();
    Ok(Signals {
        too_many: presented.is_some_and(|presented| presented.too_many_signals),
        facts: facts.collect::<Result<_, _>>()?,
        presented: presented.map(PresentedInput::presented).unwrap_or_default(),
    })
}

fn settings(basis: &Basis<'_>) -> Result<Settings, Unreplayable> {
    let on_error =
        [OnError::Closed, OnError::Cerbos].into_iter().find(|mode| mode.as_str() == basis.on_error);
    let enforcements = [SchemaEnforcement::None, SchemaEnforcement::Warn, SchemaEnforcement::Reject];
    let enforcement = enforcements.into_iter().find(|mode| mode.as_str() == basis.schema_enforcement);
    Ok(Settings {
        default_policy_version: basis.default_policy_version.to_string(),
        default_scope: basis.default_scope.to_string(),
        lenient_scope_search: basis.lenient_scope_search,
        on_error: on_error.ok_or_else(|| unknown("onError", &basis.on_error))?,
        strict_evaluation: basis.strict_evaluation,
        schema_enforcement: enforcement
            .ok_or_else(|| unknown("schemaEnforcement", &basis.schema_enforcement))?,
        globals: basis.globals.clone().into_owned().into_owned(),
        standing: basis.standing,
    })
}

fn unknown(setting: &'static str, value: &str) -> Unreplayable {
    Unreplayable::UnknownSetting { setting, value: value.chars().take(40).collect() }
}

fn borrowed(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

fn owned<'a>(text: &str) -> Cow<'a, str> {
    Cow::Owned(text.to_owned())
}

fn result<'a>(item: &Item<'_>, result: &ResourceEvaluation) -> ResultRecord<'a> {
    let decided = item.actions.iter().zip(&result.actions);
    let entry = |(action, decision): (&Cow<'_, str>, &crate::model::ActionDecision)| DecisionEntry {
        action: owned(action),
        effect: decision.effect,
        reason: Cow::Borrowed(decision.reason.code()),
        policy: decision.own_policy.as_deref().map(owned),
        scope: owned(decision.scope()),
        rule: decision.rule.as_deref().map(owned),
        signal: decision.ground.as_ref().and_then(|ground| ground.signal),
        demand: decision.ground.as_ref().and_then(|ground| ground.demand.as_ref()).map(demand),
        outputs: result.outputs.iter().filter(|of| of.action == **action).map(output).collect(),
        problems: decision.problems.iter().map(problem).collect(),
    };
    let validation_error = |error: &crate::model::ValidationError| ValidationRecord {
        source: Cow::Borrowed(match error.part {
            ValidatedPart::Principal => "principal",
            ValidatedPart::Resource => "resource",
        }),
        path: owned(&error.path),
        message: owned(&error.message),
    };
    ResultRecord {
        policy: owned(&result.policy),
        derived_roles: result.effective_derived_roles.iter().map(|role| owned(role)).collect(),
        decisions: decided.map(entry).collect(),
        validation_errors: result.validation_errors.iter().map(validation_error).collect(),
    }
}

fn demand<'a>(demand: &Demand) -> DemandRecord<'a> {
    DemandRecord::new(demand).into_owned()
}

fn output<'a>(output: &OutputEntry) -> OutputRecord<'a> {
    let (value, error) = match &output.value {
        OutputValue::Value(value) => (Some(Cow::Owned(value.clone())), None),
        OutputValue::Error(error) => (None, Some(owned(error))),
    };
    OutputRecord { rule: owned(&output.src), value, error }
}

fn problem<'a>(problem: &Problem) -> ProblemRecord<'a> {
    ProblemRecord {
        code: Cow::Borrowed(problem.code.code()),
        source: owned(&problem.source),
        expression: owned(&problem.expression),
        position: owned(&problem.position),
        message: owned(&problem.message),
    }
}
