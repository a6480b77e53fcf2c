//! The text of a response of `POST /api/check/resources`, written at once. It is the text that serde makes of it.

use procura_core::model::{Effect, Item, ResourceEvaluation};
use procura_core::value::text::quote;
use serde::Serialize;
use serde_json::Result;

use super::CheckResponse;
use super::response::{Meta, Mismatch, Output};

/// Bytes of the text of a response, of a result and of an action besides their names.
const RESPONSE_BYTES: usize = 100;
const RESULT_BYTES: usize = 100;
const ACTION_BYTES: usize = 20;

impl CheckResponse<'_> {
    /// The text of the body. It fails only where serde fails to write a part of it, which it never has to.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(self.size());
        out.push(b'{');
        if !self.request_id().is_empty() {
            out.extend_from_slice(br#""requestId":"#);
            quote(&mut out, self.request_id());
            out.push(b',');
        }
        out.extend_from_slice(br#""results":["#);
        for (i, (item, decided)) in self.pairs().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            resource(&mut out, item);
            actions(&mut out, item, decided);
            seldom(&mut out, item, decided, self.include_meta())?;
            out.push(b'}');
        }
        out.extend_from_slice(br#"],"cerbosCallId":"#);
        quote(&mut out, self.call_id);
        out.push(b'}');
        Ok(out)
    }

    /// Bytes of an ordinary response.
    fn size(&self) -> usize {
        let result = |(item, _): (&Item<'_>, _)| {
            let resource = &item.resource;
            let names = [&resource.id, &resource.kind, &resource.policy_version, &resource.scope];
            let actions = item.actions.iter().map(|action| action.len() + ACTION_BYTES);
            RESULT_BYTES + names.map(|name| name.len()).iter().sum::<usize>() + actions.sum::<usize>()
        };
        let head = RESPONSE_BYTES + self.request_id().len() + self.call_id.len();
        head + self.pairs().map(result).sum::<usize>()
    }
}

/// Begins a result: its resource.
fn resource(out: &mut Vec<u8>, item: &Item<'_>) {
    let resource = &item.resource;
    out.extend_from_slice(br#"{"resource":{"id":"#);
    quote(out, &resource.id);
    out.extend_from_slice(br#","kind":"#);
    quote(out, &resource.kind);
    if !resource.policy_version.is_empty() {
        out.extend_from_slice(br#","policyVersion":"#);
        quote(out, &resource.policy_version);
    }
    if !resource.scope.is_empty() {
        out.extend_from_slice(br#","scope":"#);
        quote(out, &resource.scope);
    }
}

/// Ends the resource of a result, and goes on with its actions.
fn actions(out: &mut Vec<u8>, item: &Item<'_>, decided: &ResourceEvaluation) {
    out.extend_from_slice(br#"},"actions":{"#);
    for (i, (action, decision)) in item.actions.iter().zip(&decided.actions).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        quote(out, action);
        out.extend_from_slice(match decision.effect {
            Effect::Allow => br#":"EFFECT_ALLOW""#,
            Effect::Deny => br#":"EFFECT_DENY""#,
        });
    }
    out.push(b'}');
}

/// Goes on with what few results have, as serde writes it.
fn seldom(out: &mut Vec<u8>, item: &Item<'_>, decided: &ResourceEvaluation, meta: bool) -> Result<()> {
    if !decided.validation_errors.is_empty() {
        member(out, br#","validationErrors":"#, &Mismatch::list(decided))?;
    }
    if meta {
        member(out, br#","meta":"#, &Meta::new(item, decided))?;
    }
    if !decided.outputs.is_empty() {
        member(out, br#","outputs":"#, &Output::list(decided))?;
    }
    Ok(())
}

fn member(out: &mut Vec<u8>, name: &[u8], value: &impl Serialize) -> Result<()> {
    out.extend_from_slice(name);
    serde_json::to_writer(out, value)
}

#[cfg(test)]
mod tests {
    use procura_core::model::{
        ActionDecision, Evaluation, OutputEntry, OutputValue, Reason, ValidatedPart, ValidationError,
    };
    use procura_core::value::Value;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::http::RequestLimits;
    use crate::http::cerbos::CheckCall;

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![8 => "[a-z:_]{1,12}", 1 => "[ -~\\x00-\\x1f\u{7f}äö😀\"\\\\]{1,12}"]
    }

    fn decision() -> impl Strategy<Value = ActionDecision> {
        (any::<bool>(), prop::option::of(name()), prop::option::of(name())).prop_map(
            |(allow, policy, scope)| ActionDecision {
                ground: None,
                effect: if allow { Effect::Allow } else { Effect::Deny },
                reason: Reason::AllowRule,
                own_policy: policy.map(Into::into),
                matched_scope: scope.map(Into::into),
                rule: None,
                problems: Vec::new(),
            },
        )
    }

    fn output() -> impl Strategy<Value = OutputEntry> {
        (name(), name(), any::<bool>()).prop_map(|(src, text, fails)| OutputEntry {
            src: src.into(),
            action: "view".to_owned(),
            value: if fails {
                OutputValue::Error(text)
            } else {
                OutputValue::Value(Value::String(text.into()))
            },
        })
    }

    fn mismatch() -> impl Strategy<Value = ValidationError> {
        name().prop_map(|message| ValidationError {
            part: ValidatedPart::Resource,
            path: "/a".into(),
            message,
        })
    }

    fn decided() -> impl Strategy<Value = ResourceEvaluation> {
        let roles = prop::collection::vec(name().prop_map(Into::into), 0..2);
        let outputs = prop::collection::vec(output(), 0..2);
        let errors = prop::collection::vec(mismatch(), 0..2);
        (name(), prop::collection::vec(decision(), 1..6), roles, outputs, errors).prop_map(
            |(policy, actions, effective_derived_roles, outputs, validation_errors)| ResourceEvaluation {
                policy: policy.into(),
                actions,
                effective_derived_roles,
                outputs,
                validation_errors,
            },
        )
    }

    /// A body that asks what `evaluation` answers.
    fn body(names: &[String], meta: bool, scope: &str, evaluation: &Evaluation) -> String {
        let resource = |decided: &ResourceEvaluation| {
            let actions = (0..decided.actions.len()).map(|n| format!("{}{n}", names[2])).collect::<Vec<_>>();
            let version = if meta { "default" } else { "" };
            json!({"actions": actions, "resource": {
                "kind": names[0], "id": names[1], "scope": scope, "policyVersion": version}})
        };
        let resources = evaluation.resources.iter().map(resource).collect::<Vec<_>>();
        json!({"requestId": names[3], "includeMeta": meta, "resources": resources,
               "principal": {"id": "a", "roles": ["r"]}})
        .to_string()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn response_is_the_text_that_serde_writes(
            resources in prop::collection::vec(decided(), 1..4),
            mut names in prop::collection::vec(name(), 4),
            meta in any::<bool>(),
            scope in prop::sample::select(vec!["", "acme"]),
            has_id in any::<bool>(),
        ) {
            if !has_id {
                names[3].clear();
            }
            let evaluation = Evaluation { resources };
            let body = body(&names, meta, scope, &evaluation);
            let check = CheckCall::parse(body.as_bytes(), &RequestLimits::default()).unwrap();
            let response = CheckResponse::new(&check, &evaluation, "0193a4c0");
            let expected = serde_json::to_string(&response).unwrap();
            prop_assert_eq!(String::from_utf8(response.to_json().unwrap()).unwrap(), expected);
        }
    }
}
