//! The direct way of a usual body of `POST /api/check/resources` to a valid call: read once, nothing in between.
//!
//! Usual is a body without tokens (`auxData`), `requestContext`, snake_case names, names with escapes and `null` in the
//! place of a member.
//! `None` sends every other body, and every one that is wrong, to the reader in `request.rs`: that one defines what a
//! request is, and this one takes a part of it (ADR 0010).

use std::borrow::Cow;

use procura_core::model::{AuxData, Few, Item, Names, Principal, Request, Resource, Signals, is_scope};
use procura_core::value::Map;

use super::CheckCall;
use crate::http::RequestLimits;
use crate::http::json::LIST_ENTRIES;
use crate::http::scan::Scanner;
use crate::http::validate::is_version;
use crate::pdp::{Call, Tokens};
use crate::telemetry::Api;

/// The call that `body` asks for, if the body is a usual one.
pub(in crate::http) fn parse<'a>(body: &'a [u8], limits: &RequestLimits) -> Option<CheckCall<'a>> {
    let mut json = Scanner::new(body)?;
    let check = check(&mut json, limits)?;
    json.end()?;
    Some(check)
}

fn check<'a>(json: &mut Scanner<'a>, limits: &RequestLimits) -> Option<CheckCall<'a>> {
    let (mut request_id, mut include_meta) = (None, None);
    let (mut principal, mut items, mut context) = (None, None, None);
    json.object(|json| {
        if json.named(r#""requestId""#) {
            once(&mut request_id, text(json, limits))
        } else if json.named(r#""includeMeta""#) {
            once(&mut include_meta, json.flag())
        } else if json.named(r#""principal""#) {
            once(&mut principal, self::principal(json, limits))
        } else if json.named(r#""resources""#) {
            once(&mut items, self::items(json, limits))
        } else if json.named(r#""context""#) {
            once(&mut context, json.attributes())
        } else {
            None
        }
    })?;
    let (principal, items, aux_data) = (principal?, items?, AuxData::default());
    let request = Request { principal, items, context, aux_data, tenants: None, signals: Signals::default() };
    let (api, request_id, tokens) = (Api::CheckResources, request_id.unwrap_or_default(), Tokens::default());
    let call = Call { api, request_id, request, tokens, trace: None };
    Some(CheckCall { call, include_meta: include_meta.unwrap_or(false) })
}

fn principal<'a>(json: &mut Scanner<'a>, limits: &RequestLimits) -> Option<Principal<'a>> {
    let (mut known, mut roles) = (Described::default(), None);
    json.object(|json| {
        if json.named(r#""roles""#) {
            once(&mut roles, names(json, limits.max_roles, limits))
        } else {
            known.member(json, limits)
        }
    })?;
    let Described { id, attr, policy_version, scope } = known;
    let (attr, policy_version) = (attr.unwrap_or_default(), policy_version.unwrap_or_default());
    Some(Principal { id: id?, roles: roles?, attr, policy_version, scope: scope.unwrap_or_default() })
}

fn items<'a>(json: &mut Scanner<'a>, limits: &RequestLimits) -> Option<Few<Item<'a>, 1>> {
    let mut items = Few::default();
    let most = limits.max_resources_per_request.min(LIST_ENTRIES);
    json.list(|json| {
        if items.len() >= most {
            return None;
        }
        items.push(item(json, limits)?);
        Some(())
    })?;
    (!items.is_empty()).then_some(items)
}

fn item<'a>(json: &mut Scanner<'a>, limits: &RequestLimits) -> Option<Item<'a>> {
    let (mut resource, mut actions) = (None, None);
    json.object(|json| {
        if json.named(r#""resource""#) {
            once(&mut resource, self::resource(json, limits))
        } else if json.named(r#""actions""#) {
            once(&mut actions, names(json, limits.max_actions_per_resource, limits))
        } else {
            None
        }
    })?;
    Some(Item { resource: resource?, actions: actions? })
}

fn resource<'a>(json: &mut Scanner<'a>, limits: &RequestLimits) -> Option<Resource<'a>> {
    let (mut known, mut kind) = (Described::default(), None);
    json.object(|json| {
        if json.named(r#""kind""#) { once(&mut kind, name(json, limits)) } else { known.member(json, limits) }
    })?;
    let Described { id, attr, policy_version, scope } = known;
    let (attr, policy_version) = (attr.unwrap_or_default(), policy_version.unwrap_or_default());
    Some(Resource { kind: kind?, id: id?, attr, policy_version, scope: scope.unwrap_or_default() })
}

/// The members that principals and resources share, as far as they were there.
#[derive(Default)]
struct Described<'a> {
    id: Option<Cow<'a, str>>,
    attr: Option<Map<'a>>,
    policy_version: Option<Cow<'a, str>>,
    scope: Option<Cow<'a, str>>,
}

impl<'a> Described<'a> {
    #[inline(always)]
    fn member(&mut self, json: &mut Scanner<'a>, limits: &RequestLimits) -> Option<()> {
        if json.named(r#""id""#) {
            once(&mut self.id, name(json, limits))
        } else if json.named(r#""attr""#) {
            once(&mut self.attr, json.attributes())
        } else if json.named(r#""policyVersion""#) {
            once(&mut self.policy_version, version(json, limits))
        } else if json.named(r#""scope""#) {
            once(&mut self.scope, scope(json, limits))
        } else {
            None
        }
    }
}

/// Keeps the value of a member that is there for the first time.
fn once<T>(kept: &mut Option<T>, value: Option<T>) -> Option<()> {
    if kept.is_some() {
        return None;
    }
    *kept = Some(value?);
    Some(())
}

fn names<'a>(json: &mut Scanner<'a>, most: usize, limits: &RequestLimits) -> Option<Names<'a>> {
    let mut names = Names::default();
    let most = most.min(LIST_ENTRIES);
    json.list(|json| {
        let name = name(json, limits)?;
        if names.len() >= most || names.contains(&name) {
            return None;
        }
        names.push(name);
        Some(())
    })?;
    (!names.is_empty()).then_some(names)
}

fn name<'a>(json: &mut Scanner<'a>, limits: &RequestLimits) -> Option<Cow<'a, str>> {
    text(json, limits).filter(|name| !name.is_empty())
}

fn version<'a>(json: &mut Scanner<'a>, limits: &RequestLimits) -> Option<Cow<'a, str>> {
    text(json, limits).filter(|version| is_version(version))
}

fn scope<'a>(json: &mut Scanner<'a>, limits: &RequestLimits) -> Option<Cow<'a, str>> {
    text(json, limits).filter(|scope| is_scope(scope))
}

fn text<'a>(json: &mut Scanner<'a>, limits: &RequestLimits) -> Option<Cow<'a, str>> {
    json.string().filter(|text| text.len() <= limits.max_string_bytes)
}

#[cfg(test)]
mod tests;
