//! The record of one call as bytes, written in one pass from the request and its evaluation.
//!
//! [`DecisionRecord`](super::DecisionRecord) says what stands in it, and reads it again.

use std::sync::Arc;

use super::decision::{NO_ENFORCEMENT, PARTIAL, USUAL_VERSION};
use super::json::Json;
use super::{AuxDataInput, Basis, Call, Caller, FactRecord, PresentedInput, RecordError, Vouchers};
use crate::model::{
    ActionDecision, Effect, Evaluation, Fact, Ground, Item, OutputEntry, OutputValue, Principal, Problem,
    Request, Resource, ResourceEvaluation, Timestamp, ValidatedPart, ValidationError,
};
use crate::value::Map;

/// Bytes of a record besides its basis and its resources, of a resource and of a decision, as far as records are usual.
const USUAL_INPUTS: usize = 640;
const USUAL_RESOURCE: usize = 640;
const USUAL_DECISION: usize = 128;

/// What the record of one call is made of.
#[derive(Clone, Copy, Debug)]
pub struct CallRecord<'a> {
    /// The instant of the call.
    pub at: Timestamp,
    /// Which call, and who made it.
    pub call: &'a Call<'a>,
    /// What the decisions rest on besides the request.
    pub basis: &'a EncodedBasis,
    /// What was asked.
    pub request: &'a Request<'a>,
    /// Who vouched for the claims of the request.
    pub vouchers: &'a Vouchers,
    /// What was decided.
    pub evaluation: &'a Evaluation,
}

/// A [`Basis`] as it stands in records: the same for all calls that one policy set decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedBasis(String);

