//! What is asked.

use std::borrow::Cow;

use super::{Few, Names, Signals};
use crate::value::Map;

/// One call: a principal, and the actions it wants to perform on some resources.
///
/// Invariant, held by the edge that builds it: ids, kinds, roles and actions are not empty, and the counts
/// are within the configured limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: Principal<'a>,
    /// What is asked, in the order of the request.
    pub items: Few<Item<'a>, 1>,
    /// Circumstances of the call: `request.context` in conditions.
    pub context: Option<Map<'a>>,
    /// What was verified about the call: `request.auxData` in conditions.
    pub aux_data: AuxData<'a>,
    /// The tenants that there are for whoever sends the request: scopes of others do not exist. `None` for all of them.
    pub tenants: Option<Vec<Cow<'a, str>>>,
    /// What is held true about the call: `signals` in conditions.
    pub signals: Signals<'a>,
}

/// The claims of the tokens that came with a call. Only claims of verified tokens are ever here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuxData<'a> {
    /// Claims of the one token: `request.auxData.jwt`.
    pub jwt: Map<'a>,
    /// Claims by the name of the token: `request.auxData.jwts`; each value is a map.
    pub jwts: Map<'a>,
    /// Who acts for the principal, as [`actor`](super::actor) makes it: `request.actor`.
    pub actor: Option<Map<'a>>,
    /// Whether it was proven that whoever uses the one token holds the key that it is bound to:
    /// `request.auxData.bound`.
    pub bound: bool,
}

/// Who asks: a person, a workload or an agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Principal<'a> {
    /// Unique name.
    pub id: Cow<'a, str>,
    /// Roles held, in request order, without duplicates.
    pub roles: Names<'a>,
    /// Attributes: `P.attr` in conditions.
    pub attr: Map<'a>,
    /// Requested policy version, empty for the default.
    pub policy_version: Cow<'a, str>,
    /// Requested scope, empty for the default.
    pub scope: Cow<'a, str>,
}

/// One resource and the actions asked for on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item<'a> {
    /// The resource.
    pub resource: Resource<'a>,
    /// Actions in request order, without duplicates.
    pub actions: Names<'a>,
}

/// What is acted upon.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource<'a> {
    /// Kind, which selects the policy.
    pub kind: Cow<'a, str>,
    /// Name, unique within its kind.
    pub id: Cow<'a, str>,
    /// Attributes: `R.attr` in conditions.
    pub attr: Map<'a>,
    /// Requested policy version, empty for the default.
    pub policy_version: Cow<'a, str>,
    /// Requested scope, empty for the default.
    pub scope: Cow<'a, str>,
}
