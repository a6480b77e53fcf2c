//! The request of `POST /api/check/resources`: its JSON shape, and its way to a valid [`Call`]. The deprecated check
//! requests are made of the same parts.
//!
//! Members are camelCase, snake_case is accepted, unknown members are refused, `null` is the same as absent.
//! `context` is ours: the peer has no such member.

use procura_core::model::{self, Few};
use procura_core::value::Map;
use serde::Deserialize;

use super::direct;
use crate::http::aux_data::AuxData;
use crate::http::json::{List, Object, Text, parse};
use crate::http::validate::bounded;
use crate::http::{Invalid, RequestLimits};
use crate::pdp::Call;
use crate::telemetry::Api;

/// A valid check request.
#[derive(Debug)]
pub struct CheckCall<'a> {
    /// What is asked.
    pub call: Call<'a>,
    /// Whether the answer names the policies that decided.
    pub include_meta: bool,
}

impl<'a> CheckCall<'a> {
    /// Parses and validates the JSON text `body`; strings are borrowed from it.
    pub fn parse(body: &'a [u8], limits: &RequestLimits) -> Result<Self, Invalid> {
        match direct::parse(body, limits) {
            Some(check) => Ok(check),
            None => Self::parse_any(body, limits),
        }
    }

    /// The same for any body. It defines what a request is and says what is wrong with one.
    pub(in crate::http) fn parse_any(body: &'a [u8], limits: &RequestLimits) -> Result<Self, Invalid> {
        let Object(wire) = parse::<Object<CheckRequest<'a>>>(body)?;
        wire.validate(limits)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CheckRequest<'a> {
    #[serde(borrow, alias = "request_id")]
    request_id: Option<Text<'a>>,
    #[serde(alias = "include_meta")]
    include_meta: Option<bool>,
    #[serde(borrow)]
    principal: Option<Object<Principal<'a>>>,
    #[serde(borrow)]
    resources: Option<List<Object<Entry<'a>>>>,
    #[serde(borrow, alias = "aux_data")]
    aux_data: Option<Object<AuxData<'a>>>,
    #[serde(borrow, rename = "requestContext", alias = "request_context")]
    _request_context: Option<Object<RequestContext<'a>>>,
    #[serde(borrow)]
    context: Option<Map<'a>>,
}

/// The principal of any check request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Principal<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    roles: Option<List<Text<'a>>>,
    #[serde(borrow)]
    attr: Option<Map<'a>>,
    #[serde(borrow, alias = "policy_version")]
    policy_version: Option<Text<'a>>,
    #[serde(borrow)]
    scope: Option<Text<'a>>,
}

/// One resource and the actions asked for on it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Entry<'a> {
    #[serde(borrow)]
    actions: Option<List<Text<'a>>>,
    #[serde(borrow)]
    resource: Option<Object<Resource<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Resource<'a> {
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    attr: Option<Map<'a>>,
    #[serde(borrow, alias = "policy_version")]
    policy_version: Option<Text<'a>>,
    #[serde(borrow)]
    scope: Option<Text<'a>>,
}

/// Notes of the caller for itself; they decide nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestContext<'a> {
    #[serde(borrow, rename = "annotations")]
    _annotations: Option<Map<'a>>,
}

/// What all check requests have besides resources and actions.
pub(super) struct Head<'a> {
    pub(super) request_id: Option<Text<'a>>,
    pub(super) principal: Option<Object<Principal<'a>>>,
    pub(super) aux_data: Option<Object<AuxData<'a>>>,
    pub(super) context: Option<Map<'a>>,
}

impl<'a> Head<'a> {
    /// A call through `api` that asks for nothing yet.
    pub(super) fn call(self, api: Api, limits: &RequestLimits) -> Result<Call<'a>, Invalid> {
        let tokens = self.aux_data.map(|Object(aux_data)| aux_data.tokens(limits)).transpose()?;
        let Some(Object(principal)) = self.principal else {
            return Err(Invalid::at("principal", "a value is required"));
        };
        let request_id = limits.optional("requestId", self.request_id)?;
        let principal = principal.validate(limits)?;
        let request = model::Request {
            principal,
            items: Few::default(),
            context: self.context,
            aux_data: model::AuxData::default(),
            tenants: None,
            signals: model::Signals::default(),
        };
        Ok(Call { api, request_id, request, tokens: tokens.unwrap_or_default(), trace: None })
    }
}

/// The valid form of `resources`: at least one and at most as many as allowed.
pub(super) fn items<'a>(
    resources: Option<List<Object<Entry<'a>>>>,
    limits: &RequestLimits,
) -> Result<Few<model::Item<'a>, 1>, Invalid> {
    let entries = bounded("resources", resources, limits.max_resources_per_request)?;
    entries.into_iter().enumerate().map(|(i, Object(entry))| entry.validate(i, limits)).collect()
}

impl<'a> CheckRequest<'a> {
    fn validate(self, limits: &RequestLimits) -> Result<CheckCall<'a>, Invalid> {
        let Self { request_id, principal, aux_data, context, .. } = self;
        let head = Head { request_id, principal, aux_data, context };
        let mut call = head.call(Api::CheckResources, limits)?;
        call.request.items = items(self.resources, limits)?;
        Ok(CheckCall { call, include_meta: self.include_meta.unwrap_or(false) })
    }
}

impl<'a> Principal<'a> {
    fn validate(self, limits: &RequestLimits) -> Result<model::Principal<'a>, Invalid> {
        Ok(model::Principal {
            id: limits.required("principal.id", self.id)?,
            roles: limits.names("principal.roles", self.roles, limits.max_roles)?,
            attr: self.attr.unwrap_or_default(),
            policy_version: limits.version("principal.policyVersion", self.policy_version)?,
            scope: limits.scope("principal.scope", self.scope)?,
        })
    }
}

impl<'a> Entry<'a> {
    fn validate(self, i: usize, limits: &RequestLimits) -> Result<model::Item<'a>, Invalid> {
        let Some(Object(resource)) = self.resource else {
            return Err(Invalid::at(format_args!("resources[{i}].resource"), "a value is required"));
        };
        let at = format_args!("resources[{i}].actions");
        let actions = limits.names(at, self.actions, limits.max_actions_per_resource)?;
        Ok(model::Item { resource: resource.validate(i, limits)?, actions })
    }
}

impl<'a> Resource<'a> {
    fn validate(self, i: usize, limits: &RequestLimits) -> Result<model::Resource<'a>, Invalid> {
        Ok(model::Resource {
            kind: limits.required(format_args!("resources[{i}].resource.kind"), self.kind)?,
            id: limits.required(format_args!("resources[{i}].resource.id"), self.id)?,
            attr: self.attr.unwrap_or_default(),
            policy_version: limits
                .version(format_args!("resources[{i}].resource.policyVersion"), self.policy_version)?,
            scope: limits.scope(format_args!("resources[{i}].resource.scope"), self.scope)?,
        })
    }
}
