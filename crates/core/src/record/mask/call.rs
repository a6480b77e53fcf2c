//! A whole call without what must not be seen: what was asked, and what follows from it.
//!
//! What a policy puts out, and the texts of errors, can repeat what they were made from. So wherever a decision could have
//! read something that is masked, they are masked as well.

use std::borrow::Cow;
use std::sync::Arc;

use super::path::Place;
use super::walk::Walker;
use super::{MaskKeys, Masks, Treatment};
use crate::model::{
    ActionDecision, AuxData, Evaluation, Item, OutputEntry, OutputValue, Principal, Request, Resource,
    ResourceEvaluation, Signals,
};
use crate::record::{Call, CallRecord, RecordError, Vouchers, claim_at};
use crate::value::{Map, Value};

/// What stands in the place of a text that must be there.
const MASKED: &str = "masked";

/// The claims that the actor is made of.
const ACTOR_CLAIMS: [&str; 4] = ["act", "iss", "client_id", "client_instance_id"];

/// How the names of principal policies begin; the id of the principal follows.
const PRINCIPAL_POLICY: &str = "principal.";

impl CallRecord<'_> {
    /// The encoded record with what `masks` says, if that is anything.
    pub fn encode_masked(&self, masks: &Masks, keys: &MaskKeys) -> Result<Vec<u8>, RecordError> {
        let kinds = self.request.items.iter().map(|item| &*item.resource.kind).collect();
        let mut walker = Walker::new(masks, keys, kinds);
        let Signals { presented, .. } = &self.request.signals;
        if !self.request.signals.is_empty() || !presented.is_empty() {
            walker = walker.remembering();
        }
        let mut call = call(self.call, &mut walker);
        walker.take_has_masked();
        let mut masked = Inputs::of(self.request, &mut walker);
        masked.drop_what_was_claimed(self.request, self.vouchers);
        call.txn =
            call.txn.filter(|txn| self.call.txn.as_ref() != Some(txn) || masked.tells_transaction(txn));
        let evaluation = masked.evaluation(self, &mut walker);
        let request = &masked.request;
        let paths: Vec<&str> = walker.used().map(|rule| rule.written.as_str()).collect();
        if paths.is_empty() {
            return self.encode();
        }
        let is_partial = walker.used().any(|rule| rule.path.place.is_decided_on());
        CallRecord { call: &call, request, evaluation: &evaluation, ..*self }
            .encode_marked(&paths, is_partial)
    }
}

fn call<'a>(call: &Call<'a>, walker: &mut Walker<'_>) -> Call<'a> {
    let mut seen = |text: &Option<Cow<'a, str>>, place: Place| {
        text.as_ref().and_then(|text| walker.text(text, &[place], None))
    };
    let (request_id, txn) = (seen(&call.request_id, Place::RequestId), seen(&call.txn, Place::Txn));
    Call {
        id: call.id.clone(),
        request_id,
        trace_id: call.trace_id.clone(),
        api: call.api.clone(),
        txn,
        txn_stated: call.txn_stated,
        caller: walker.caller(&call.caller),
    }
}

/// What was asked, masked, and what of it is.
struct Inputs<'a> {
    request: Request<'a>,
    /// The id of the principal is.
    principal_id: bool,
    /// Something is that decisions about every resource could read.
    shared: bool,
    /// By resource: something of it is.
    resources: Vec<bool>,
}

impl<'a> Inputs<'a> {
    fn of(request: &Request<'a>, walker: &mut Walker<'_>) -> Self {
        let principal_id = text_or_masked(walker, &request.principal.id, Place::PrincipalId, None);
        let principal_id_masked = walker.take_has_masked();
        let principal = Principal {
            id: principal_id,
            attr: walker.map(&request.principal.attr, Place::PrincipalAttr, None),
            ..request.principal.clone()
        };
        let context = request.context.as_ref().map(|context| walker.map(context, Place::Context, None));
        let aux_data = AuxData {
            jwt: walker.map(&request.aux_data.jwt, Place::Jwt, None),
            jwts: walker.map(&request.aux_data.jwts, Place::Jwts, None),
            actor: request.aux_data.actor.as_ref().map(|actor| walker.map(actor, Place::Actor, None)),
            bound: request.aux_data.bound,
        };
        let shared = walker.take_has_masked() || principal_id_masked;
        let mut resources = Vec::with_capacity(request.items.len());
        let mut items = Vec::with_capacity(request.items.len());
        for Item { resource, actions } in &request.items {
            let kind = Some(&*resource.kind);
            let resource = Resource {
                id: text_or_masked(walker, &resource.id, Place::ResourceId, kind),
                attr: walker.map(&resource.attr, Place::ResourceAttr, kind),
                ..resource.clone()
            };
            resources.push(walker.take_has_masked());
            items.push(Item { resource, actions: actions.clone() });
        }
        let items = items.into_iter().collect();
        let signals = walker.signals(&request.signals);
        let shared = walker.take_has_masked() || shared;
        let request =
            Request { principal, items, context, aux_data, tenants: request.tenants.clone(), signals };
        Self { request, principal_id: principal_id_masked, shared, resources }
    }