impl CallRecord<'_> {
    /// The encoded record.
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        let mut json = self.members()?;
        json.raw("}");
        json.check()?;
        Ok(json.into_bytes())
    }

    /// The encoded record, which says that what is at these `paths` is masked.
    pub(super) fn encode_marked(&self, paths: &[&str], is_partial: bool) -> Result<Vec<u8>, RecordError> {
        let mut json = self.members()?;
        if is_partial {
            json.raw(r#","replay":"#);
            json.string(PARTIAL);
        }
        json.raw(r#","masked":"#);
        json.list(paths, |json, path| json.string(path));
        json.raw("}");
        json.check()?;
        Ok(json.into_bytes())
    }

    fn members(&self) -> Result<Json, RecordError> {
        let decisions: usize = self.request.items.iter().map(|item| item.actions.len()).sum();
        let inputs = USUAL_INPUTS + self.request.items.len() * USUAL_RESOURCE;
        let usual = inputs + self.basis.0.len() + decisions * USUAL_DECISION;
        let mut json = Json::with_capacity(usual);
        json.raw(r#"{"v":1,"kind":"decision","at":""#);
        json.plain(self.at);
        json.raw(r#"","call":"#);
        call(&mut json, self.call);
        json.raw(r#","basis":"#);
        json.raw(&self.basis.0);
        self.inputs(&mut json)?;
        self.results(&mut json)?;
        Ok(json)
    }

    fn inputs(&self, json: &mut Json) -> Result<(), RecordError> {
        json.raw(r#","principal":"#);
        principal(json, &self.request.principal);
        if let Some(context) = &self.request.context {
            json.raw(r#","context":"#);
            json.map(context);
        }
        if let Some(aux_data) = AuxDataInput::new(&self.request.aux_data, self.vouchers) {
            json.raw(r#","auxData":"#);
            json.serialize(&aux_data)?;
        }
        if let Some(actor) = &self.request.aux_data.actor {
            json.raw(r#","actor":"#);
            json.map(actor);
        }
        let signals = &self.request.signals;
        if let Some(presented) = PresentedInput::new(signals) {
            json.raw(r#","presented":"#);
            json.serialize(&presented)?;
        }
        if !signals.facts.is_empty() {
            json.raw(r#","signals":"#);
            facts(json, &signals.facts)?;
        }
        json.raw(r#","resources":"#);
        json.list(&self.request.items, |json, item: &Item<'_>| resource(json, &item.resource));
        json.check()
    }

    fn results(&self, json: &mut Json) -> Result<(), RecordError> {
        json.raw(r#","results":["#);
        for (index, (item, evaluated)) in
            self.request.items.iter().zip(&self.evaluation.resources).enumerate()
        {
            json.raw(if index == 0 { r#"{"policy":"# } else { r#",{"policy":"# });
            result(json, item, evaluated)?;
        }
        json.raw("]");
        Ok(())
    }
}

impl EncodedBasis {
    /// Encodes `basis`.
    #[must_use]
    pub fn new(basis: &Basis<'_>) -> Self {
        let mut json = Json::with_capacity(512);
        json.raw(r#"{"engine":"#);
        json.string(&basis.engine);
        json.raw(r#","policyRevision":"#);
        json.string(&basis.policy_revision);
        json.raw(r#","policyGeneration":"#);
        json.plain(basis.policy_generation);
        json.raw(r#","onError":"#);
        json.string(&basis.on_error);
        if basis.default_policy_version != USUAL_VERSION {
            json.raw(r#","defaultPolicyVersion":"#);
            json.string(&basis.default_policy_version);
        }
        unless_empty(&mut json, r#","defaultScope":"#, &basis.default_scope);
        if basis.lenient_scope_search {
            json.raw(r#","lenientScopeSearch":true"#);
        }
        if basis.strict_evaluation {
            json.raw(r#","strictEvaluation":true"#);
        }
        if basis.schema_enforcement != NO_ENFORCEMENT {
            json.raw(r#","schemaEnforcement":"#);
            json.string(&basis.schema_enforcement);
        }
        if !basis.globals.is_empty() {
            json.raw(r#","globals":"#);
            json.map(&basis.globals);
        }
        if !basis.standing.is_usual() {
            json.raw(r#","standing":"#);
            // Writing into memory does not fail.
            let _ = json.serialize(&basis.standing);
        }
        json.raw(r#","durability":"#);
        json.string(&basis.durability);
        json.raw("}");
        // Everything written was text.
        Self(String::from_utf8(json.into_bytes()).unwrap_or_default())
    }
}

fn facts(json: &mut Json, facts: &[Arc<Fact>]) -> Result<(), RecordError> {
    for (index, fact) in facts.iter().enumerate() {
        json.raw(if index == 0 { "[" } else { "," });
        json.serialize(&FactRecord::new(fact))?;
        json.check()?;
    }
    json.raw("]");
    Ok(())
}

fn call(json: &mut Json, call: &Call<'_>) {
    json.raw(r#"{"id":"#);
    json.string(&call.id);
    if let Some(id) = &call.request_id {
        json.raw(r#","requestId":"#);
        json.string(id);
    }
    if let Some(id) = &call.trace_id {
        json.raw(r#","traceId":"#);
        json.string(id);
    }
    json.raw(r#","api":"#);
    json.string(&call.api);
    if let Some(txn) = &call.txn {
        json.raw(r#","txn":"#);
        json.string(txn);
    }
    if call.txn_stated {
        json.raw(r#","txnStated":true"#);
    }
    json.raw(r#","caller":{"#);
    caller(json, &call.caller);
    json.raw("}}");
}

fn caller(json: &mut Json, caller: &Caller<'_>) {
    let Caller { name, method, issuer, key, tenants, address } = caller;
    let mut begun = false;
    let mut member = |json: &mut Json, written: &str| {
        json.raw(if begun { ",\"" } else { "\"" });
        json.raw(written);
        json.raw("\":");
        begun = true;
    };
    for (written, text) in [("name", name), ("method", method), ("issuer", issuer), ("key", key)] {
        if let Some(text) = text {
            member(json, written);
            json.string(text);
        }
    }
    if let Some(tenants) = tenants {
        member(json, "tenants");
        json.list(tenants, |json, tenant| json.string(tenant));
    }
    if let Some(address) = address {
        member(json, "address");
        json.string(address);
    }
}

fn principal(json: &mut Json, principal: &Principal<'_>) {
    json.raw(r#"{"id":"#);
    json.string(&principal.id);
    json.raw(r#","roles":"#);
    json.list(&principal.roles, |json, role| json.string(role));
    described(json, &principal.attr, &principal.policy_version, &principal.scope);
}

fn resource(json: &mut Json, resource: &Resource<'_>) {
    json.raw(r#"{"kind":"#);
    json.string(&resource.kind);
    json.raw(r#","id":"#);
    json.string(&resource.id);
    described(json, &resource.attr, &resource.policy_version, &resource.scope);
}

/// Ends a principal or a resource with what both may have.
fn described(json: &mut Json, attr: &Map<'_>, policy_version: &str, scope: &str) {
    if !attr.is_empty() {
        json.raw(r#","attr":"#);
        json.map(attr);
    }
    unless_empty(json, r#","policyVersion":"#, policy_version);
    unless_empty(json, r#","scope":"#, scope);
    json.raw("}");
}

/// What was decided about one resource: its policy and what follows it.
fn result(json: &mut Json, item: &Item<'_>, result: &ResourceEvaluation) -> Result<(), RecordError> {
    json.string(&result.policy);
    if !result.effective_derived_roles.is_empty() {
        json.raw(r#","derivedRoles":"#);
        json.list(&result.effective_derived_roles, |json, role| json.string(role));
    }
    json.raw(r#","decisions":["#);
    for (index, (action, decision)) in item.actions.iter().zip(&result.actions).enumerate() {
        json.raw(if index == 0 { r#"{"action":"# } else { r#",{"action":"# });
        json.string(action);
        entry(json, decision);
        explained(json, action, decision, result);
        json.check()?;
    }
    json.raw("]");
    if !result.validation_errors.is_empty() {
        json.raw(r#","validationErrors":"#);
        json.list(&result.validation_errors, validation_error);
    }
    json.raw("}");
    Ok(())
}

/// What follows the action in the entry of a decision.
fn entry(json: &mut Json, decision: &ActionDecision) {
    json.raw(match decision.effect {
        Effect::Allow => r#","effect":"EFFECT_ALLOW","reason":""#,
        Effect::Deny => r#","effect":"EFFECT_DENY","reason":""#,
    });
    json.raw(decision.reason.code());
    json.raw("\"");
    if let Some(policy) = &decision.own_policy {
        json.raw(r#","policy":"#);
        json.string(policy);
    }
    unless_empty(json, r#","scope":"#, decision.scope());
    if let Some(rule) = &decision.rule {
        json.raw(r#","rule":"#);
        json.string(rule);
    }
    if let Some(ground) = &decision.ground {
        grounded(json, ground);
    }
}

/// On which fact the decision rests.
fn grounded(json: &mut Json, Ground { signal, demand }: &Ground) {
    if let Some(signal) = signal {
        json.raw(r#","signal":"#);
        json.plain(signal);
    }
    if let Some(demand) = demand {
        json.raw(r#","demand":{"signal":"#);
        json.string(&demand.signal);
        json.raw(r#","maxAge":"#);
        json.plain(demand.max_age);
        json.raw(r#","capability":"#);
        json.string(&demand.capability);
        json.raw("}");
    }
}

/// Ends the entry of a decision with what was met on the way to it.
fn explained(json: &mut Json, action: &str, decision: &ActionDecision, result: &ResourceEvaluation) {
    let mut outputs = result.outputs.iter().filter(|output| output.action == action).peekable();
    if outputs.peek().is_some() {
        json.raw(r#","outputs":"#);
        json.list(outputs, output);
    }
    if !decision.problems.is_empty() {
        json.raw(r#","problems":"#);
        json.list(&decision.problems, problem);
    }
    json.raw("}");
}

fn output(json: &mut Json, output: &OutputEntry) {
    json.raw(r#"{"rule":"#);
    json.string(&output.src);
    match &output.value {
        OutputValue::Value(value) => {
            json.raw(r#","value":"#);
            json.value(value);
        }
        OutputValue::Error(error) => {
            json.raw(r#","error":"#);
            json.string(error);
        }
    }
    json.raw("}");
}

fn problem(json: &mut Json, problem: &Problem) {
    json.raw(r#"{"code":""#);
    json.raw(problem.code.code());
    json.raw(r#"","source":"#);
    json.string(&problem.source);
    json.raw(r#","expression":"#);
    json.string(&problem.expression);
    json.raw(r#","position":"#);
    json.string(&problem.position);
    json.raw(r#","message":"#);
    json.string(&problem.message);
    json.raw("}");
}

fn validation_error(json: &mut Json, error: &ValidationError) {
    json.raw(match error.part {
        ValidatedPart::Principal => r#"{"source":"principal""#,
        ValidatedPart::Resource => r#"{"source":"resource""#,
    });
    unless_empty(json, r#","path":"#, &error.path);
    json.raw(r#","message":"#);
    json.string(&error.message);
    json.raw("}");
}

/// The string member that begins with `member`, unless it is empty.
fn unless_empty(json: &mut Json, member: &str, text: &str) {
    if !text.is_empty() {
        json.raw(member);
        json.string(text);
    }
}
