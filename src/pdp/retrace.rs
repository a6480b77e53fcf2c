//! What a recorded call met on its way, found out by deciding it again.

use std::borrow::Cow;

use procura_core::engine::{OnError, SchemaEnforcement, Settings, Trail, retrace};
use procura_core::model::{Item, Principal, Request, Resource, Timestamp};
use procura_core::record::{AuxDataInput, Basis, DecisionRecord, PrincipalInput, ResourceInput};

use super::Pdp;

impl Pdp {
    /// What the call of `record` met on its way; `None` if that cannot be found out: another policy set is live than
    /// the one that decided it, or the record is of a mode that this release does not know.
    #[must_use]
    pub fn retrace(&self, record: &DecisionRecord<'_>) -> Option<Trail> {
        let active = self.active.load_full()?;
        if active.snapshot.revision.as_str() != record.basis.policy_revision {
            return None;
        }
        let settings = settings(&record.basis)?;
        Some(retrace(&active.snapshot, &request(record), &settings, record.at))
    }

    /// The instant at which a call would be decided.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The settings that `basis` names.
fn settings(basis: &Basis<'_>) -> Option<Settings> {
    let enforcements = [SchemaEnforcement::None, SchemaEnforcement::Warn, SchemaEnforcement::Reject];
    Some(Settings {
        default_policy_version: basis.default_policy_version.to_string(),
        default_scope: basis.default_scope.to_string(),
        lenient_scope_search: basis.lenient_scope_search,
        on_error: [OnError::Closed, OnError::Cerbos].into_iter().find(|m| m.as_str() == basis.on_error)?,
        strict_evaluation: basis.strict_evaluation,
        schema_enforcement: enforcements.into_iter().find(|e| e.as_str() == basis.schema_enforcement)?,
        globals: basis.globals.clone().into_owned().into_owned(),
    })
}

/// What was asked.
fn request<'r>(record: &'r DecisionRecord<'_>) -> Request<'r> {
    let PrincipalInput { id, roles, attr, policy_version, scope } = &record.principal;
    let principal = Principal {
        id: Cow::Borrowed(id),
        roles: roles.iter().map(|role| Cow::Borrowed(&**role)).collect(),
        attr: attr.clone().into_owned(),
        policy_version: Cow::Borrowed(policy_version),
        scope: Cow::Borrowed(scope),
    };
    let items = record.resources.iter().zip(&record.results).map(|(resource, result)| Item {
        resource: self::resource(resource),
        actions: result.decisions.iter().map(|decision| Cow::Borrowed(&*decision.action)).collect(),
    });
    Request {
        principal,
        items: items.collect(),
        context: record.context.clone().map(Cow::into_owned),
        aux_data: record.aux_data.as_ref().map(AuxDataInput::claims).unwrap_or_default(),
    }
}

fn resource<'r>(input: &'r ResourceInput<'_>) -> Resource<'r> {
    let ResourceInput { kind, id, attr, policy_version, scope } = input;
    Resource {
        kind: Cow::Borrowed(kind),
        id: Cow::Borrowed(id),
        attr: attr.clone().into_owned(),
        policy_version: Cow::Borrowed(policy_version),
        scope: Cow::Borrowed(scope),
    }
}
