//! The response of `POST /api/check/resources`: its JSON shape, borrowed from the call and its evaluation.
//!
//! As the peer does, members without content are left out, and results stand in the order of the request.

use procura_core::model::{
    Evaluation, Item, OutputEntry, OutputValue, ResourceEvaluation, ValidatedPart, ValidationError,
};
use procura_core::value::Value;
use serde::{Serialize, Serializer};

use super::CheckCall;

/// The body of the response. Serde writes it where it is a part of something else; [`CheckResponse::to_json`] is its text.
#[derive(Debug)]
pub struct CheckResponse<'r> {
    check: &'r CheckCall<'r>,
    evaluation: &'r Evaluation,
    pub(super) call_id: &'r str,
}

impl<'r> CheckResponse<'r> {
    /// What `check` is answered with `evaluation`.
    #[must_use]
    pub fn new(check: &'r CheckCall<'_>, evaluation: &'r Evaluation, call_id: &'r str) -> Self {
        Self { check, evaluation, call_id }
    }

    pub(super) fn request_id(&self) -> &'r str {
        &self.check.call.request_id
    }

    pub(super) fn include_meta(&self) -> bool {
        self.check.include_meta
    }

    /// Each item with what was decided about it.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'r Item<'r>, &'r ResourceEvaluation)> {
        self.check.call.request.items.iter().zip(&self.evaluation.resources)
    }
}

impl Serialize for CheckResponse<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let results =
            self.pairs().map(|(item, decided)| ResultEntry::new(item, decided, self.include_meta()));
        let body =
            Body { request_id: self.request_id(), results: results.collect(), cerbos_call_id: self.call_id };
        body.serialize(serializer)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'r> {
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'r str,
    results: Vec<ResultEntry<'r>>,
    cerbos_call_id: &'r str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultEntry<'r> {
    resource: ResourceKey<'r>,
    actions: Effects<'r>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    validation_errors: Vec<Mismatch<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Meta<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<Output<'r>>,
}

impl<'r> ResultEntry<'r> {
    fn new(item: &'r Item<'_>, decided: &'r ResourceEvaluation, include_meta: bool) -> Self {
        let resource = &item.resource;
        Self {
            resource: ResourceKey {
                id: &resource.id,
                kind: &resource.kind,
                policy_version: &resource.policy_version,
                scope: &resource.scope,
            },
            actions: Effects { item, decided },
            validation_errors: Mismatch::list(decided),
            meta: include_meta.then(|| Meta::new(item, decided)),
            outputs: Output::list(decided),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceKey<'r> {
    id: &'r str,
    kind: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    policy_version: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'r str,
}

/// A map from action to effect.
#[derive(Debug)]
pub(super) struct Effects<'r> {
    pub(super) item: &'r Item<'r>,
    pub(super) decided: &'r ResourceEvaluation,
}

impl Serialize for Effects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let decisions = self.item.actions.iter().zip(&self.decided.actions);
        serializer.collect_map(decisions.map(|(action, decision)| (action, decision.effect.wire_name())))
    }
}

/// What decided about one resource.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta<'r> {
    actions: Matches<'r>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    effective_derived_roles: Vec<&'r str>,
}

impl<'r> Meta<'r> {
    pub(super) fn new(item: &'r Item<'_>, decided: &'r ResourceEvaluation) -> Self {
        let roles = decided.effective_derived_roles.iter().map(AsRef::as_ref);
        Self { actions: Matches { item, decided }, effective_derived_roles: roles.collect() }
    }
}

/// A map from action to the policy that decided it.
#[derive(Debug)]
struct Matches<'r> {
    item: &'r Item<'r>,
    decided: &'r ResourceEvaluation,
}

impl Serialize for Matches<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let decisions = self.item.actions.iter().zip(&self.decided.actions);
        serializer.collect_map(decisions.map(|(action, decision)| {
            let matched_policy = self.decided.policy_of(decision);
            (action, Match { matched_policy, matched_scope: decision.scope() })
        }))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Match<'r> {
    matched_policy: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    matched_scope: &'r str,
}

/// Something in the attributes that does not fit their schema.
#[derive(Serialize)]
pub(super) struct Mismatch<'r> {
    /// Empty if the schema itself cannot be used.
    #[serde(skip_serializing_if = "str::is_empty")]
    path: &'r str,
    message: &'r str,
    source: &'static str,
}

