//! The request of `POST /access/v1/evaluation`: its JSON shape, and its way to a valid call.
//!
//! | AuthZEN | here |
//! |---|---|
//! | `subject.id`, other `subject.properties` | id and attributes of the principal |
//! | `subject.properties["cerbos.roles"]`, else `[subject.type]` | its roles |
//! | `resource.type`, `resource.id`, other `resource.properties` | kind, id and attributes of the resource |
//! | `cerbos.policyVersion`, `cerbos.scope` in either `properties` | policy version and scope |
//! | `action.name` | the action |
//! | `context["cerbos.requestId"]`, else the header `X-Request-ID` | request id |
//! | `context["cerbos.includeMeta"]` | whether the check response names policies |
//! | `context["cerbos.auxData"]` | tokens, as `auxData` of a check request |
//! | other members of `context` | `request.context` |
//!
//! Unknown members are ignored, as the specification demands.

use std::borrow::Cow;

use procura_core::model;
use procura_core::value::{Map, Value};
use serde::Deserialize;

use crate::http::aux_data::AuxData;
use crate::http::cerbos::CheckCall;
use crate::http::json::{List, Object, Text, parse};
use crate::http::{Invalid, RequestLimits};
use crate::pdp::Call;
use crate::telemetry::Api;

/// Members of `context` and `properties` that begin so are the peer's.
const PEER_PREFIX: &str = "cerbos.";

/// A valid evaluation request.
pub(in crate::http) struct EvaluationCall<'a> {
    /// The same question as a check request of one resource and one action.
    pub(in crate::http) check: CheckCall<'a>,
    /// Whether the answer carries the check response: the request's context has a member of the peer.
    pub(super) wants_check_response: bool,
}

impl<'a> EvaluationCall<'a> {
    /// Parses and validates the JSON text `body`; `request_id` serves if the body names none.
    pub(in crate::http) fn parse(
        body: &'a [u8],
        request_id: &'a str,
        limits: &RequestLimits,
    ) -> Result<Self, Invalid> {
        let Object(wire) = parse::<Object<EvaluationRequest<'a>>>(body)?;
        wire.validate(request_id, limits)
    }
}

#[derive(Deserialize)]
struct EvaluationRequest<'a> {
    #[serde(borrow)]
    subject: Option<Object<Entity<'a>>>,
    #[serde(borrow)]
    action: Option<Object<Action<'a>>>,
    #[serde(borrow)]
    resource: Option<Object<Entity<'a>>>,
    #[serde(borrow)]
    context: Option<Map<'a>>,
}

/// A subject or a resource.
#[derive(Deserialize)]
struct Entity<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    properties: Option<Map<'a>>,
}

#[derive(Deserialize)]
struct Action<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
}

impl<'a> EvaluationRequest<'a> {
    fn validate(self, header_id: &'a str, limits: &RequestLimits) -> Result<EvaluationCall<'a>, Invalid> {
        let principal = present("subject", self.subject)?.into_principal(limits)?;
        let action = present("action", self.action)?;
        let action = limits.required("action.name", action.name)?;
        let resource = present("resource", self.resource)?.into_resource(limits)?;

        let mut context = self.context;
        let wants_check_response =
            context.iter().flat_map(Map::iter).any(|(name, _)| name.starts_with(PEER_PREFIX));
        let mut options = Options { of: context.as_mut(), path: "context" };
        let body_id = options.text("cerbos.requestId")?;
        let request_id =
            limits.optional("context.cerbos.requestId", body_id.or(Some(Text(Cow::Borrowed(header_id)))))?;
        let include_meta = options.flag("cerbos.includeMeta")?;
        let aux_data = options.take("cerbos.auxData");
        let aux_data =
            aux_data.map(|value| AuxData::from_value("context.cerbos.auxData", value)).transpose()?;
        let tokens = aux_data.unwrap_or_default().tokens(limits)?;

        let request = model::Request {
            principal,
            items: [model::Item { resource, actions: [action].into() }].into(),
            context,
            aux_data: model::AuxData::default(),
            tenants: None,
            signals: model::Signals::default(),
        };
        let call = Call { api: Api::Evaluation, request_id, request, tokens, trace: None };
        let check = CheckCall { call, include_meta };
        Ok(EvaluationCall { check, wants_check_response })
    }
}

impl<'a> Entity<'a> {
    fn into_principal(self, limits: &RequestLimits) -> Result<model::Principal<'a>, Invalid> {
        let mut attr = self.properties.unwrap_or_default();
        let mut options = Options { of: Some(&mut attr), path: "subject.properties" };
        let r#type = limits.required("subject.type", self.r#type)?;
        let roles = match options.texts("cerbos.roles")? {
            Some(roles) => limits.names("subject.properties.cerbos.roles", Some(roles), limits.max_roles)?,
            None => [r#type].into(),
        };
        let (policy_version, scope) = options.version_and_scope(limits)?;
        Ok(model::Principal {
            id: limits.required("subject.id", self.id)?,
            roles,
            attr,
            policy_version,
            scope,
        })
    }

    fn into_resource(self, limits: &RequestLimits) -> Result<model::Resource<'a>, Invalid> {
        let mut attr = self.properties.unwrap_or_default();
        let mut options = Options { of: Some(&mut attr), path: "resource.properties" };
        let (policy_version, scope) = options.version_and_scope(limits)?;
        let kind = limits.required("resource.type", self.r#type)?;
        let id = limits.required("resource.id", self.id)?;
        Ok(model::Resource { kind, id, attr, policy_version, scope })
    }
}

fn present<T>(path: &str, object: Option<Object<T>>) -> Result<T, Invalid> {
    object.map(|Object(object)| object).ok_or_else(|| Invalid::at(path, "a value is required"))
}

/// The peer's members of a map: each is taken out of it and must be of its type; `null` is the same as absent.
struct Options<'m, 'a> {
    of: Option<&'m mut Map<'a>>,
    path: &'static str,
}

impl<'a> Options<'_, 'a> {
    fn take(&mut self, name: &str) -> Option<Value<'a>> {
        self.of.as_mut()?.remove(name).filter(|value| *value != Value::Null)
    }

    fn text(&mut self, name: &str) -> Result<Option<Text<'a>>, Invalid> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(Text(text))),
            Some(_) => Err(self.mistyped(name, "a string")),
        }
    }

    fn flag(&mut self, name: &str) -> Result<bool, Invalid> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(self.mistyped(name, "`true` or `false`")),
        }
    }

    fn texts(&mut self, name: &str) -> Result<Option<List<Text<'a>>>, Invalid> {
        let items = match self.take(name) {
            None => return Ok(None),
            Some(Value::List(items)) => items,
            Some(_) => return Err(self.mistyped(name, "a list of strings")),
        };
        let texts = items.into_iter().map(|item| match item {
            Value::String(text) => Ok(Text(text)),
            _ => Err(self.mistyped(name, "a list of strings")),
        });
        texts.collect::<Result<_, _>>().map(|texts| Some(List(texts)))
    }

    fn version_and_scope(&mut self, limits: &RequestLimits) -> Result<(Cow<'a, str>, Cow<'a, str>), Invalid> {
        let (version, scope) = (self.text("cerbos.policyVersion")?, self.text("cerbos.scope")?);
        Ok((
            limits.version(format_args!("{}.cerbos.policyVersion", self.path), version)?,
            limits.scope(format_args!("{}.cerbos.scope", self.path), scope)?,
        ))
    }

    fn mistyped(&self, name: &str, expected: &str) -> Invalid {
        Invalid::at(format_args!("{}.{name}", self.path), format_args!("invalid type: expected {expected}"))
    }
}
