//! `POST /api/check` (CheckResourceSet), which the peer deprecates: the same actions on several instances of one kind of
//! resource, answered by the ids of the instances, without outputs.

use std::collections::BTreeMap;

use procura_core::model::{Evaluation, Few, Item, Names, Resource, ResourceEvaluation};
use procura_core::value::Map;
use serde::{Deserialize, Serialize};

use super::request::{CheckCall, Head, Principal};
use super::response::{Effects, Meta, Mismatch};
use crate::http::aux_data::AuxData;
use crate::http::json::{List, Named, Object, Text, parse};
use crate::http::validate::bounded;
use crate::http::{Invalid, RequestLimits};
use crate::telemetry::Api;

/// A request as it came, not yet multiplied out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct SetRequest<'a> {
    #[serde(borrow, alias = "request_id")]
    request_id: Option<Text<'a>>,
    #[serde(alias = "include_meta")]
    include_meta: Option<bool>,
    #[serde(borrow)]
    actions: Option<List<Text<'a>>>,
    #[serde(borrow)]
    principal: Option<Object<Principal<'a>>>,
    #[serde(borrow)]
    resource: Option<Object<ResourceSet<'a>>>,
    #[serde(borrow, alias = "aux_data")]
    aux_data: Option<Object<AuxData<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResourceSet<'a> {
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow, alias = "policy_version")]
    policy_version: Option<Text<'a>>,
    #[serde(borrow)]
    scope: Option<Text<'a>>,
    #[serde(borrow)]
    instances: Option<Named<'a, Object<Instance<'a>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Instance<'a> {
    #[serde(borrow)]
    attr: Option<Map<'a>>,
}

impl<'a> SetRequest<'a> {
    /// Parses the JSON text `body`; strings are borrowed from it.
    pub(in crate::http) fn parse(body: &'a [u8]) -> Result<Self, Invalid> {
        parse::<Object<SetRequest<'a>>>(body).map(|Object(request)| request)
    }

    /// How large the request is if each instance is asked about by itself.
    pub(super) fn size(&self) -> Size {
        let actions = self.actions.as_ref().map_or(&[][..], |List(actions)| actions);
        let Some(Object(resource)) = &self.resource else {
            return Size { text: 0, decisions: 0 };
        };
        let names = actions.iter().chain(resource.names());
        let text: usize = names.map(|Text(name)| name.len()).sum();
        let instances = resource.instances.as_ref().map_or(0, |Named(instances)| instances.len());
        Size { text: text.saturating_mul(instances), decisions: actions.len().saturating_mul(instances) }
    }

    /// The valid call; instances stand in the order of their ids.
    pub(in crate::http) fn validate(self, limits: &RequestLimits) -> Result<CheckCall<'a>, Invalid> {
        let Self { request_id, principal, aux_data, .. } = self;
        let head = Head { request_id, principal, aux_data, context: None };
        let mut call = head.call(Api::CheckResourceSet, limits)?;
        let actions = limits.names("actions", self.actions, limits.max_actions_per_resource)?;
        let Some(Object(resource)) = self.resource else {
            return Err(Invalid::at("resource", "a value is required"));
        };
        call.request.items = resource.into_items(&actions, limits)?;
        Ok(CheckCall { call, include_meta: self.include_meta.unwrap_or(false) })
    }
}

/// What the actions and names of a set amount to on all of its instances. A short body can ask for much.
pub(super) struct Size {
    /// Their text, in bytes.
    pub(super) text: usize,
    /// Decisions to make.
    pub(super) decisions: usize,
}

impl Size {
    /// Fails if the same questions would not be taken from a body that asks each of them.
    pub(super) fn within(self, limits: &RequestLimits) -> Result<Self, Invalid> {
        let Self { text, decisions } = self;
        let (most_text, most_decisions) = (limits.max_body_bytes, limits.max_structural_chars);
        if text <= most_text && decisions <= most_decisions {
            return Ok(self);
        }
        let message = format_args!(
            "{decisions} decisions with {text} bytes of names on all instances together, the limits are \
             {most_decisions} and {most_text}"
        );
        Err(Invalid::at("resource.instances", message))
    }
}

impl<'a> ResourceSet<'a> {
    fn names(&self) -> impl Iterator<Item = &Text<'a>> {
        [&self.kind, &self.policy_version, &self.scope].into_iter().flatten()
    }

    /// One item per instance, each with all `actions`.
    fn into_items(self, actions: &Names<'a>, limits: &RequestLimits) -> Result<Few<Item<'a>, 1>, Invalid> {
        let kind = limits.required("resource.kind", self.kind)?;
        let policy_version = limits.version("resource.policyVersion", self.policy_version)?;
        let scope = limits.scope("resource.scope", self.scope)?;
        let instances = self.instances.map(|Named(instances)| instances.into_iter().collect());
        let instances = bounded("resource.instances", instances.map(List), limits.max_resources_per_request)?;
        let item = |(id, Object(instance)): (_, Object<Instance<'a>>)| {
            let resource = Resource {
                kind: kind.clone(),
                id: limits.required("resource.instances", Some(Text(id)))?,
                attr: instance.attr.unwrap_or_default(),
                policy_version: policy_version.clone(),
                scope: scope.clone(),
            };
            Ok(Item { resource, actions: actions.clone() })
        };
        instances.into_iter().map(item).collect()
    }
}

/// The body of the response.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetResponse<'r> {
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'r str,
    resource_instances: BTreeMap<&'r str, InstanceResult<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<SetMeta<'r>>,
}

impl<'r> SetResponse<'r> {
    /// What `check` is answered with `evaluation`.
    pub(super) fn new(check: &'r CheckCall<'_>, evaluation: &'r Evaluation) -> Self {
        let pairs = || check.call.request.items.iter().zip(&evaluation.resources);
        let meta = || pairs().map(|(item, decided)| (&*item.resource.id, Meta::new(item, decided)));
        Self {
            request_id: &check.call.request_id,
            resource_instances: pairs()
                .map(|(item, decided)| (&*item.resource.id, InstanceResult::new(item, decided)))
                .collect(),
            meta: check.include_meta.then(|| SetMeta { resource_instances: meta().collect() }),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InstanceResult<'r> {
    actions: Effects<'r>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    validation_errors: Vec<Mismatch<'r>>,
}

impl<'r> InstanceResult<'r> {
    fn new(item: &'r Item<'_>, decided: &'r ResourceEvaluation) -> Self {
        Self { actions: Effects { item, decided }, validation_errors: Mismatch::list(decided) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SetMeta<'r> {
    resource_instances: BTreeMap<&'r str, Meta<'r>>,
}