impl<'r> Mismatch<'r> {
    /// Everything in the attributes of one resource and the principal that does not fit.
    pub(super) fn list(decided: &'r ResourceEvaluation) -> Vec<Self> {
        let mismatch = |error: &'r ValidationError| Self {
            path: &error.path,
            message: &error.message,
            source: match error.part {
                ValidatedPart::Principal => "SOURCE_PRINCIPAL",
                ValidatedPart::Resource => "SOURCE_RESOURCE",
            },
        };
        decided.validation_errors.iter().map(mismatch).collect()
    }
}

/// What a rule put out: either `val` or `error`.
#[derive(Serialize)]
pub(super) struct Output<'r> {
    src: &'r str,
    action: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    val: Option<&'r Value<'static>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'r str>,
}

impl<'r> Output<'r> {
    /// Everything that the rules put out about one resource.
    pub(super) fn list(decided: &'r ResourceEvaluation) -> Vec<Self> {
        decided.outputs.iter().map(Self::new).collect()
    }

    fn new(entry: &'r OutputEntry) -> Self {
        let (val, error) = match &entry.value {
            OutputValue::Value(value) => (Some(value), None),
            OutputValue::Error(error) => (None, Some(error.as_str())),
        };
        Self { src: &entry.src, action: &entry.action, val, error }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use procura_core::model::{ActionDecision, Effect, Reason};
    use serde_json::json;

    use super::*;
    use crate::http::RequestLimits;

    fn decision(effect: Effect, own_policy: Option<&str>, scope: Option<&str>) -> ActionDecision {
        ActionDecision {
            ground: None,
            effect,
            reason: Reason::NoRuleMatched,
            own_policy: own_policy.map(Arc::from),
            matched_scope: scope.map(Arc::from),
            rule: None,
            problems: Vec::new(),
        }
    }

    fn validation_error(part: ValidatedPart, path: &str, message: &str) -> ValidationError {
        ValidationError { part, path: path.to_owned(), message: message.to_owned() }
    }

    fn evaluation() -> Evaluation {
        let output = |src: &str, value| OutputEntry { src: src.into(), action: "view".to_owned(), value };
        let decided = ResourceEvaluation {
            policy: "resource.album.vdefault/acme".into(),
            actions: vec![
                decision(Effect::Allow, None, Some("acme")),
                decision(Effect::Deny, Some("NO_MATCH"), None),
            ],
            effective_derived_roles: vec![Arc::from("owner")],
            outputs: vec![
                output("p#a", OutputValue::Value(Value::Null)),
                output("p#b", OutputValue::Error("no such key".into())),
            ],
            validation_errors: vec![
                validation_error(ValidatedPart::Principal, "/a", "not allowed"),
                validation_error(ValidatedPart::Resource, "", "Failed to load resource schema"),
            ],
        };
        Evaluation { resources: vec![decided] }
    }

    fn answer_to(include_meta: bool) -> serde_json::Value {
        let body = json!({
            "includeMeta": include_meta,
            "principal": {"id": "alice", "roles": ["user"]},
            "resources": [{
                "actions": ["view", "edit"],
                "resource": {"kind": "album", "id": "a1", "scope": "acme.uk"},
            }],
        })
        .to_string();
        let check = CheckCall::parse(body.as_bytes(), &RequestLimits::default()).unwrap();
        serde_json::to_value(CheckResponse::new(&check, &evaluation(), "call")).unwrap()
    }

    #[test]
    fn answer_has_the_shape_of_the_peer() {
        let result = json!({
            "resource": {"id": "a1", "kind": "album", "scope": "acme.uk"},
            "actions": {"view": "EFFECT_ALLOW", "edit": "EFFECT_DENY"},
            "validationErrors": [
                {"path": "/a", "message": "not allowed", "source": "SOURCE_PRINCIPAL"},
                {"message": "Failed to load resource schema", "source": "SOURCE_RESOURCE"},
            ],
            "outputs": [
                {"src": "p#a", "action": "view", "val": null},
                {"src": "p#b", "action": "view", "error": "no such key"},
            ],
        });
        assert_eq!(answer_to(false), json!({"results": [result], "cerbosCallId": "call"}));
    }

    #[test]
    fn meta_is_there_when_asked_for() {
        let meta = json!({
            "actions": {
                "view": {"matchedPolicy": "resource.album.vdefault/acme", "matchedScope": "acme"},
                "edit": {"matchedPolicy": "NO_MATCH"},
            },
            "effectiveDerivedRoles": ["owner"],
        });
        assert_eq!(answer_to(true)["results"][0]["meta"], meta);
    }
}
