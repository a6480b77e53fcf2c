//! A decision made again from its record and the policy set of its revision.

use std::borrow::Cow;

use procura_core::engine::{OnError, SchemaEnforcement, Settings, decide};
use procura_core::model::{Item, Principal, Request, Resource};
use procura_core::policy::Snapshot;
use procura_core::record::{
    AuxDataInput, Basis, CallRecord, DecisionRecord, EncodedBasis, PrincipalInput, Record, ResourceInput,
    ResultRecord,
};

use crate::corpus::named;

/// The record of the same call, decided anew with nothing but the encoded `record` and `snapshot`.
#[must_use]
pub fn replayed(record: &[u8], snapshot: &Snapshot) -> Vec<u8> {
    let original = decoded(record);
    let request = request(&original);
    let evaluation = decide(snapshot, &request, &settings(&original.basis), original.at);
    let anew = CallRecord {
        at: original.at,
        call: &original.call,
        basis: &EncodedBasis::new(&original.basis),
        request: &request,
        vouchers: &original.aux_data.as_ref().map(AuxDataInput::vouchers).unwrap_or_default(),
        evaluation: &evaluation,
    };
    anew.encode().unwrap()
}

fn decoded(record: &[u8]) -> DecisionRecord<'_> {
    match Record::decode(record).unwrap() {
        Record::Decision(record) => *record,
        other => panic!("a decision, not {other:?}"),
    }
}

fn settings(basis: &Basis<'_>) -> Settings {
    Settings {
        default_policy_version: basis.default_policy_version.to_string(),
        default_scope: basis.default_scope.to_string(),
        lenient_scope_search: basis.lenient_scope_search,
        on_error: named(
            &[OnError::Closed, OnError::Cerbos].map(|mode| (mode.as_str(), mode)),
            &basis.on_error,
        ),
        strict_evaluation: basis.strict_evaluation,
        schema_enforcement: named(
            &[SchemaEnforcement::None, SchemaEnforcement::Warn, SchemaEnforcement::Reject]
                .map(|enforcement| (enforcement.as_str(), enforcement)),
            &basis.schema_enforcement,
        ),
        globals: basis.globals.clone().into_owned().into_owned(),
    }
}

fn request<'r>(record: &'r DecisionRecord<'_>) -> Request<'r> {
    let PrincipalInput { id, roles, attr, policy_version, scope } = &record.principal;
    let principal = Principal {
        id: borrowed(id),
        roles: roles.iter().map(|role| borrowed(role)).collect(),
        attr: attr.clone().into_owned(),
        policy_version: borrowed(policy_version),
        scope: borrowed(scope),
    };
    let item = |(resource, result): (&'r ResourceInput<'_>, &'r ResultRecord<'_>)| Item {
        resource: self::resource(resource),
        actions: result.decisions.iter().map(|decision| borrowed(&decision.action)).collect(),
    };
    Request {
        principal,
        items: record.resources.iter().zip(&record.results).map(item).collect(),
        context: record.context.clone().map(Cow::into_owned),
        aux_data: record.aux_data.as_ref().map(AuxDataInput::claims).unwrap_or_default(),
    }
}

fn resource<'r>(input: &'r ResourceInput<'_>) -> Resource<'r> {
    let ResourceInput { kind, id, attr, policy_version, scope } = input;
    Resource {
        kind: borrowed(kind),
        id: borrowed(id),
        attr: attr.clone().into_owned(),
        policy_version: borrowed(policy_version),
        scope: borrowed(scope),
    }
}

fn borrowed(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}
