//! The engine of the core on a store.

use crate::answer::{Answer, Decision, Output, doubles};
use crate::expr::Value;
use crate::model::{self, Ask, Store};
use crate::write;
use procura_core::engine::{Explanation, OnError, Settings, decide, explain};
use procura_core::model::{
    AuxData, Effect, Evaluation, Item, OutputValue, Principal, Request, Resource, ResourceEvaluation,
    Signals, Timestamp,
};
use procura_core::policy::{Severity, Snapshot, SourceFile, compile};
use procura_core::record::{Basis, Call, CallRecord, Caller, EncodedBasis, Vouchers};
use procura_core::value::Map;
use std::borrow::Cow;

/// A compiled store.
#[derive(Debug)]
pub struct Engine {
    snapshot: Snapshot,
    settings: Settings,
}

impl Engine {
    /// Compiles the policies of `store`.
    ///
    /// # Errors
    ///
    /// The policies do not compile.
    pub fn load(store: &Store, on_error: OnError) -> Result<Self, String> {
        let files = store.sets.iter().flat_map(|set| write::files(store, set));
        let files: Vec<_> = files
            .map(|(path, text)| SourceFile { path: path.as_str().into(), text: text.as_str().into() })
            .collect();
        Self::of_files(&files, &store.settings, on_error)
    }

    /// The store with its files in the given order.
    ///
    /// # Errors
    ///
    /// The policies do not compile.
    pub fn of_files(
        files: &[SourceFile],
        settings: &model::Settings,
        on_error: OnError,
    ) -> Result<Self, String> {
        let compiled = compile(files);
        let Some(snapshot) = compiled.snapshot else {
            let errors = compiled.diagnostics.iter().filter(|finding| finding.severity == Severity::Error);
            let errors: Vec<_> =
                errors.take(5).map(|finding| format!("{}: {}", finding.position, finding.message)).collect();
            return Err(errors.join("\n"));
        };
        Ok(Self { snapshot, settings: self::settings(settings, on_error) })
    }

    /// What is decided about `ask`, and the explanation of it.
    #[must_use]
    pub fn explained(&self, ask: &Ask) -> (Evaluation, Explanation) {
        let (request, now) = (request(ask), Timestamp::UNIX_EPOCH);
        let evaluation = decide(&self.snapshot, &request, &self.settings, now);
        (evaluation, explain(&self.snapshot, &request, &self.settings, now))
    }

    /// The compiled policies.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The record of `ask`, decided at the instant `at`.
    #[must_use]
    pub fn recorded(&self, ask: &Ask, at: Timestamp) -> Vec<u8> {
        recorded(&self.snapshot, &self.settings, &request(ask), at)
    }

    /// What is decided about `request` at the start of 1970, and its record.
    #[must_use]
    pub fn decided(&self, request: &Request<'_>) -> (Evaluation, Vec<u8>) {
        let now = Timestamp::UNIX_EPOCH;
        let record = recorded(&self.snapshot, &self.settings, request, now);
        (decide(&self.snapshot, request, &self.settings, now), record)
    }

    /// What the engine answers, resource by resource.
    #[must_use]
    pub fn check(&self, ask: &Ask) -> Vec<Answer> {
        let request = request(ask);
        let evaluation = decide(&self.snapshot, &request, &self.settings, Timestamp::UNIX_EPOCH);
        ask.items.iter().zip(&evaluation.resources).map(|(item, resource)| answer(item, resource)).collect()
    }
}

/// The record of a call that is decided with these policies and settings.
#[must_use]
pub fn recorded(snapshot: &Snapshot, settings: &Settings, request: &Request<'_>, at: Timestamp) -> Vec<u8> {
    let caller = Caller { tenants: request.tenants.clone(), ..Caller::default() };
    let call = Call { id: "c1".into(), request_id: None, api: "check".into(), caller, ..Call::default() };
    let basis = Basis {
        engine: "0.0.0".into(),
        policy_revision: snapshot.revision.as_str().into(),
        policy_generation: 1,
        on_error: settings.on_error.as_str().into(),
        default_policy_version: settings.default_policy_version.as_str().into(),
        default_scope: settings.default_scope.as_str().into(),
        lenient_scope_search: settings.lenient_scope_search,
        strict_evaluation: settings.strict_evaluation,
        schema_enforcement: settings.schema_enforcement.as_str().into(),
        globals: Cow::Borrowed(&settings.globals),
        standing: settings.standing,
        durability: "durable".into(),
    };
    let record = CallRecord {
        at,
        call: &call,
        basis: &EncodedBasis::new(&basis),
        request,
        vouchers: &Vouchers::default(),
        evaluation: &decide(snapshot, request, settings, at),
    };
    record.encode().unwrap()
}

fn settings(settings: &model::Settings, on_error: OnError) -> Settings {
    Settings {
        default_policy_version: settings.default_version.clone(),
        default_scope: settings.default_scope.clone(),
        lenient_scope_search: settings.lenient,
        on_error,
        strict_evaluation: settings.strict,
        globals: map(&settings.globals),
        ..Settings::default()
    }
}

/// `ask` as the core takes it, without facts.
#[must_use]
pub fn request(ask: &Ask) -> Request<'_> {
    Request {
        principal: Principal {
            id: ask.principal.as_str().into(),
            roles: ask.roles.iter().map(|role| role.as_str().into()).collect(),
            attr: map(&ask.attr),
            policy_version: ask.version.as_str().into(),
            scope: ask.scope.as_str().into(),
        },
        items: ask.items.iter().map(item).collect(),
        context: None,
        aux_data: AuxData::default(),
        tenants: ask
            .tenants
            .as_ref()
            .map(|tenants| tenants.iter().map(|tenant| tenant.as_str().into()).collect()),
        signals: Signals::default(),
    }
}

fn item(item: &model::Item) -> Item<'_> {
    Item {
        resource: Resource {
            kind: item.kind.as_str().into(),
            id: item.id.as_str().into(),
            attr: map(&item.attr),
            policy_version: item.version.as_str().into(),
            scope: item.scope.as_str().into(),
        },
        actions: item.actions.iter().map(|action| action.as_str().into()).collect(),
    }
}

fn map(values: &[(String, Value)]) -> Map<'static> {
    let text = serde_json::Value::from(write::attributes(values)).to_string();
    let map: Map<'_> = serde_json::from_str(&text).unwrap();
    map.into_owned()
}

fn answer(item: &model::Item, resource: &ResourceEvaluation) -> Answer {
    let decisions = resource.actions.iter().map(|decision| Decision {
        allow: decision.effect == Effect::Allow,
        policy: resource.policy_of(decision).to_owned(),
        scope: decision.scope().to_owned(),
    });
    let outputs = resource.outputs.iter().map(|output| Output {
        src: output.src.to_string(),
        action: output.action.clone(),
        value: match &output.value {
            OutputValue::Value(value) => Some(doubles(&serde_json::to_value(value).unwrap())),
            OutputValue::Error(_) => None,
        },
    });
    let errors = resource.validation_errors.iter();
    let answer = Answer {
        actions: item.actions.iter().cloned().zip(decisions).collect(),
        derived_roles: resource.effective_derived_roles.iter().map(ToString::to_string).collect(),
        outputs: outputs.collect(),
        validation_errors: errors
            .map(|error| format!("{:?} {} {}", error.part, error.path, error.message))
            .collect(),
    };
    answer.sorted()
}