    /// Takes out what was made of claims that are masked: the actor, and attributes of the principal.
    fn drop_what_was_claimed(&mut self, asked: &Request<'_>, vouchers: &Vouchers) {
        let Request { principal, aux_data, .. } = &mut self.request;
        let named = asked.aux_data.jwts.iter().map(|(name, claims)| {
            (as_map(Some(claims)), as_map(aux_data.jwts.get(name)), vouchers.jwts.get(name))
        });
        let one = (Some(&asked.aux_data.jwt), Some(&aux_data.jwt), Some(&vouchers.jwt));
        let mut tells_actor = true;
        for (asked, seen, voucher) in named.chain([one]) {
            let claim = |claims: Option<&Map<'_>>, path: &str| {
                claims.and_then(|claims| claim_at(claims, path)).cloned().map(Value::into_owned)
            };
            let tells = |path: &str| claim(asked, path) == claim(seen, path);
            tells_actor &= ACTOR_CLAIMS.iter().all(|name| tells(name));
            for (name, path) in voucher.iter().flat_map(|voucher| &voucher.attributes) {
                if !tells(path) {
                    principal.attr.remove(name);
                }
            }
        }
        aux_data.actor = aux_data.actor.take().filter(|_| tells_actor);
    }

    /// Whether the transaction is still to be seen where it was said.
    fn tells_transaction(&self, txn: &str) -> bool {
        let AuxData { jwt, jwts, .. } = &self.request.aux_data;
        let tokens = jwts.iter().filter_map(|(_, claims)| as_map(Some(claims))).chain([jwt]);
        let is_told = |map: &Map<'_>| matches!(map.get("txn"), Some(Value::String(told)) if told == txn);
        tokens.chain(&self.request.context).any(is_told)
    }

    /// What was decided, without what could tell what is masked.
    fn evaluation(&self, record: &CallRecord<'_>, walker: &mut Walker<'_>) -> Evaluation {
        let decided = self.request.items.iter().zip(&record.evaluation.resources).zip(&self.resources);
        let resources = decided.map(|((item, decided), is_masked)| {
            let could_tell = self.shared || *is_masked;
            let mut seen = decided.clone();
            mask_outputs(&mut seen.outputs, &item.resource.kind, could_tell, walker);
            if could_tell {
                mask_texts(&mut seen);
            }
            if self.principal_id {
                mask_names(&mut seen, &self.request.principal.id);
            }
            seen
        });
        Evaluation { resources: resources.collect() }
    }
}

fn as_map<'m, 'v>(value: Option<&'m Value<'v>>) -> Option<&'m Map<'v>> {
    match value {
        Some(Value::Map(map)) => Some(map),
        _ => None,
    }
}

/// A text that must be there, whatever becomes of it.
fn text_or_masked<'v>(
    walker: &mut Walker<'_>,
    text: &Cow<'v, str>,
    place: Place,
    kind: Option<&str>,
) -> Cow<'v, str> {
    walker.text(text, &[place], kind).unwrap_or(Cow::Borrowed(MASKED))
}

fn mask_outputs(outputs: &mut [OutputEntry], kind: &str, could_tell: bool, walker: &mut Walker<'_>) {
    let rule = walker.output_rule(kind);
    for output in outputs {
        let seen = match (&output.value, rule) {
            (OutputValue::Value(_), Some((_, Treatment::Keep))) => continue,
            (OutputValue::Value(value), Some((number, _))) => walker.masked(number, value),
            (OutputValue::Error(_), Some((number, treatment))) if treatment != Treatment::Keep => {
                walker.note(number);
                None
            }
            _ if could_tell => None,
            _ => continue,
        };
        output.value = seen.map_or(OutputValue::Error(MASKED.to_owned()), OutputValue::Value);
    }
}

/// Texts that can repeat what they were made from.
fn mask_texts(decided: &mut ResourceEvaluation) {
    for problem in decided.actions.iter_mut().flat_map(|decision| &mut decision.problems) {
        MASKED.clone_into(&mut problem.message);
    }
    for error in &mut decided.validation_errors {
        error.path.clear();
        MASKED.clone_into(&mut error.message);
    }
}

/// Names that hold the id of the principal: those of its policies, and of files, which may be called after it.
fn mask_names(decided: &mut ResourceEvaluation, id: &str) {
    let masked: Arc<str> = format!("{PRINCIPAL_POLICY}{id}").into();
    let of_policy = |name: &mut Arc<str>| {
        if name.starts_with(PRINCIPAL_POLICY) {
            *name = Arc::clone(&masked);
        }
    };
    of_policy(&mut decided.policy);
    for ActionDecision { own_policy, problems, .. } in &mut decided.actions {
        own_policy.iter_mut().for_each(of_policy);
        problems.iter_mut().for_each(|problem| problem.position = MASKED.into());
    }
    for output in &mut decided.outputs {
        if output.src.starts_with(PRINCIPAL_POLICY) {
            let rule = output.src.rsplit_once('#').map_or("", |(_, rule)| rule);
            output.src = format!("{masked}#{rule}").into();
        }
    }
}
